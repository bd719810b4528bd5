"""A backup is a store: made while others index, opened without embedding anything, and whole or not there at all."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from qa.assistant import Assistant
from qa.check import check_store
from qa.config import Config
from qa.errors import DocumentError, StoreBusy, StoreDamaged, StoreError
from qa.store import backup
from qa.store.backup import back_up
from qa.store.local import Library
from qa.store.place import Store, forget_store
from tests.invariants import every_promise
from tests.readers import Trusting
from tests.stores import Child, Folder, TextEmbedder, equals_folder, fill, published_is_complete, run
from tests.test_faults import one_line
from tests.test_indexing import index_slowly
from ui.conversations import Conversations, owner_of

A = "The harbour was rebuilt in 1834. The old bridge was sold.\n"
ADA = owner_of("user", "ada")


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    docs = fill(tmp_path / "docs", {"a.txt": A, "sub/b.md": "A ferry crossed the river.\n"})
    opened = Assistant(
        Store(tmp_path / "store", docs), Config(data_dir=tmp_path, threads=1), Trusting(), embedder=TextEmbedder()
    )
    opened.refresh()
    opened.add_upload("garden.txt", b"The greenhouse was built by Ada.\n", owner=ADA)
    yield opened
    opened.close()


def test_a_backup_is_a_store_with_all_that_a_person_made(assistant: Assistant, tmp_path: Path) -> None:
    talk = Conversations(assistant.store.path / "conversations")
    kept = talk.add(ADA, None, assistant.ask("When was the harbour rebuilt?"))
    made = back_up(assistant.store.path, tmp_path / "backup")
    assert (made.documents, made.vectors) == (3, True)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    assert not (tmp_path / "backup.partial").exists()
    (assistant.store.docs / "a.txt").unlink()  # the backup is of then, what is answered is of now
    embedder = TextEmbedder()
    with closing(Store(tmp_path / "backup", assistant.store.docs)) as restored:
        published_is_complete(restored)
        assert {one.path for one in restored.library.documents()} == {"a.txt", "sub/b.md", "uploads/garden.txt"}
        run(restored, embedder)
        assert embedder.texts == [], "restoring embeds nothing"
        equals_folder(restored, assistant.store.docs)
    assert Conversations(tmp_path / "backup" / "conversations").get(ADA, kept.id) == kept
    report = check_store(tmp_path / "backup", assistant.store.docs, assistant.config, embedder=embedder)  # type: ignore[arg-type]
    assert report.repaired == ()
    with closing(Store(tmp_path / "backup", assistant.store.docs)) as restored:
        other = Assistant(restored, assistant.config, Trusting(), embedder=assistant.embedder)
        with pytest.raises(DocumentError, match="somebody else"):
            other.delete_upload("uploads/garden.txt", owner="bob")  # who uploaded what is kept too
    assert forget_store(tmp_path / "backup"), "it holds nothing but a store"


def test_a_backup_of_a_store_that_is_being_indexed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "docs", 5)
    for number in range(24):
        folder.write(f"{number:02}.txt", folder.text(12))
    child = Child(index_slowly, tmp_path / "store", folder.path)
    assert child.next() == "opened"
    sizes, said, number = set(), ["opened"], 0
    while "second run" not in said:
        if child.reading.poll(0):
            said.append(child.next())
        number += 1
        made = back_up(tmp_path / "store", tmp_path / f"backup {number}")
        assert made.vectors
        sizes.add(made.documents)
        with closing(Store(tmp_path / f"backup {number}", folder.path)) as restored:
            published_is_complete(restored)
        if number > 1:
            shutil.rmtree(tmp_path / f"backup {number - 1}")
    child.said()
    assert len(sizes) > 2, "no backup was made amid a run"
    with closing(Store(tmp_path / f"backup {number}", folder.path)) as restored:
        run(restored)
        equals_folder(restored, folder.path)


@pytest.mark.parametrize("change", [False, True])
def test_who_asks_waits_for_the_vectors_alone(
    assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bool
) -> None:
    copy_to = Library.copy_to
    free: list[bool] = []

    def copying(library: Library, path: Path) -> None:
        copy_to(library, path)
        turn = FileLock(assistant.store.path / "vectors.lock")
        try:
            turn.acquire(timeout=0)
            turn.release()
            free.append(True)
        except Timeout:
            free.append(False)
        if change and len(free) == 1:  # between the copies of the text and of the vectors
            (assistant.store.docs / "a.txt").unlink()
            fill(assistant.store.docs, {"new.txt": "A mill was built.\n"})
            run(assistant.store)

    monkeypatch.setattr(Library, "copy_to", copying)
    back_up(assistant.store.path, tmp_path / "backup")
    assert free == ([True, False] if change else [True])
    with closing(Store(tmp_path / "backup", assistant.store.docs)) as restored:
        published_is_complete(restored)
        embedder = TextEmbedder()
        run(restored, embedder)
        assert embedder.texts == []
        equals_folder(restored, assistant.store.docs)


def test_what_is_there_is_never_overwritten(assistant: Assistant, tmp_path: Path) -> None:
    place, docs = assistant.store.path, assistant.store.docs
    full = fill(tmp_path / "full", {"mine.txt": "mine"})
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for target, reason in (
        (full, "not empty"),
        (full / "mine.txt", "not empty"),
        (place, "inside the store"),
        (place / "deep", "inside the store"),
        (docs, "inside the documents folder"),
        (docs / "deep" / "er", "inside the documents folder"),
        (Path("/proc"), "a disk is mounted; pass a folder inside it"),
        (Path("/"), "a disk is mounted; pass a folder inside it"),
        (loop, r"cannot be used \(.*pass another folder"),
    ):
        with pytest.raises(StoreError, match=reason) as caught:
            back_up(place, target)
        one_line(caught.value)
    assert (full / "mine.txt").read_text() == "mine"
    assert sorted(one.name for one in docs.iterdir()) == ["a.txt", "sub"]
    fill(tmp_path / "next.partial", {"mine.txt": "mine"})
    with pytest.raises(StoreError, match="not an unfinished backup"):
        back_up(place, tmp_path / "next")
    with pytest.raises(StoreError, match="no store at"):
        back_up(tmp_path / "nowhere", tmp_path / "b")
    (tmp_path / "empty").mkdir(mode=0o755)
    back_up(place, tmp_path / "empty")
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o700


def test_a_backup_never_lands_among_documents_wherever_they_are_by_now(assistant: Assistant, tmp_path: Path) -> None:
    place, moved = assistant.store.path, tmp_path / "moved"
    assistant.close()
    assistant.store.docs.rename(moved)
    with pytest.raises(StoreError, match="inside the documents folder"):
        back_up(place, moved / "backup", moved)
    with closing(Store(place, moved)) as store:
        run(store)
    with pytest.raises(StoreError, match="inside the documents folder"):
        back_up(place, moved / "backup")
    assert sorted(one.name for one in moved.iterdir()) == ["a.txt", "sub"]


def back_up_slowly(place: Path, target: Path, report: Any) -> None:
    copy = shutil.copy2

    def slowly(*args: Any, **options: Any) -> Any:
        report.send("a file")
        time.sleep(0.05)
        return copy(*args, **options)

    backup.shutil.copy2 = slowly  # type: ignore[attr-defined]
    back_up(place, target)
    report.send("done")


@pytest.mark.parametrize("files", [1, 3, 6])
def test_a_killed_backup_is_none(assistant: Assistant, tmp_path: Path, files: int) -> None:
    target = tmp_path / "backup"
    child = Child(back_up_slowly, assistant.store.path, target)
    for _ in range(files):
        assert child.next() == "a file"
    with pytest.raises(StoreBusy, match="another backup"):
        back_up(assistant.store.path, target)
    child.kill()
    child.reading.close()
    assert not target.exists()
    assert (tmp_path / "backup.partial").exists()
    run(assistant.store)  # nobody is held up
    back_up(assistant.store.path, target)
    assert not (tmp_path / "backup.partial").exists()
    with closing(Store(target, assistant.store.docs)) as restored:
        assert run(restored).embedded == 0
        equals_folder(restored, assistant.store.docs)


def test_damage_is_not_kept_as_a_backup(assistant: Assistant, tmp_path: Path) -> None:
    assistant.close()
    place = assistant.store.path
    (place / "vectors.state").write_text(f"{9:020} torn\n")
    assert not back_up(place, tmp_path / "without vectors").vectors
    with closing(Store(tmp_path / "without vectors", assistant.store.docs)) as restored:
        run(restored)
        equals_folder(restored, assistant.store.docs)
    data = bytearray((place / "library.sqlite").read_bytes())
    where = data.index(b"rebuilt in 1834")
    data[where : where + 3] = b"xyz"
    (place / "library.sqlite").write_bytes(data)
    with pytest.raises(StoreDamaged, match="run `qa check`, then make the backup") as caught:
        back_up(place, tmp_path / "backup")
    one_line(caught.value)
    assert not [one for one in os.listdir(tmp_path) if one.startswith("backup")]


def test_a_backup_answers(assistant: Assistant, tmp_path: Path) -> None:
    back_up(assistant.store.path, tmp_path / "backup")
    with closing(Store(tmp_path / "backup", assistant.store.docs)) as restored:
        other = Assistant(restored, assistant.config, Trusting(), embedder=assistant.embedder)
        answer = other.ask("Who built the greenhouse?")
        every_promise(answer, assistant.store.docs, restored.uploads)
        assert any(hit.document == "uploads/garden.txt" for hit in answer.trace.hits)
