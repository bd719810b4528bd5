"""One small frozen `Config`; the only reader of the environment."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from qa.errors import QAError

_HERE = Path(__file__).resolve().parent
PACKAGED_SEEDS = next((one for one in (_HERE / "seeds", _HERE.parent / "seeds") if one.is_dir()), _HERE / "seeds")
"""The starter documents: inside the package where it is installed from a wheel, beside it in a checkout."""
PACKAGED = "packaged "
"""How the identities of the embedders in this package begin, of all versions."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that may be set. Lengths are characters unless the name says otherwise."""

    data_dir: Path  # holds the stores; each is NAME-<12 hex digits of sha256(real path)>
    threads: int  # how many texts are embedded, or passages read, at the same time
    max_file_mb: float = 50.0
    question_chars: int = 100_000  # a longer question is an error, not a search
    dense_hits: int = 30
    keyword_hits: int = 30
    fused_hits: int = 12
    read_hits: int = 8  # of them: the rest holds an answer too seldom to be worth half as much time again
    threshold: float | None = None
    """Answer when the calibrated probability that the quotes answer reaches this; only quotes that reach it are shown.

    None: the one that was fitted for the reader.
    """

    def store_for(self, docs: Path, embedder: str = PACKAGED) -> Path:
        """Where the store of a documents folder lives, unless `--store` says otherwise.

        With the identity of an embedder that is not packaged it is another one.
        """
        real = Path(os.path.realpath(docs))  # `resolve` raises for a loop of links, before Python 3.13
        digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
        name = os.fsencode(real.name).decode("utf-8", "replace")  # not all that reads the store takes other bytes
        own = "" if embedder.startswith(PACKAGED) else "-" + hashlib.sha256(embedder.encode()).hexdigest()[:12]
        return self.data_dir / f"{name or 'root'}-{digest}{own}"


def from_environment() -> Config:
    """`Config` with `QA_DATA_DIR`, `QA_THREADS` and `QA_MAX_FILE_MB` taken into account."""
    return Config(
        data_dir=Path(os.environ.get("QA_DATA_DIR") or user_data_path("qa", appauthor=False)),
        threads=int(_number("QA_THREADS", _cores(), 1, 256)),
        max_file_mb=_number("QA_MAX_FILE_MB", 50.0, 0.001, 10_000),
    )


def default_docs() -> Path:
    """`./seeds` where it exists, else the packaged seeds."""
    local = Path("seeds")
    return local if local.is_dir() else PACKAGED_SEEDS


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _number(name: str, default: float, low: float, high: float) -> float:
    raw = os.environ.get(name)
    try:
        value = float(raw) if raw else default
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise QAError(f"{name}={raw} is not a number from {low:g} to {high:g}; correct or unset it.")
    return value
