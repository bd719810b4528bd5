"""Making the store equal to the folder: what is embedded, what is reported, and what is left if it stops anywhere."""

import os
import random
import shutil
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import indexing
from qa.assistant import Assistant
from qa.check import check_store
from qa.config import Config
from qa.errors import FolderError, StoreBusy, StoreDamaged, StoreError
from qa.folder import File
from qa.indexing import batches, sync
from qa.schema import Document
from qa.store.limits import Limits
from qa.store.local import Library
from qa.store.place import Store
from qa.store.vectors import Vectors
from tests.invariants import every_promise, exact_slice, quotes_of, right_place, typed_result
from tests.readers import Trusting
from tests.reading import file_text
from tests.stores import (
    OFTEN,
    Child,
    Folder,
    TextEmbedder,
    equals_folder,
    fill,
    published_is_complete,
    run,
    stored_vectors,
)
from tests.test_kill import STEPS
from ui.conversations import Conversations

A = "The harbour was rebuilt in 1834. The old bridge was sold.\n"
B = "A ferry crossed the river. Its captain was called Ilse.\n"
FEW = Limits(flush_chunks=3)
C = "Nothing is known about the lighthouse. It burned twice.\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return fill(tmp_path / "my documents ü", {"a.txt": A, "sub/b.md": B})


@pytest.fixture
def store(tmp_path: Path, docs: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "the störe #1?", docs)) as opened:
        yield opened


def cited(store: Store, question: str) -> list[str]:
    """The documents that the keyword search would cite, best first."""
    passages = store.library.passages([chunk for chunk, _ in store.library.search(question, 30)])
    return [name for one in passages for name in (one.document, *one.also_in)]


def embedder_until_read(monkeypatch: pytest.MonkeyPatch, name: str, word: str = "") -> tuple[TextEmbedder, list[bool]]:
    """An embedder that waits for the reading of this file before it embeds texts with the word; whether it came."""
    embedder, reading, waited = TextEmbedder(), threading.Event(), list[bool]()
    embed, read = embedder.embed, indexing.read_document

    def patiently(texts: Any) -> Any:
        if any(word in text for text in texts):
            waited.append(reading.wait(timeout=20))
        return embed(texts)

    def noticed(file: File, **options: Any) -> Document:
        if file.name == name:
            reading.set()
        return read(file, **options)

    embedder.embed = patiently  # type: ignore[method-assign]
    monkeypatch.setattr(indexing, "read_document", noticed)
    return embedder, waited


# -- what a run does ---------------------------------------------------------------------------------


def test_a_first_run_adds_all_and_a_second_does_nothing(store: Store, docs: Path) -> None:
    embedder = TextEmbedder()
    changes = run(store, embedder)
    assert (changes.added, changes.replaced, changes.dropped) == (("a.txt", "sub/b.md"), (), ())
    assert changes.embedded == len(embedder.texts) == store.library.count_chunks()
    equals_folder(store, docs)
    generation = store.library.generation()
    again = run(store, embedder)
    assert not again
    assert again.embedded == 0
    assert len(embedder.texts) == changes.embedded
    assert store.library.generation() == generation
    with closing(Store(store.path, docs)) as other:
        assert not run(other, embedder)


def test_add_replace_delete_rename_copy_and_restore(store: Store, docs: Path) -> None:
    embedder = TextEmbedder()
    run(store, embedder)

    def changed(**wanted: Any) -> None:
        before = len(embedder.texts)
        changes = run(store, embedder)
        got = {what: getattr(changes, what) for what in ("added", "replaced", "dropped") if getattr(changes, what)}
        assert got == {name: value for name, value in wanted.items() if name != "embedded"}
        assert len(embedder.texts) - before == changes.embedded == wanted.get("embedded", 0)
        equals_folder(store, docs)

    fill(docs, {"c.txt": C})
    changed(added=("c.txt",), embedded=1)
    fill(docs, {"c.txt": C + "It was never insured.\n"})
    changed(replaced=("c.txt",), embedded=1)
    fill(docs, {"c.txt": C})
    changed(replaced=("c.txt",), embedded=1)  # its vectors had been deleted
    (docs / "c.txt").rename(docs / "sub" / "d.txt")
    changed(added=("sub/d.txt",), dropped=("c.txt",))
    fill(docs, {"e.txt": C})
    changed(added=("e.txt",))
    assert sorted(cited(store, "lighthouse")) == ["e.txt", "sub/d.txt"]
    (docs / "sub" / "d.txt").unlink()
    changed(dropped=("sub/d.txt",))
    assert cited(store, "lighthouse") == ["e.txt"]
    os.utime(docs / "e.txt")
    changed()
    os.utime(docs / "e.txt", (1, 1))
    changed()
    assert store.library.signatures()["e.txt"][1] == 10**9, "the touched time is not remembered"
    fill(docs, {"a.txt": B, "sub/b.md": A})  # another ending reads differently
    changed(replaced=("a.txt", "sub/b.md"), embedded=2)
    fill(docs, {"a.txt": C, "e.txt": B})
    changed(replaced=("a.txt", "e.txt"))
    for name in ("a.txt", "sub/b.md", "e.txt"):
        (docs / name).unlink()
    changed(dropped=("a.txt", "e.txt", "sub/b.md"))
    assert store.library.count_chunks() == store.vectors.count() == 0
    fill(docs, {"a.txt": A})
    changed(added=("a.txt",), embedded=1)


@pytest.mark.parametrize("flush", [256, 1])
def test_the_same_text_under_two_new_names_is_stored_and_embedded_once(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch, flush: int
) -> None:
    """Also where a thread embeds it while its twin is read."""
    store.limits = Limits(flush_chunks=flush)
    fill(docs, {"c1.txt": C, "c2.txt": C, "c3.txt": C})
    embedder, waited = embedder_until_read(monkeypatch, "c2.txt", "lighthouse")
    assert run(store, embedder).embedded == 3
    assert waited == [True]
    equals_folder(store, docs)
    assert cited(store, "lighthouse") == ["c1.txt", "c2.txt", "c3.txt"]


def test_random_changes_end_in_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "docs", 7)
    done: Counter[str] = Counter()
    with closing(Store(tmp_path / "store", folder.path)) as store:
        for _ in range(18):
            done[folder.change()] += 1
            run(store)
            equals_folder(store, folder.path)
    assert len(done) >= 6


def test_a_change_within_one_tick_of_the_clock_is_seen(store: Store, docs: Path) -> None:
    """Same size, same time, same inode: what a fresh file's signature does not tell."""
    run(store)
    info = (docs / "a.txt").stat()
    (docs / "a.txt").write_text(A.replace("1834", "1843"))
    os.utime(docs / "a.txt", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert (docs / "a.txt").stat().st_size == info.st_size
    assert run(store).replaced == ("a.txt",)
    equals_folder(store, docs)


@pytest.mark.parametrize("seconds", [0, -(10**9), 2**33, 9 * 10**9, 13 * 10**9])
def test_a_clock_that_jumps_hides_nothing(store: Store, docs: Path, seconds: int) -> None:
    os.utime(docs / "a.txt", (seconds, seconds))
    run(store)
    assert not run(store)
    fill(docs, {"a.txt": C})
    assert run(store).replaced == ("a.txt",)
    os.utime(docs / "a.txt", (seconds, seconds))
    assert not run(store)
    equals_folder(store, docs)


def test_a_file_that_goes_or_changes_while_it_is_indexed(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(docs, {"c.txt": C, "d.txt": "This one goes.\n"})
    run(store)
    fill(docs, {"a.txt": A * 2, "d.txt": "It goes now.\n", "e.txt": "So does this.\n", "f.txt": "First words.\n"})
    read = indexing.read_document

    def meanwhile(file: File, **limits: Any) -> Any:
        if file.name == "a.txt":
            (docs / "d.txt").unlink()
            (docs / "e.txt").unlink()
            fill(docs, {"f.txt": "Other words, and longer.\n"})
        return read(file, **limits)

    monkeypatch.setattr(indexing, "read_document", meanwhile)
    changes = run(store)
    assert [(one.path, one.reason) for one in changes.skipped] == [("d.txt", "is gone"), ("e.txt", "is gone")]
    assert cited(store, "goes") == []
    monkeypatch.undo()
    assert not run(store).replaced or True  # "f.txt" was read after it had changed, under its old signature
    equals_folder(store, docs)
    assert run(store).skipped == ()


def test_the_folder_is_listed_before_anything_is_touched(store: Store, docs: Path, tmp_path: Path) -> None:
    run(store)
    before = store.library.documents()
    docs.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(FolderError, match="folder"):
            run(store)
        docs.write_text("a file now") if not docs.exists() else None
    with pytest.raises(FolderError, match="--docs"):
        Store(store.path, docs)
    docs.unlink()
    assert store.library.documents() == before
    (tmp_path / "elsewhere").rename(docs)
    assert run(store).embedded == 0
    equals_folder(store, docs)


def test_a_folder_that_goes_amid_a_run_takes_no_document_along(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store)
    known = [one.path for one in store.library.documents()]
    for path in docs.glob("*.*"):
        path.write_text(f"{path.name} says something else now.")
    read = indexing.read_document

    def move(file: File, **options: Any) -> Document:
        if docs.exists():
            docs.rename(docs.with_name("away"))
        return read(file, **options)

    monkeypatch.setattr(indexing, "read_document", move)
    with pytest.raises(FolderError, match="does not exist any more"):
        run(store)
    assert [one.path for one in store.library.documents()] == known


def test_progress_is_told_and_may_stop_the_run(store: Store, docs: Path) -> None:
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(8)})
    told: list[tuple[int, int, int, str]] = []
    sync(store, TextEmbedder(), Config(data_dir=docs, threads=1), lambda *now: told.append(now))  # type: ignore[arg-type]
    assert told[0] == (0, 10, 0, "files")
    assert told[-1] == (10, 10, 10, "files")
    store.vectors.destroy()
    told.clear()
    sync(store, TextEmbedder(), Config(data_dir=docs, threads=1), lambda *now: told.append(now))  # type: ignore[arg-type]
    assert (10, 10, 10, "vectors") in told
    shutil.rmtree(docs / "sub")
    fill(docs, {f"{number}.txt": f"Another text, number {number}.\n" for number in range(8)})

    def stop(done: int, to_do: int, embedded: int, what: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(store, TextEmbedder(), Config(data_dir=docs, threads=1), stop)  # type: ignore[arg-type]
    published_is_complete(store)
    run(store)
    equals_folder(store, docs)


def test_a_large_document_is_flushed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path / "docs", 3)
    folder.write("large.txt", folder.text(2000))
    folder.write("small.txt", folder.text(8))
    sizes: list[int] = []
    embedder = TextEmbedder()
    embed = embedder.embed
    embedder.embed = lambda texts: sizes.append(len(texts)) or embed(texts)  # type: ignore[method-assign, func-returns-value]
    with closing(Store(tmp_path / "store", folder.path)) as store:
        assert run(store, embedder).embedded > 600
        assert max(sizes) == store.limits.flush_chunks
        equals_folder(store, folder.path)


def test_documents_are_read_while_others_are_embedded(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.limits = Limits(flush_chunks=1)
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(3)})
    embedder, waited = embedder_until_read(monkeypatch, "1.txt")
    assert {"0.txt", "1.txt", "2.txt"} <= set(run(store, embedder).added)
    assert waited
    assert all(waited)
    equals_folder(store, docs)


def test_a_batch_is_embedded_while_the_one_before_is_written(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.limits = Limits(flush_chunks=1)
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(4)})
    embedder, steps, embedded, waited = TextEmbedder(), list[str](), threading.Event(), list[bool]()
    embed, add, publish = embedder.embed, store.vectors.add, store.library.publish

    def embedding(texts: Any) -> Any:
        vectors = embed(texts)
        if "number 1" in texts[0]:
            embedded.set()
        return vectors

    def adding(ids: Any, vectors: Any) -> None:
        waited.append(embedded.wait(timeout=20))
        steps.append("vectors")
        add(ids, vectors)

    def publishing(content: int, file: File) -> None:
        steps.append("published")
        publish(content, file)

    embedder.embed = embedding  # type: ignore[method-assign]
    monkeypatch.setattr(store.vectors, "add", adding)
    monkeypatch.setattr(store.library, "publish", publishing)
    run(store, embedder)
    assert all(waited)
    assert steps == ["vectors", "published"] * 6, "nor are those of two batches written at a time"
    equals_folder(store, docs)


def test_what_fails_beside_the_reading_fails_the_run(store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.limits = Limits(flush_chunks=1)
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(3)})
    embedder = TextEmbedder()
    embed = embedder.embed

    def failing(texts: Any) -> Any:
        if "number 1" in texts[0]:
            raise StoreDamaged("the vectors are damaged")
        return embed(texts)

    embedder.embed = failing  # type: ignore[method-assign]
    with pytest.raises(StoreDamaged):
        run(store, embedder)
    published_is_complete(store)
    assert {one.path for one in store.library.documents()} <= {"0.txt"}
    assert not any("number 2" in text for text in embedder.texts), "embedded though the run had failed"
    run(store)
    equals_folder(store, docs)


def test_after_an_error_who_embeds_and_who_writes_come_to_rest(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.limits = Limits(flush_chunks=1)
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(3)})
    embedder, written = TextEmbedder(), list[str]()
    embedding, writing, failed = threading.Event(), threading.Event(), threading.Event()
    embed, add, read = embedder.embed, store.vectors.add, indexing.read_document

    def until_it_fails(begun: threading.Event) -> None:
        begun.set()
        assert failed.wait(timeout=20)
        time.sleep(0.1)  # time enough for the failure to be noted

    def embed_slowly(texts: Any) -> Any:
        if "number 1" in texts[0]:
            until_it_fails(embedding)
        return embed(texts)

    def write_slowly(ids: Any, vectors: Any) -> None:
        written.extend(ids)
        until_it_fails(writing)
        add(ids, vectors)

    def failing(file: File, **options: Any) -> Document:
        if file.name == "2.txt":
            assert embedding.wait(timeout=20)
            assert writing.wait(timeout=20)
            failed.set()
            raise KeyboardInterrupt
        return read(file, **options)

    embedder.embed = embed_slowly  # type: ignore[method-assign]
    with monkeypatch.context() as patched:
        patched.setattr(store.vectors, "add", write_slowly)
        patched.setattr(indexing, "read_document", failing)
        with pytest.raises(KeyboardInterrupt):
            run(store, embedder)
        assert not [one.name for one in threading.enumerate() if one.name.startswith("indexing")]
    assert len(written) == 1
    assert store.library.documents() == []
    run(store)
    equals_folder(store, docs)


def test_after_an_error_nothing_more_is_embedded_or_published(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading fails while a thread embeds the first of many pieces: it ends with that one."""
    store.limits = Limits(flush_chunks=2)
    text = Folder(docs.parent / "other", 4).text(60)
    fill(docs, {"0.txt": text, "1.txt": "Text number 1.\n"})
    embedder, begun, failed, read = TextEmbedder(), threading.Event(), threading.Event(), indexing.read_document
    embed, pieces = embedder.embed, list[int]()

    def slowly(texts: Any) -> Any:
        pieces.append(len(texts))
        begun.set()
        assert failed.wait(timeout=20)
        time.sleep(0.1)  # time enough for the failure to be noted
        return embed(texts)

    def failing(file: File, **options: Any) -> Document:
        if file.name == "1.txt":
            assert begun.wait(timeout=20)
            failed.set()
            raise KeyboardInterrupt
        return read(file, **options)

    embedder.embed = slowly  # type: ignore[method-assign]
    monkeypatch.setattr(indexing, "read_document", failing)
    with pytest.raises(KeyboardInterrupt):
        run(store, embedder)
    assert pieces == [2]
    assert store.library.documents() == []
    assert not [one.name for one in threading.enumerate() if one.name.startswith("indexing")]
    monkeypatch.setattr(indexing, "read_document", read)
    run(store)
    equals_folder(store, docs)


def test_interrupted_again_and_again_it_keeps_the_lock_until_the_thread_rests(
    store: Store, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.limits = Limits(flush_chunks=1)
    fill(docs, {"0.txt": "Text number 0.\n", "1.txt": "Text number 1.\n"})
    embedder, begun, release, waits = TextEmbedder(), threading.Event(), threading.Event(), list[bool]()
    embed, read, wait = embedder.embed, indexing.read_document, batches.wait

    def slowly(texts: Any) -> Any:
        begun.set()
        assert release.wait(timeout=20)
        return embed(texts)

    def failing(file: File, **options: Any) -> Document:
        if file.name == "1.txt":
            assert begun.wait(timeout=20)
            raise KeyboardInterrupt
        return read(file, **options)

    with closing(Store(store.path, docs)) as other:

        def interrupted(running: Any) -> Any:
            waits.append(True)
            with pytest.raises(StoreBusy), other.writing():
                pass
            if len(waits) < 3:
                raise KeyboardInterrupt
            release.set()
            return wait(running)

        embedder.embed = slowly  # type: ignore[method-assign]
        monkeypatch.setattr(indexing, "read_document", failing)
        monkeypatch.setattr(batches, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(store, embedder)
        with other.writing():
            assert not [one.name for one in threading.enumerate() if one.name.startswith("indexing")]
    assert len(waits) == 3
    monkeypatch.setattr(indexing, "read_document", read)
    run(store)
    equals_folder(store, docs)


def test_threads_that_write_wait_for_each_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long: SQLite itself gives up after some time, here a short one, and names another program."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **options | {"timeout": 0.02}))
    began, end = threading.Event(), threading.Event()

    def write_long() -> None:
        with store.library.write():
            began.set()
            end.wait(timeout=20)

    with ThreadPoolExecutor(2) as threads:
        long = threads.submit(write_long)
        assert began.wait(timeout=20)
        other = threads.submit(store.library.set_meta, "name", "value")
        time.sleep(0.2)
        assert not other.done()
        assert store.library.meta("name") is None
        end.set()
        long.result()
        other.result()
    assert store.library.meta("name") == "value"


def test_a_heading_that_becomes_a_paragraph_is_noticed(store: Store, docs: Path) -> None:
    fill(docs, {"page.html": "<h1>Ports</h1><p>The pier was sold.</p>"})
    run(store)
    fill(docs, {"page.html": "<title>Ports</title><p>Ports</p><p>The pier was sold.</p>"})
    assert run(store).replaced == ("page.html",)
    content = store.library.passages(store.library.chunk_ids(["page.html"]))[0].content
    assert store.library.heading(content, len("Ports") + 1) is None


def test_a_title_that_utf_8_cannot_spell_stops_no_run(store: Store, docs: Path) -> None:
    fill(docs, {"odd.md": '---\ntitle: "half \\ud800 a sign"\n---\nThe quarry was closed.\n'})
    run(store)
    assert cited(store, "quarry") == ["odd.md"]
    assert {one.path: one.title for one in store.library.documents()}["odd.md"] == "half ? a sign"
    assert run(store).embedded == 0


# -- stopped anywhere --------------------------------------------------------------------------------


class Stop(BaseException):
    """The run ends here."""


def stopped_at(store: Store, wanted: int, embedder: Any) -> str | None:
    """Run, and end before the step with this number; which step that was, None where there is none such."""
    step, counting = -1, threading.Lock()
    at: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal step
            with counting:
                step += 1
                now = step
            if now >= wanted:  # and all later ones, in whatever thread
                at.append(name)
                raise Stop
            return function(*args, **kwargs)

        return call

    for part, names in STEPS.items():
        for name in names:
            setattr(getattr(store, part), name, counted(name, getattr(getattr(store, part), name)))
    embed = embedder.embed
    embedder.embed = counted("embed", embed)
    with suppress(Stop):
        run(store, embedder)
    embedder.embed = embed
    return at[0] if at else None


@pytest.fixture
def changing(tmp_path: Path) -> tuple[Path, Path]:
    """(documents, store) where a run has all kinds of things to do, in several flushes of FEW."""
    folder = Folder(tmp_path / "docs", 11)
    for number in range(6):
        folder.write(f"{number}.txt", folder.text(12))
    with closing(Store(tmp_path / "store", folder.path, limits=FEW)) as store:
        run(store)
    (folder.path / "0.txt").rename(folder.path / "renamed.txt")
    (folder.path / "1.txt").unlink()
    folder.write("2.txt", folder.text(12))
    folder.write("new.txt", folder.text(12))
    folder.write("copy.txt", (folder.path / "new.txt").read_bytes())
    os.utime(folder.path / "4.txt", (1, 1))
    return folder.path, tmp_path / "store"


def test_stopped_before_each_step_nothing_is_lost(
    changing: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    docs, base = changing
    seen: set[str] = set()
    for number in range(1000):
        place = tmp_path / "copy"
        shutil.copytree(base, place)
        with closing(Store(place, docs, limits=FEW)) as store:
            name = stopped_at(store, number, TextEmbedder())
        if name is None:
            break
        if name not in seen or number % 6 == 0:
            seen.add(name)
            with closing(Store(place, docs, limits=FEW)) as store:
                published_is_complete(store)
                run(store)
                equals_folder(store, docs)
                assert run(store).embedded == 0
        shutil.rmtree(place)
    assert number > 20
    assert "repaired" not in caplog.text, "an order of writes that the next run must not only finish but mend"
    every = {"embed", *(name for names in STEPS.values() for name in names)}
    assert seen == every - {"missing", "destroy", "set_skipped"}


@pytest.mark.parametrize("wrong", ["publish before vectors", "forget before delete", "purge before publish"])
def test_a_wrong_order_of_writes_would_be_seen(
    changing: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Planted: the laws above fail for an order that loses something."""
    docs, base = changing
    add, purge = Vectors.add, Library.purge
    held_back: list[Any] = []
    if wrong == "publish before vectors":

        def written_late(self: Library) -> list[str]:
            while held_back:
                add(*held_back.pop())
            return purge(self)

        monkeypatch.setattr(Vectors, "add", lambda *given: held_back.append(given))
        monkeypatch.setattr(Library, "purge", written_late)
    elif wrong == "forget before delete":
        monkeypatch.setattr(Library, "purge", lambda self: (ids := purge(self)) and (self.forget_doomed(ids), ids)[1])
    else:
        monkeypatch.setattr(Vectors, "add", lambda self, ids, block: add(self, ids[1:], block[1:]))

    def laws() -> None:
        for number in range(16, 60):
            held_back.clear()
            shutil.copytree(base, tmp_path / "copy")
            with closing(Store(tmp_path / "copy", docs, limits=FEW)) as store:
                stopped_at(store, number, TextEmbedder())
            with closing(Store(tmp_path / "copy", docs, limits=FEW)) as store:
                published_is_complete(store)
                doomed = set(store.library.purge())
                ids = set(stored_vectors(store.path))
                with store.library.read() as db:
                    known = {row[0] for row in db.execute("SELECT chunk FROM chunks")}
                assert ids <= known | doomed, "vectors that no run will delete"
            shutil.rmtree(tmp_path / "copy")

    with pytest.raises(AssertionError):
        laws()


def test_what_an_interrupted_run_has_embedded_is_not_embedded_again(store: Store, docs: Path) -> None:
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(20)})
    embedder = TextEmbedder()
    publish = store.library.publish
    store.library.publish = lambda *_: (_ for _ in ()).throw(Stop)  # type: ignore[method-assign]
    with pytest.raises(Stop):
        run(store, embedder)
    store.library.publish = publish  # type: ignore[method-assign]
    assert len(embedder.texts) == 22
    assert store.library.documents() == []
    assert run(store, embedder).embedded == 0
    equals_folder(store, docs)


def test_doomed_vectors_of_a_text_that_comes_back_are_kept(
    store: Store, docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(store)
    (docs / "a.txt").rename(docs.parent / "a.txt")
    delete = store.vectors.delete
    store.vectors.delete = lambda *_: (_ for _ in ()).throw(Stop)  # type: ignore[method-assign]
    with pytest.raises(Stop):
        run(store)
    store.vectors.delete = delete  # type: ignore[method-assign]
    assert cited(store, "harbour") == []
    assert store.vectors.count() == 2, "not stopped between purge and deletion"
    (docs.parent / "a.txt").rename(docs / "a.txt")
    run(store)
    equals_folder(store, docs)
    assert cited(store, "harbour") == ["a.txt"]
    assert "repaired" not in caplog.text


# -- vectors are derived -----------------------------------------------------------------------------


@pytest.fixture
def seeds_store(seeds: Assistant, tmp_path: Path) -> Path:
    """A copy of the store of the seeds, indexed with the real weights."""
    return Path(shutil.copytree(seeds.store.path, tmp_path / "seeds"))


@pytest.fixture(scope="module")
def whole(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Over three short files, indexed with the real weights."""
    base = tmp_path_factory.mktemp("whole")
    files = {"a.txt": A, "sub/b.md": B, "c.txt": C * 40}
    with closing(Assistant.open(fill(base / "docs", files), store=base / "store", config=config)) as opened:
        yield opened


def test_vectors_thrown_away_are_rebuilt_identically(seeds: Assistant, seeds_store: Path, config: Config) -> None:
    questions = ["How many people came home in 2024?", "who is oleksandr kononenko"]
    wanted = [seeds.search(question) for question in questions]
    vectors = stored_vectors(seeds_store)
    assert len(vectors) > 20
    for throw_away in (
        lambda: shutil.rmtree(seeds_store / "vectors"),
        lambda: [path.unlink() for path in seeds_store.glob("vectors.*")],
        lambda: (seeds_store / "vectors" / "chroma.sqlite3").write_bytes(b""),
        lambda: (seeds_store / "vectors" / "chroma.sqlite3").write_bytes(b"x" * 9999),
    ):
        throw_away()
        with closing(Assistant.open(seeds.store.docs, store=seeds_store, config=config)) as again:
            assert [again.search(question) for question in questions] == wanted
        rebuilt = stored_vectors(seeds_store)
        assert rebuilt.keys() == vectors.keys()
        assert all(np.array_equal(rebuilt[one], vectors[one]) for one in vectors)


@pytest.mark.parametrize(
    "how", ["some lost", "some left over", "all lost", "the folder lost", "one for another", "torn"]
)
def test_a_run_repairs_vectors(tmp_path: Path, docs: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path / "store", docs, limits=OFTEN)
    fill(docs, {f"{number}.txt": f"Text number {number}.\n" for number in range(40)})
    run(store)
    ids = store.library.chunk_ids()
    if how in ("some lost", "one for another"):
        store.vectors.delete(ids[3:7])
    if how in ("some left over", "one for another"):
        store.vectors.add(["left-0-1", "over-1-2", "and-2-3", "under-3-4"], TextEmbedder().embed(["a", "b", "c", "d"]))
    if how == "all lost":
        store.vectors.destroy()
    if how in ("the folder lost", "torn"):
        store.vectors.close()
        shutil.rmtree(store.path / "vectors") if how == "the folder lost" else [
            path.unlink() for path in (store.path / "vectors").glob("*/*.pickle")
        ]
    with closing(Store(store.path, docs)) as reader:
        if how != "one for another":  # equal in number: for `qa check`
            run(store)
            assert "vectors" in caplog.text
            equals_folder(store, docs)
        else:
            report = check_store(store.path, docs, Config(data_dir=docs, threads=1))
            assert report.repaired
            assert sorted(stored_vectors(store.path)) == sorted(ids)
        assert reader.vectors.missing(ids) == []
        assert reader.vectors.count() == len(ids)
    store.close()


# -- check -------------------------------------------------------------------------------------------


def damage_library(place: Path) -> None:
    import sqlite3

    db = sqlite3.connect(place / "library.sqlite")
    db.execute("UPDATE contents SET text = replace(text, 'e', 'a') WHERE id = 1")
    db.commit()
    db.close()


def wrong_vectors(place: Path) -> None:
    with closing(Vectors(place / "vectors")) as vectors:
        ids = vectors.all_ids()
        vectors.add(ids, TextEmbedder().embed(ids))


CHECKED: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda place: None,
    "a text": damage_library,
    "vectors of other weights": wrong_vectors,
    "no vectors": lambda place: shutil.rmtree(place / "vectors"),
    "garbage for vectors": lambda place: (place / "vectors" / "chroma.sqlite3").write_bytes(b"x" * 5000),
    "torn vectors": lambda place: (place / "vectors.state").write_text("00000000000000000009 torn\n"),
    "an empty library": lambda place: (place / "library.sqlite").write_bytes(b""),
    "garbage for a library": lambda place: (place / "library.sqlite").write_bytes(os.urandom(9000)),
    "half a library": lambda place: os.truncate(place / "library.sqlite", 8192),
    "no library": lambda place: (place / "library.sqlite").unlink(),
    "only a lock": lambda place: [
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in place.iterdir()
        if path.name != "writer.lock"
    ],
}


@pytest.mark.parametrize("what", CHECKED)
def test_check_repairs_all_that_can_be_derived(whole: Assistant, tmp_path: Path, config: Config, what: str) -> None:
    """And before it, an ordinary start repairs it too or is one line that says to check."""
    docs = whole.store.docs
    place = Path(shutil.copytree(whole.store.path, tmp_path / "store"))
    wanted = stored_vectors(place)
    CHECKED[what](place)
    copy = Path(shutil.copytree(place, tmp_path / "copy"))
    said = "run `qa check`"
    try:
        with closing(Assistant.open(docs, store=copy, config=config)) as assistant:
            every_promise(assistant.ask("When was the harbour rebuilt?"), docs)
    except StoreError as error:
        said = str(error)
    assert "run `qa check`" in said
    assert "\n" not in said
    report = check_store(place, docs, config)
    assert bool(report.repaired) == (what != "nothing"), report
    assert all("\n" not in line for line in report.repaired)
    assert (report.documents, report.chunks) == (len(whole.documents()), len(wanted))
    with closing(Store(place, docs)) as store:
        store.library.verify()
        assert store.library.fingerprint() == whole.store.library.fingerprint()
    rebuilt = stored_vectors(place)
    assert rebuilt.keys() == wanted.keys()
    assert all(np.array_equal(rebuilt[one], wanted[one]) for one in wanted)
    assert check_store(place, docs, config).repaired == ()


def test_check_reads_files_that_pretend_not_to_have_changed(tmp_path: Path, config: Config) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": A, "b.txt": B})
    os.utime(docs / "a.txt", (10**9, 10**9))
    check_store(tmp_path / "store", docs, config)
    (docs / "a.txt").write_text(A.replace("1834", "1843"))
    os.utime(docs / "a.txt", (10**9, 10**9))
    with closing(Store(tmp_path / "store", docs)) as store:
        assert not run(store), "size, time and inode are the same"
    assert check_store(tmp_path / "store", docs, config).repaired == ("a.txt was replaced to match the folder.",)


def test_check_closes_what_others_may_read_and_names_what_it_cannot_mend(tmp_path: Path, config: Config) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": A})
    place = tmp_path / "store"
    with closing(Assistant(Store(place, docs), config, Trusting())) as assistant:
        assistant.add_upload("b.txt", B.encode(), owner="0" * 32)
        talk = Conversations(place / "conversations")
        kept = talk.add("0" * 32, None, assistant.ask(""))
        broken = talk.add("1" * 32, None, assistant.ask(""))
    assert check_store(place, docs, config).repaired == ()
    os.chmod(place, 0o755)
    os.chmod(place / "uploads" / "b.txt", 0o644)
    old, young = (place / "conversations" / ("0" * 32) / f"{name}.partial" for name in ("old", "young"))
    for partial in (old, young):
        partial.touch(mode=0o600)
    os.utime(old, (1, 1))
    (place / "uploads" / "b.txt").rename(place / "uploads" / "c.txt")
    (place / "conversations" / ("1" * 32) / f"{broken.id}.json").write_text('{"id": "half')
    report = check_store(place, docs, config)
    assert set(report.repaired) == {
        "store was open to others.",
        "c.txt was open to others.",
        "old.partial was left half written.",
        "b.txt had an uploader, but is gone.",
        "uploads/b.txt was dropped to match the folder.",
        "uploads/c.txt was added to match the folder.",
    }
    assert report.unreadable == (f"conversations/{'1' * 32}/{broken.id}.json",)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place, place / "uploads" / "c.txt")] == [0o700, 0o600]
    assert talk.get("0" * 32, kept.id) == kept
    assert young.exists(), "a chat may be at it"
    assert check_store(place, docs, config).repaired == ()


# -- processes ---------------------------------------------------------------------------------------


def index_slowly(place: Path, docs: Path, report: Any) -> None:
    embedder = TextEmbedder()
    embed = embedder.embed

    def slowly(texts: Any) -> Any:
        time.sleep(0.1)
        return embed(texts)

    embedder.embed = slowly  # type: ignore[method-assign]
    with closing(Store(place, docs, limits=OFTEN)) as store:
        report.send("opened")
        run(store, embedder)
        report.send("first run")
        for name in sorted(os.listdir(docs))[:10]:
            (docs / name).unlink()
        fill(docs, {f"later-{number}.txt": f"Something later, number {number}.\n" for number in range(40)})
        sync(store, embedder, Config(data_dir=place, threads=1), wait_s=60)  # type: ignore[arg-type]  # who asks may have come first
    report.send("second run")


def test_one_asks_while_another_indexes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "docs", 5)
    for number in range(30):
        folder.write(f"{number:02}.txt", folder.text(12))
    place = tmp_path / "store"
    texts = {name: file_text(folder.path / name) for name in folder.names()}  # none changes, some go and others come
    questions = {name: text[:70] for name, text in texts.items()}
    child = Child(index_slowly, place, folder.path)
    assert child.next() == "opened"
    counts, answered, said, rng = set(), 0, ["opened"], random.Random(1)
    config = Config(data_dir=tmp_path, threads=1)
    with closing(Store(place, folder.path)) as store:
        assistant = Assistant(store, config, Trusting(), embedder=TextEmbedder())
        with pytest.raises(StoreBusy, match="another process is indexing") as caught:
            run(store)
        assert "\n" not in str(caught.value)
        while "second run" not in said:
            if child.reading.poll(0):
                said.append(child.next())
            name = rng.choice(list(questions))
            before = set(os.listdir(folder.path))
            answer = assistant.ask(f"What happened {questions[name]}?")
            typed_result(answer)
            right_place(answer)
            for quote in quotes_of(answer):
                came = quote.document.startswith("later-")  # perhaps since then
                assert came or quote.document in before, "it was gone before the question was asked"
                exact_slice(quote, texts.get(quote.document) or file_text(folder.path / quote.document))
            answered += answer.status == "answered"
            generation = store.library.generation()
            counts.add(len(store.library.documents()))
            assert store.library.generation() >= generation
        assert len(counts) > 3, "the reader never saw a run in progress"
        assert answered > 5
        answer = assistant.ask("What was something later, number 33?")
        assert any(quote.document.startswith("later-") for quote in quotes_of(answer))
        every_promise(answer, folder.path)
        run(store)
        equals_folder(store, folder.path)
    child.said()


def open_and_count(place: Path, docs: Path, report: Any) -> None:
    try:
        with closing(Store(place, docs, limits=OFTEN)) as store:
            try:
                run(store)
            except StoreBusy:
                report.send("busy")
            report.send("fine")
    except BaseException as error:
        report.send(f"{type(error).__name__}: {error}")


def test_all_start_at_once(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": A, "b.txt": B, "c.txt": C})
    children = [Child(open_and_count, tmp_path / "store", docs) for _ in range(6)]
    assert [child.said()[-1] for child in children] == ["fine"] * 6
    with closing(Store(tmp_path / "store", docs)) as store:
        run(store)
        equals_folder(store, docs)


def test_two_assistants_of_one_process_see_each_others_runs(open_folder: Callable[..., Assistant]) -> None:
    first, second = open_folder({"a.txt": A}), open_folder()
    assert first.search("harbour")
    assert second.search("harbour")
    fill(first.store.docs, {"b.txt": B})
    first.refresh()
    assert "b.txt" in [hit.passage.document for hit in second.search("ferry captain")]
    (first.store.docs / "a.txt").unlink()
    second.refresh()
    assert "a.txt" not in [hit.passage.document for hit in first.search("harbour")]
    for answer in (first.ask("Who was captain of the ferry?"), second.ask("What was the captain called?")):
        every_promise(answer, first.store.docs)
