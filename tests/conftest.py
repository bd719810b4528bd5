"""Shared fixtures. Tests cannot reach the network; in CI a skipped test is a failure."""

import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from qa.assistant import Assistant
from qa.config import Config
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401  # hooks

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "seeds"

Opener = Callable[..., Assistant]

# The extra `train` is large and neither `make test` nor CI installs it; `make training` does, and runs these.
collect_ignore = [] if find_spec("torch") else ["test_reader_training.py", "test_training_run.py"]

# No deadline and no check for slow data: other work may slow the machine down.
settings.register_profile(
    "daily", max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("slow", settings.get_profile("daily"), max_examples=1000, derandomize=False)
settings.load_profile("daily")  # the option --hypothesis-profile replaces it


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return Config(data_dir=tmp_path_factory.mktemp("data"), threads=2)


@pytest.fixture(scope="session")
def seeds(config: Config) -> Iterator[Assistant]:
    """The assistant over the seeds, indexed once."""
    assistant = Assistant.open(SEEDS, config=config)
    yield assistant
    assistant.close()


@pytest.fixture
def open_folder(config: Config, tmp_path: Path) -> Iterator[Opener]:
    """`open_folder({"a.txt": "text"})` writes the files (str or bytes) to a folder and opens it."""
    opened: list[Assistant] = []

    def open_(files: dict[str, str | bytes] | None = None, folder: str = "docs", **overrides: Any) -> Assistant:
        docs = tmp_path / folder
        docs.mkdir(exist_ok=True)
        for name, content in (files or {}).items():
            (docs / name).parent.mkdir(parents=True, exist_ok=True)
            (docs / name).write_bytes(content.encode() if isinstance(content, str) else content)
        opened.append(Assistant.open(docs, config=overrides.pop("config", config), **overrides))
        return opened[-1]

    yield open_
    for assistant in opened:
        assistant.close()
