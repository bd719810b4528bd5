"""The store's folder: who may make, refuse or erase it, and when it is made anew."""

import contextlib
import itertools
import logging
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from qa.errors import StoreBusy, StoreDamaged, StoreError
from qa.store.local import Library
from qa.store.place import Store, forget_store
from tests.stores import equals_folder, fill, run

BRIDGE = "The bridge was sold.\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return fill(tmp_path / "my documents ü", {"a.txt": BRIDGE, "sub/b.md": "A ferry crossed.\n"})


@pytest.fixture
def store(tmp_path: Path, docs: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "the störe #1?", docs)) as opened:
        yield opened


# -- another version ---------------------------------------------------------------------------------


def test_a_store_with_unknown_tables_is_rebuilt_and_never_mixed(
    store: Store, docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(store)
    reader = Library(store.path / "library.sqlite")
    reader.documents()
    store.library.set_meta("tables", "1")
    with caplog.at_level(logging.WARNING), closing(Store(store.path, docs)) as other:
        assert caplog.text.count("is rebuilt from the folder") == 1
        assert other.library.documents() == []
        add = other.vectors.add
        other.vectors.add = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run(other)  # nor does a first run that is stopped
        other.vectors.add = add  # type: ignore[method-assign]
        assert run(other).added == ("a.txt", "sub/b.md")
        equals_folder(other, docs)
    for stale in (store.library, reader):  # who had it open does not mix either
        with pytest.raises(StoreError, match="rebuilt by another process"):
            stale.documents()
    with pytest.raises(StoreError, match="rebuilt by another process"):
        run(store)
    reader.close()
    caplog.clear()
    with closing(Store(store.path, docs)):
        assert caplog.text == ""


def test_a_store_that_was_half_made_is_made(tmp_path: Path, docs: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "store"
    place.mkdir()
    Library(place / "library.sqlite").close()
    with closing(Store(place, docs)) as store:
        run(store)
        equals_folder(store, docs)
    assert "rebuilt" not in caplog.text


# -- forget ------------------------------------------------------------------------------------------


def test_forget_erases_a_store_and_nothing_else(store: Store, docs: Path, tmp_path: Path) -> None:
    run(store)
    with store.writing(), pytest.raises(StoreBusy, match="nothing was erased"):
        forget_store(store.path)
    assert store.library.documents()
    (store.path / "diary.txt").write_text("mine")
    with pytest.raises(StoreError, match="diary"):
        forget_store(store.path)
    (store.path / "diary.txt").unlink()
    assert forget_store(store.path)
    assert not store.path.exists()
    assert not forget_store(store.path)
    assert (docs / "a.txt").read_text() == BRIDGE
    with pytest.raises(StoreError, match="erased or rebuilt"):
        store.library.documents()
    with pytest.raises(StoreError, match="is not a store"):
        forget_store(docs)
    shutil.rmtree(store.path, ignore_errors=True)
    with closing(Store(store.path, docs)) as again:
        run(again)
        equals_folder(again, docs)


def test_a_store_is_erased_to_its_end_whenever_that_was_broken_off(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store)
    store.close()
    (store.path / "uploads").mkdir()
    (store.path / "uploads" / "mine.txt").write_text("mine")
    (store.path / "library.sqlite-wal").touch()  # as whoever was killed leaves one
    (store.path / "library.sqlite-shm").touch()
    erase = Path.unlink
    for allowed in itertools.count():
        room = iter(range(allowed))

        def until_killed(path: Path, missing_ok: bool = False, room: Iterator[int] = room) -> None:
            if next(room, None) is None:
                raise KeyboardInterrupt
            erase(path, missing_ok)

        with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
            patched.setattr(Path, "unlink", until_killed)
            assert forget_store(store.path)
            break
        assert (store.path / "library.sqlite").exists(), "it is no store any more"
    assert not store.path.exists()
    assert allowed > 2


def test_a_store_behind_a_link_is_erased_with_the_link(store: Store, tmp_path: Path) -> None:
    run(store)
    (tmp_path / "link").symlink_to(store.path)
    assert forget_store(tmp_path / "link")
    assert not store.path.exists()
    assert not (tmp_path / "link").is_symlink()


def test_damage_is_not_taken_for_an_old_version(store: Store, docs: Path) -> None:
    run(store)
    store.close()
    (store.path / "library.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreDamaged, match="run `qa check`"):
        Store(store.path, docs)
    assert (store.path / "library.sqlite").read_bytes().startswith(b"garbage"), "erased without being asked to"
