"""Puts a model's folder in place whole: it is made beside the old one, and takes its place when it is complete.

    with replacing(folder) as made:    # a copy of the folder, or an empty one
        …                              # write into `made`; an error leaves `folder` as it was

A process that is killed leaves the old folder or the new one. One moment is not covered: between two renames the folder
has the name `.NAME.old`. The next `replacing` or `recover` gives it its name back.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from qa.errors import ModelError

SUMS = "SHA256SUMS"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A copy of the folder to change (an empty folder when there is none), which takes its place at the end."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    made = Path(tempfile.mkdtemp(prefix=_new(folder), dir=folder.parent))
    try:
        if folder.exists():
            shutil.copytree(folder, made, dirs_exist_ok=True)
        made.chmod(0o755)
        yield made
        _swap(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def recover(folder: Path) -> None:
    """Undo what an interrupted `replacing` left: the old folder gets its name back, unfinished copies are deleted."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for rest in (old, *folder.parent.glob(f"{_new(folder)}*")):
        shutil.rmtree(rest, ignore_errors=True)


def _swap(made: Path, folder: Path) -> None:
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def _new(folder: Path) -> str:
    return f".{folder.name}.new-"


def sha256(path: Path) -> str:
    """The file's hex sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, names: Sequence[str]) -> None:
    """Write SHA256SUMS for these files."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in sorted(names)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def check_sums(folder: Path, names: Sequence[str]) -> None:
    """Raise ModelError unless SHA256SUMS lists these files with the sums that they have."""
    try:
        listed = dict(line.split()[::-1] for line in (folder / SUMS).read_text("utf-8").splitlines())
        wrong = [name for name in names if listed.get(name) != sha256(folder / name)]
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} is not a complete model ({error}); export it again.") from None
    if wrong:
        raise ModelError(f"{folder}: {', '.join(wrong)} differ from {SUMS}; export the model again.")
