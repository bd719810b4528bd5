"""Full disks, closed doors, wrong places: one clear line each, nothing lost, and the next run completes."""

import contextlib
import gc
import os
import re
import resource
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qa.check import check_store
from qa.config import Config
from qa.errors import FolderError, QAError, StoreError
from qa.store.local import Library
from qa.store.place import Store, forget_store
from qa.store.vectors import Vectors
from tests.stores import Folder, TextEmbedder, equals_folder, fill, published_is_complete, run

NOBODY = 65534


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    return str(error)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "docs", 2)
    for number in range(12):
        made.write(f"{number:02}.txt", made.text(24))
    return made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a store may be; on a file system of 2 MB where mounting is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    mounted = not subprocess.run(mount, capture_output=True).returncode if shutil.which("mount") else False
    yield place
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk does, by the means that any user has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def open_and_run(place: Path, docs: Path) -> None:
    with closing(Store(place, docs)) as store:
        run(store)


# -- a full disk -------------------------------------------------------------------------------------


def test_a_small_disk_fills_up(folder: Folder, place: Path, tmp_path: Path) -> None:
    """On a disk of its own where that is allowed, else with the largest files cut off at the same size."""
    full = contextlib.nullcontext() if place.is_mount() else no_file_larger_than(900_000)

    def grow() -> None:
        for _ in range(40):
            with closing(Store(place / "store", folder.path)) as store:
                run(store)
            for _ in range(5):
                folder.write(f"{len(folder.names()):02}.txt", folder.text(40))

    with full, pytest.raises(StoreError, match=r"full; free some space and run again, nothing is lost\.$") as caught:
        grow()
    one_line(caught.value)
    moved = Path(shutil.copytree(place / "store", tmp_path / "larger disk"))
    with closing(Store(moved, folder.path)) as store:
        if store.vectors.are_sound():
            published_is_complete(store)
        assert run(store).embedded < store.library.count_chunks(), "it began anew"
        equals_folder(store, folder.path)


@pytest.mark.parametrize("size", [0, 10, 3000, 40_000, 150_000, 250_000, 400_000])
def test_full_at_any_point(folder: Folder, tmp_path: Path, size: int) -> None:
    with no_file_larger_than(size), pytest.raises(QAError) as caught:
        open_and_run(tmp_path / "store", folder.path)
    assert "full" in one_line(caught.value) or "run `qa check`" in one_line(caught.value)
    with closing(Store(tmp_path / "store", folder.path)) as store:
        run(store)
        equals_folder(store, folder.path)


def test_a_disk_that_fills_up_later_takes_nothing_away(folder: Folder, tmp_path: Path) -> None:
    with closing(Store(tmp_path / "store", folder.path)) as store:
        run(store)
    largest = max(path.stat().st_size for path in (tmp_path / "store").rglob("*") if path.is_file())
    before = folder.names()
    (folder.path / before[0]).unlink()
    for number in range(30):
        folder.write(f"new-{number}.txt", folder.text(40))
    with no_file_larger_than(largest + 20_000), pytest.raises(StoreError) as caught:
        open_and_run(tmp_path / "store", folder.path)
    one_line(caught.value)
    with closing(Store(tmp_path / "store", folder.path)) as store:
        published = {one.path for one in store.library.documents()}
        assert set(before[1:]) <= published
        assert before[0] not in published
        run(store)
        equals_folder(store, folder.path)


def test_sqlites_own_full_disk(folder: Folder, tmp_path: Path) -> None:
    """SQLite stops at a page count just as at the end of a disk, in the middle of a transaction."""
    with closing(Store(tmp_path / "store", folder.path)) as store:
        with store.library.read() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages + 8}")  # of this connection, which is this thread's
        with pytest.raises(StoreError, match="full; free some space") as caught:
            run(store)
        one_line(caught.value)
        with store.library.read() as db:
            db.execute("PRAGMA max_page_count = 1000000")
        published_is_complete(store)
        run(store)
        equals_folder(store, folder.path)


# -- closed doors ------------------------------------------------------------------------------------


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """As a user whom permissions hold for; root is one whom they do not."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of nobody's, outside of pytest's, which is closed to him."""
    path = Path(tempfile.mkdtemp(prefix="qa-faults-"))
    if not os.geteuid():
        os.chown(path, NOBODY, NOBODY)
    yield path
    for base, _, _ in os.walk(path):
        os.chmod(base, 0o700)
    shutil.rmtree(path)


def close_door(path: Path, mode: int) -> None:
    os.chmod(path, mode)


def indexed(home: Path) -> tuple[Path, Path]:
    docs = fill(home / "docs", {"a.txt": "The harbour was rebuilt.\n", "sub/b.txt": "A ferry crossed the river.\n"})
    with closing(Store(home / "store", docs)) as store:
        run(store)
    return docs, home / "store"


@pytest.mark.parametrize("mode", [0, 0o100])
def test_an_unreadable_documents_folder_deletes_nothing(home: Path, mode: int) -> None:
    with nobody():
        docs, place = indexed(home)
        with closing(Store(place, docs)) as store:
            before = store.library.documents()
            close_door(docs, mode)
            with pytest.raises(FolderError) as caught:
                run(store)
            one_line(caught.value)
            assert store.library.documents() == before
            close_door(docs, 0o700)
            assert run(store).embedded == 0
            equals_folder(store, docs)


def test_a_documents_folder_behind_a_closed_door(home: Path) -> None:
    with nobody():
        docs = fill(home / "closed" / "docs", {"a.txt": "The harbour was rebuilt.\n"})
        close_door(home / "closed", 0)
        with pytest.raises(FolderError, match=r"allow reading it|does not exist") as caught:
            Store(home / "store", docs)
        one_line(caught.value)
        close_door(home / "closed", 0o700)


@pytest.mark.parametrize("name", ["a.txt", "sub"])
def test_an_unreadable_part_is_left_out_with_its_reason(home: Path, name: str) -> None:
    with nobody():
        docs, place = indexed(home)
        close_door(docs / name, 0)
        with closing(Store(place, docs)) as store:
            os.utime(docs / name) if name == "a.txt" else None
            skipped = run(store).skipped
            assert [one.path.rstrip("/") for one in skipped] == [name]
            assert "cannot be read" in skipped[0].reason
            assert len(store.library.documents()) == 1
            close_door(docs / name, 0o700)
            assert run(store).added
            equals_folder(store, docs)


CLOSED: dict[str, Callable[[Path], Any]] = {
    "the store's folder": lambda place: close_door(place, 0o500),
    "the library": lambda place: close_door(place / "library.sqlite", 0o400),
    "a library not to be read": lambda place: close_door(place / "library.sqlite", 0),
    "the writer's lock": lambda place: close_door(place / "writer.lock", 0),
    "the vectors' lock": lambda place: close_door(place / "vectors.lock", 0),
    "the vectors' state": lambda place: close_door(place / "vectors.state", 0o400),
    "the vectors' folder": lambda place: close_door(place / "vectors", 0),
}


@pytest.mark.parametrize("what", CLOSED)
def test_a_store_that_cannot_be_written_is_one_line(home: Path, what: str) -> None:
    with nobody():
        docs, place = indexed(home)
        (docs / "c.txt").write_text("Something new.\n")
        CLOSED[what](place)
        opened_by_us = what == "the store's folder"  # which is made 0700 again
        with contextlib.nullcontext() if opened_by_us else pytest.raises(StoreError) as caught:
            open_and_run(place, docs)
        if caught is not None:
            line = one_line(caught.value)
            assert "permission" in line.lower() or "qa check" in line, line
        for path in [place, *place.rglob("*")]:
            close_door(path, 0o700)
        with closing(Store(place, docs)) as store:
            run(store)
            equals_folder(store, docs)


def test_a_store_in_a_read_only_place(home: Path) -> None:
    with nobody():
        docs = fill(home / "docs", {"a.txt": "The harbour was rebuilt.\n"})
        (home / "closed").mkdir(mode=0o500)
        with pytest.raises(StoreError, match=r"Permission denied.*--store") as caught:
            Store(home / "closed" / "store", docs)
        one_line(caught.value)


def remount(disk: Path, how: str) -> None:
    command = ["mount", "-o", f"remount,{how}", "tmpfs", str(disk)]
    for _ in range(50):  # busy while Chroma lets go of its files
        gc.collect()
        if not subprocess.run(command, capture_output=True).returncode:
            return
        time.sleep(0.1)
    raise AssertionError(f"{disk} cannot be mounted anew")


def test_a_disk_that_becomes_read_only(home: Path) -> None:
    """What was indexed stays, what is told is one line, and the next run goes on once it can.

    Where mounting is not allowed, every file and folder is closed to the person that the test runs as.
    """
    disk, place = home / "disk", home / "disk" / "store"
    with nobody():
        disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    try:
        with contextlib.nullcontext() if mounted else nobody():
            docs = fill(home / "docs", {"a.txt": "The harbour was rebuilt.\n"})
            open_and_run(place, docs)
            fill(docs, {"b.txt": "A ferry crossed the river.\n"})
            if mounted:
                remount(disk, "ro")
            for path in [] if mounted else place.rglob("*"):
                close_door(path, 0o500 if path.is_dir() else 0o400)
            with pytest.raises(StoreError) as caught:
                open_and_run(place, docs)
            assert re.search(r"read-?only|permission", one_line(caught.value), re.IGNORECASE)
            if mounted:
                remount(disk, "rw")
            for path in place.rglob("*"):
                close_door(path, 0o700)
            with closing(Store(place, docs)) as store:
                published_is_complete(store)
                run(store)
                equals_folder(store, docs)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=True)


# -- wrong places ------------------------------------------------------------------------------------


def test_a_store_inside_the_documents_folder_is_refused(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour.\n"})
    (tmp_path / "link").symlink_to(docs)
    for place in (docs, docs / "store", tmp_path / "link" / "store", tmp_path / "x" / ".." / "docs" / "deep" / "store"):
        with pytest.raises(StoreError, match="inside the documents folder; pass a --store") as caught:
            Store(place, docs)
        one_line(caught.value)
    assert [path.name for path in docs.iterdir()] == ["a.txt"]
    with closing(Store(tmp_path / "docs-store", docs)) as store:
        run(store)


OPENING: dict[str, Callable[[Path, Path], Any]] = {
    "indexing": Store,
    "checking": lambda place, docs: check_store(place, docs, Config(data_dir=place, threads=1)),
    "erasing": lambda place, _docs: forget_store(place),
}


@pytest.mark.parametrize("how", OPENING)
def test_a_folder_of_other_things_is_not_taken_for_a_store(tmp_path: Path, how: str) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour.\n"})
    files = {"diary.txt": "mine", "uploads/mine.txt": "mine", "conversations/me/half.partial": "mine"}
    other = fill(tmp_path / "home", files)
    os.utime(other / "conversations/me/half.partial", (1, 1))
    for path in (other, *other.rglob("*")):
        os.chmod(path, 0o755)
    with pytest.raises(StoreError, match=r"is not a store \(it holds diary.txt\)") as caught:
        OPENING[how](other, docs)
    one_line(caught.value)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (other, *other.rglob("*"))} == {0o755}
    assert {name: (other / name).read_text() for name in files} == files


@pytest.mark.parametrize("how", OPENING)
def test_a_file_is_not_taken_for_a_store(tmp_path: Path, how: str) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour.\n"})
    file = tmp_path / "diary.txt"
    file.write_text("mine")
    os.chmod(file, 0o644)
    with pytest.raises(StoreError) as caught:
        OPENING[how](file, docs)
    one_line(caught.value)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("mine", 0o644)


def test_erasing_and_checking_behind_a_closed_door_are_one_line(home: Path) -> None:
    with nobody():
        docs, place = indexed(home)
        (place / "uploads").mkdir()
        (place / "uploads" / "b.txt").write_text("mine")
        close_door(place / "uploads", 0o500)
        with pytest.raises(StoreError, match="Permission denied") as caught:
            forget_store(place)
        one_line(caught.value)
        close_door(place / "uploads", 0o700)
        assert forget_store(place)
    if not os.geteuid():
        place.mkdir(mode=0o755)  # of another owner
        with nobody(), pytest.raises(StoreError, match="not permitted") as caught:
            check_store(place, docs, Config(data_dir=place, threads=1))
        one_line(caught.value)


@pytest.mark.parametrize("docs", ["no", "a.txt"])
def test_documents_that_are_no_folder(tmp_path: Path, docs: str) -> None:
    (tmp_path / "a.txt").write_text("The harbour.")
    with pytest.raises(FolderError, match="does not exist or is not a folder; pass") as caught:
        Store(tmp_path / "store", tmp_path / docs)
    one_line(caught.value)
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour.\n"})
    (tmp_path / "store").write_text("mine")
    with pytest.raises(StoreError, match="--store") as caught:
        Store(tmp_path / "store", docs)
    one_line(caught.value)
    assert (tmp_path / "store").read_text() == "mine"


@pytest.mark.parametrize("name", ["with spaces", "ünï cödé 東京", "#?%20&", "-x", "a'b\"c", "new\nline", "%s{}"])
def test_any_name_for_the_store_and_the_folder(tmp_path: Path, name: str) -> None:
    docs = fill(tmp_path / f"docs {name}", {"a.txt": "The harbour.\n"})
    with closing(Store(tmp_path / name, docs)) as store:
        run(store)
        equals_folder(store, docs)
    with closing(Store(tmp_path / name, docs)) as store:
        assert run(store).embedded == 0
        assert store.vectors.nearest(TextEmbedder.vector("x"), 1)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_writer_that_dies_while_erasing_an_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "The harbour.\n"})
    with closing(Store(tmp_path / "store", docs)) as store:
        run(store)
        store.library.set_meta("tables", "1")

    class Died(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Died

    for target, name in ((Path, "unlink"), (Vectors, "destroy"), (Library, "set_facts")):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, die)
            with pytest.raises(Died):
                Store(tmp_path / "store", docs)
    with closing(Store(tmp_path / "store", docs)) as store:
        run(store)
        equals_folder(store, docs)
