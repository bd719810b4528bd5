"""Following a folder while a program runs: every change is detected, also after errors; and Ctrl-C at any moment."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from qa import following
from qa.check import check_store
from qa.config import Config
from qa.errors import FolderError, StoreError
from qa.following import follow
from qa.indexing import Changes
from qa.store.place import Store
from qa.terminal import INTERRUPTED, measured, progress_line
from tests.conftest import ROOT
from tests.stores import Folder, TextEmbedder, equals_folder, fill, run

A = "The harbour was rebuilt in 1834. The old bridge was sold.\n"


def eventually(holds: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it was not noticed"
        time.sleep(0.02)


class Following:
    """`follow` in a thread, with the refreshes and errors that it reported."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.reports: list[Changes] = []
        self.errors: list[str] = []
        self.runs = 0
        self.failing: Exception | None = None
        self.stop = threading.Event()

    def refresh(self) -> Changes:
        self.runs += 1
        if self.failing:
            raise self.failing
        return run(self.store)

    def __call__(self) -> None:
        follow(self.store, self.refresh, stop=self.stop, refreshed=self.reports.append, failed=self.errors.append)

    def names(self) -> list[str]:
        return [one.path for one in self.store.library.documents()]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return fill(tmp_path / "docs", {"a.txt": A})


@contextmanager
def followed(docs: Path) -> Iterator[Following]:
    with closing(Store(docs.parent / "store", docs)) as store:
        it = Following(store)
        thread = threading.Thread(target=it)
        thread.start()
        try:
            eventually(lambda: it.reports)
            yield it
        finally:
            it.stop.set()
            thread.join()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_S", 0.05)
    monkeypatch.setattr(following, "SETTLE_S", 0.02)


def test_changes_of_all_kinds_are_followed(docs: Path) -> None:
    with followed(docs) as it:
        assert it.reports[0].added == ("a.txt",)
        fill(docs, {"sub/b.md": "A ferry crossed the river.\n"})
        eventually(lambda: it.names() == ["a.txt", "sub/b.md"])
        (docs / "sub" / "b.md").rename(docs / "c.md")
        eventually(lambda: it.names() == ["a.txt", "c.md"])
        fill(docs, {"a.txt": A.replace("1834", "1843")})  # of the same size
        eventually(lambda: "a.txt" in it.reports[-1].replaced)
        (docs / "c.md").unlink()
        eventually(lambda: it.names() == ["a.txt"])
        fill(it.store.uploads, {"d.txt": "An upload by another process.\n"})
        eventually(lambda: it.names() == ["a.txt", "uploads/d.txt"])
        assert it.errors == []
        equals_folder(it.store, docs)


def test_an_editor_that_replaces_a_file_by_renaming(docs: Path) -> None:
    """Some editors write a backup and a new file, delete the old one and rename the new one: one document changed."""
    with followed(docs) as it:
        for number in range(5):
            text = f"The harbour was rebuilt {number} times.\n"
            (docs / "a.txt~").write_bytes((docs / "a.txt").read_bytes())
            (docs / ".a.txt.swp").write_text(text)
            (docs / "a.txt").unlink()
            (docs / ".a.txt.swp").rename(docs / "a.txt")
            (docs / "a.txt~").unlink()
            eventually(lambda text=text: it.store.library.text_of("a.txt") == text)  # type: ignore[misc]
        assert it.names() == ["a.txt"]
        assert it.errors == []


def test_nothing_happens_while_nothing_changes(docs: Path) -> None:
    os.utime(docs / "a.txt", (10**9, 10**9))
    with followed(docs) as it:
        runs = it.runs
        time.sleep(0.5)
        assert (it.runs, len(it.reports)) == (runs, 1)


def test_a_folder_that_goes_and_comes_back(docs: Path) -> None:
    with followed(docs) as it:
        for _ in range(2):
            docs.rename(docs.with_name("away"))
            eventually(lambda: it.errors)
            assert len(it.errors) == 1, "each error is told once"
            assert "does not exist" in it.errors.pop()
            assert it.names() == ["a.txt"], "nothing is lost meanwhile"
            fill(docs.with_name("away"), {"b.txt": "A ferry crossed the river.\n"})
            docs.with_name("away").rename(docs)
            eventually(lambda: it.names() == ["a.txt", "b.txt"])
            (docs / "b.txt").unlink()
            eventually(lambda: it.names() == ["a.txt"])
        assert it.errors == []


def test_a_disk_that_is_unmounted_is_no_empty_folder(docs: Path) -> None:
    with closing(Store(docs.parent / "store", docs)) as store:
        run(store)
        device = store.library.meta("device")
        store.library.set_meta("device", "another")  # as if this were the mount point
        (docs / "a.txt").rename(docs.parent / "a.txt")
        with pytest.raises(FolderError, match=r"empty and on another disk.*mount"):
            run(store)
        assert [one.path for one in store.library.documents()] == ["a.txt"]
        fill(docs, {"b.txt": "Something.\n"})  # moved to another disk
        run(store)
        assert store.library.meta("device") == device
        (docs / "b.txt").unlink()
        assert run(store).dropped == ("b.txt",)
        assert store.library.documents() == []


def test_following_continues_after_errors_and_while_another_process_writes(docs: Path) -> None:
    with followed(docs) as it, closing(Store(it.store.path, docs)) as other:
        with other.writing(wait_s=30):
            fill(docs, {"b.txt": "A ferry crossed the river.\n"})
            runs = it.runs
            eventually(lambda: it.runs > runs + 1)
            assert it.errors == [], "who is busy does the same work"
        eventually(lambda: it.names() == ["a.txt", "b.txt"])
        it.failing = StoreError("the disk is full.")
        fill(docs, {"c.txt": "A third.\n"})
        eventually(lambda: it.errors)
        it.failing = ZeroDivisionError("a defect")
        eventually(lambda: len(it.errors) == 2)
        it.failing = None
        eventually(lambda: len(it.names()) == 3)
        assert it.errors == ["the disk is full.", "ZeroDivisionError: a defect"]


@pytest.mark.parametrize("broken", [False, True], ids=["the system refuses", "the file is broken"])
def test_only_files_that_may_become_readable_are_tried_again(
    docs: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    fill(docs, {"b.txt": "" if broken else "A ferry crossed the river.\n"})
    for file in docs.iterdir():
        os.utime(file, (10**9, 10**9))  # nothing in the listing changes
    monkeypatch.setattr(following, "AGAIN_S", 0.1)
    refused = set() if broken else {str(docs / "b.txt")}
    really = os.open

    def refusing(path: Any, *args: Any, **options: Any) -> int:
        if str(path) in refused:
            raise OSError(errno.EIO, "Input/output error", path)
        return really(path, *args, **options)

    monkeypatch.setattr(os, "open", refusing)
    with followed(docs) as it:
        assert [one.path for one in it.reports[0].skipped] == ["b.txt"]
        runs = it.runs
        if broken:
            time.sleep(0.5)
            assert it.runs == runs
            return
        eventually(lambda: it.runs > runs + 1, 10)
        refused.clear()
        eventually(lambda: it.names() == ["a.txt", "b.txt"], 10)
        runs = it.runs
        time.sleep(0.5)
        assert it.runs <= runs + 1, "it goes on trying"


# -- how far it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "to_do", "passages", "seconds", "line"),
    [
        (120, 400, 2310, 11.0, "Indexing 120/400 files, 2,310 passages, 210 a second, about 26 s left"),
        (0, 400, 0, 0.0, "Indexing 0/400 files, 0 passages"),
        (1, 400, 3, 0.5, "Indexing 1/400 files, 3 passages"),
        (0, 1, 512, 4.0, "Indexing 0/1 files, 512 passages, 128 a second"),
        (1, 3, 1, 60.0, "Indexing 1/3 files, 1 passages, less than one a second, about 2 min left"),
        (1000, 40_000, 90_000, 600.0, "Indexing 1,000/40,000 files, 90,000 passages, 150 a second, about 6.5 h left"),
        (400, 400, 8000, 40.0, "Indexing 400/400 files, 8,000 passages, 200 a second"),
    ],
)
def test_the_line_of_progress(done: int, to_do: int, passages: int, seconds: float, line: str) -> None:
    assert progress_line(done, to_do, passages, seconds) == line


def test_progress_is_measured_from_its_beginning(docs: Path) -> None:
    now = iter((100.0, 102.0, 104.0))
    lines: list[tuple[str, bool]] = []
    progress = measured(lambda *line: lines.append(line), clock=lambda: next(now))
    progress(1, 2, 10, "files")
    progress(2, 2, 20, "vectors")
    assert lines == [
        ("Indexing 1/2 files, 10 passages, 5 a second, about 2 s left", False),
        ("Indexing 2/2 vectors, 20 passages, 10 a second", True),
    ]


# -- Ctrl-C ------------------------------------------------------------------------------------------


def start(*args: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", *map(str, args)]
    environment = {**os.environ, "QA_THREADS": "1", "QA_AUTH": ""}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # until it is ours: not while Python starts
    )


def interrupted(process: subprocess.Popen[str]) -> None:
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            continue
    assert process.returncode in (0, INTERRUPTED), (out, err)
    assert "Traceback" not in err, err
    assert process.returncode == 0 or "nothing is lost" in err


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("watch", [False, True])
def test_ctrl_c_at_any_moment_loses_nothing(tmp_path: Path, watch: bool, times: int) -> None:
    rng, folder = random.Random(watch), Folder(tmp_path / "docs", 9)
    place = tmp_path / "store"
    where = ("--docs", folder.path, "--store", place)
    for number in range(16):
        folder.write(f"{number:02}.txt", folder.text(24))
    for _ in range(times):
        process = start("qa", "index", *where, *(["--watch"] if watch else []))
        if watch or rng.random() < 0.7:
            eventually(lambda: (place / "vectors.state").exists() or process.poll() is not None)  # noqa: B023
        time.sleep(rng.uniform(0.2, 2.5))
        interrupted(process)
    embedder = TextEmbedder()
    config = Config(data_dir=tmp_path, threads=1)
    check_store(place, folder.path, config)
    with closing(Store(place, folder.path)) as store:
        store.library.verify()
        assert len(store.library.documents()) == 16
        assert run(store, embedder).embedded == 0


def test_watching_is_reported_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": A})
    process = start("qa", "index", "--docs", docs, "--store", tmp_path / "store", "--watch")
    assert process.stdout is not None
    assert process.stdout.readline() == "1 documents: 1 added, 0 replaced, 0 dropped, 1 passages embedded.\n"
    shutil.move(docs, tmp_path / "away")
    assert process.stderr is not None
    assert "Ctrl-C" in process.stderr.readline()
    assert process.stderr.readline().endswith("(trying again)\n")
    fill(tmp_path / "away", {"b.txt": "A ferry crossed the river.\n"})
    shutil.move(tmp_path / "away", docs)
    assert process.stdout.readline().startswith("2 documents: 1 added")
    interrupted(process)
    assert process.returncode == INTERRUPTED


def test_the_chat_ends_at_ctrl_c(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": A})
    process = start("ui", "--docs", docs, "--store", tmp_path / "store", "--port", "0")
    assert process.stderr is not None
    assert "The chat is at" in process.stderr.readline()
    time.sleep(1)
    interrupted(process)
