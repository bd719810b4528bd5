"""The laws of the ports in `qa.store.ports`, as functions that take an implementation.

A second implementation is held against them by calling `holds` (see `tests/test_ports.py`). Each law gets an empty one.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa.chunks import split_document, split_sentences
from qa.embed import token_ends
from qa.errors import DocumentError, QAError, StoreBusy
from qa.folder import File
from qa.formats import read_plain
from qa.indexing.batches import content_key
from qa.schema import Document, Skipped
from qa.store.ports import Conversations, TextStore, Uploads, VectorStore, WriterLock
from qa.text import text_sha256
from tests.answers import answered, refused
from tests.stores import TextEmbedder

HARBOUR = "The harbour was rebuilt in 1834. The bridge was sold.\n\nA ferry crossed the river.\n"
LIGHTHOUSE = "Nothing is known about the lighthouse. It burned twice.\n"
SIGNATURE = (1, 2, 3)


def file(name: str, signature: tuple[int, int, int] = SIGNATURE) -> File:
    """A file that is never opened."""
    return File(Path(name), name, signature)


def pend(store: TextStore, text: str, title: str = "") -> int:
    """Store a text without publishing it; its id."""
    extract = read_plain(text)
    document = Document("x.txt", text, text_sha256(text), title, None, None, "utf-8", extract.blocks)
    key, sentences = content_key(document, ".txt"), split_sentences(document)
    return store.add_pending(key, document, sentences, split_document(text, sentences, token_ends, key=key))


def publish(store: TextStore, name: str, text: str, title: str = "") -> int:
    """Store and publish a text; its id."""
    content = pend(store, text, title)
    store.publish(content, file(name))
    return content


# -- TextStore ---------------------------------------------------------------------------------------


def pending_is_found_by_nobody(store: TextStore) -> None:
    content = pend(store, HARBOUR)
    assert store.chunks_of(content)
    assert store.count_chunks() == 0
    assert (list(store.chunk_ids()), list(store.search("harbour", 9)), list(store.documents())) == ([], [], [])
    assert not store.passages([chunk.id for chunk in store.chunks_of(content)])
    generation = store.generation()
    store.publish(content, file("a.txt"))
    assert store.generation() > generation
    assert store.count_chunks() == len(store.chunk_ids()) == len(store.chunks_of(content)) > 0


def passages_are_slices_of_the_text(store: TextStore) -> None:
    for name, text in (("a.txt", HARBOUR), ("b.txt", LIGHTHOUSE)):
        content = publish(store, name, text)
        assert store.text(content) == store.text_of(name) == text
    assert store.text_of("no.txt") is None
    for passage in store.passages(store.chunk_ids()):
        text = store.text(passage.content)
        assert text[passage.start : passage.end] == passage.text
        assert passage.sha256 == text_sha256(text)
        assert all(sentence.start < passage.end and sentence.end > passage.start for sentence in passage.sentences)
    backwards = list(reversed(store.chunk_ids()))
    assert [passage.chunk for passage in store.passages(["no", *backwards])] == backwards
    places = store.places(["no", *backwards])
    assert places == {one.chunk: (one.document, one.start) for one in store.passages(backwards)}
    assert store.places(backwards, []) == {}


def words_find_what_has_them_and_the_filter_holds(store: TextStore) -> None:
    publish(store, "a.txt", HARBOUR)
    publish(store, "b.txt", LIGHTHOUSE)
    found = store.passages([chunk for chunk, _ in store.search("Who burned the lighthouse?", 9)])
    assert found[0].document == "b.txt"
    assert list(store.search("the lighthouse", 9, ["a.txt"])) == []
    assert list(store.search('" OR * NEAR(', 9)) == []
    scores = [score for _, score in store.search("harbour lighthouse", 9)]
    assert scores == sorted(scores, reverse=True)
    for documents in ([], ["no.txt"], ["a.txt"], ["a.txt", "b.txt"]):
        ids = store.chunk_ids(documents)
        assert store.count_chunks(documents) == len(ids)
        assert {passage.document for passage in store.passages(store.chunk_ids(), documents)} == {
            name for name in documents if name != "no.txt"
        }


def a_text_of_two_files_is_stored_once(store: TextStore) -> None:
    content = publish(store, "b.txt", HARBOUR)
    store.publish(content, file("a.txt"))
    (passage, *_) = store.passages(store.chunk_ids())
    assert (passage.document, passage.also_in) == ("a.txt", ("b.txt",))
    store.drop(["a.txt"])
    assert not store.purge()
    assert store.passages(store.chunk_ids())[0].document == "b.txt"


def what_no_document_has_is_purged(store: TextStore) -> None:
    content = publish(store, "a.txt", HARBOUR)
    ids = [chunk.id for chunk in store.chunks_of(content)]
    store.publish(pend(store, LIGHTHOUSE), file("a.txt"))
    assert not set(ids) & set(store.chunk_ids()), "a replaced text is cited no more"
    assert sorted(store.purge()) == sorted(ids)
    assert sorted(store.purge()) == sorted(ids), "until their vectors are deleted"
    store.forget_doomed(ids)
    assert not store.purge()
    with pytest.raises(QAError):
        store.text(content)
    store.drop(["a.txt"])
    assert list(store.search("lighthouse", 9)) == []


def records_of_files_are_kept(store: TextStore) -> None:
    content = publish(store, "a.txt", HARBOUR)
    assert store.signatures() == {"a.txt": SIGNATURE}
    large = (2**63 + 1, 2**64, 2**64)
    assert store.resign(file("a.txt", (1, *large[1:])), content)
    assert store.known(["a.txt", "no.txt"]) == {"a.txt": (text_sha256(HARBOUR), (1, *large[1:]))}
    assert not store.resign(file("no.txt"), content)
    skipped = [Skipped(path="annual report.odt", reason="is not supported"), Skipped(path="z.bin", reason="no")]
    store.set_skipped(skipped)
    assert store.skipped() == skipped
    assert store.skipped_about("What does the Annual-Report say?", []) == (skipped[:1], 2)
    assert store.skipped_about("Who?", ["z.bin"]) == (skipped[1:], 2)
    assert store.skipped_about("Who?", ["a.txt"]) == ([], 2)


def facts_and_fingerprint_follow_the_store(store: TextStore) -> None:
    empty = store.fingerprint()
    store.set_meta("folder", "x")
    assert (store.meta("folder"), store.meta("no")) == ("x", None)
    publish(store, "a.txt", HARBOUR)
    filled = store.fingerprint()
    store.drop(["a.txt"])
    assert len({empty, filled}) == 2
    assert store.fingerprint() == empty


def files_are_marked_to_be_read_again(store: TextStore) -> None:
    content = publish(store, "a.txt", HARBOUR)
    store.publish(content, file("b.md"))
    before = store.fingerprint()
    assert store.adopt({"cutting": "9"}, reread=[".md"]) == 1
    assert store.fingerprint() != before
    assert store.facts()["cutting"] == "9"
    assert set(store.to_read_again()) == {"b.md"}
    store.publish(pend(store, LIGHTHOUSE), file("b.md"))
    assert not store.to_read_again()
    assert store.was_read_as("b.md", text_sha256(HARBOUR))
    assert not store.was_read_as("a.txt", text_sha256(HARBOUR))
    assert set(store.embedded_texts("b.md").values()) == set(store.chunk_ids(["b.md"]))


# -- VectorStore -------------------------------------------------------------------------------------

IDS = [f"key-{number}-{number + 1}" for number in range(40)]


def of(ids: Sequence[str]) -> np.ndarray:
    return TextEmbedder().embed(ids)


def vectors_come_back(store: VectorStore) -> None:
    assert (store.count(), list(store.all_ids()), list(store.missing(IDS[:2]))) == (0, [], IDS[:2])
    store.add(IDS, of(IDS))
    store.add(IDS[:1], of(["other"]))
    assert store.count() == len(IDS)
    assert np.allclose(store.get(["no", IDS[0]])[IDS[0]], of(["other"])[0], atol=1e-6)
    assert list(store.get(["no"])) == []
    store.delete([*IDS[:10], "no"])
    assert sorted(store.all_ids()) == sorted(IDS[10:])
    assert list(store.missing(IDS[8:12])) == IDS[8:10]
    assert store.are_sound()
    store.destroy()
    assert store.count() == 0


def the_nearest_are_first(store: VectorStore) -> None:
    store.add(IDS, of(IDS))
    query = of(IDS[5:6])[0]
    for found in (store.nearest(query, 3), store.exact(query, IDS, 3)):
        assert found[0][0] == IDS[5]
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
        assert found[0][1] == pytest.approx(1, abs=1e-4)
        assert len(found) == 3
    assert [chunk for chunk, _ in store.exact(query, [*IDS[6:9], "no"], 9)] != []
    assert IDS[5] not in dict(store.exact(query, IDS[6:9], 9))


# -- WriterLock --------------------------------------------------------------------------------------


def one_writes_at_a_time(first: WriterLock, second: WriterLock) -> None:
    with first.writing():
        with pytest.raises(StoreBusy), second.writing():
            pass
        with first.writing():
            pass
        with pytest.raises(StoreBusy), second.writing():
            pass
    with second.writing():
        pass


def it_is_waited_for(first: WriterLock, second: WriterLock) -> None:
    began, order = threading.Event(), list[str]()

    def write() -> None:
        with first.writing():
            began.set()
            end.wait(timeout=20)
            order.append("first")

    end = threading.Event()
    thread = threading.Thread(target=write)
    thread.start()
    assert began.wait(timeout=20)
    threading.Timer(0.1, end.set).start()
    with second.writing(wait_s=20):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    with pytest.raises(ValueError, match="mine"), first.writing():
        raise ValueError("mine")
    with second.writing():
        pass


# -- Uploads -----------------------------------------------------------------------------------------

Texts = Callable[[], dict[str, bytes]]
"""What is kept: document path → bytes."""


def uploads_are_kept_until_a_person_deletes_them(store: Uploads, kept: Texts) -> None:
    with store.putting("../a note.txt", b"It was sold.", max_file_mb=1) as path:
        pass
    assert path.startswith("uploads/")
    assert "/" not in path.removeprefix("uploads/")
    assert kept() == {path: b"It was sold."}
    with store.putting("../a note.txt", b"It was bought.", max_file_mb=1) as again:
        pass
    assert kept() == {again: b"It was bought."}
    with pytest.raises(KeyError), store.putting("../a note.txt", b"It was lost.", max_file_mb=1):
        raise KeyError
    assert kept() == {path: b"It was bought."}, "what was there is back"
    for name, data in (("a.exe", b"x"), ("b.txt", b""), ("c.txt", b"x" * 3000)):
        with pytest.raises(DocumentError), store.putting(name, data, max_file_mb=0.001):
            pass
    assert list(kept()) == [path]
    for other in ("uploads/no.txt", "a note.txt", "uploads/../x"):
        with pytest.raises(DocumentError):
            store.remove(other)
    store.remove(path)
    assert kept() == {}


def uploads_of_another_owner_are_left_alone(store: Uploads, kept: Texts) -> None:
    with store.putting("a.txt", b"It was sold.", max_file_mb=1, owner="ada") as path:
        pass
    for owner in ("bob", ""):
        with pytest.raises(DocumentError), store.putting("a.txt", b"Mine.", max_file_mb=1, owner=owner):
            pass
        with pytest.raises(DocumentError):
            store.remove(path, owner=owner)
    assert kept() == {path: b"It was sold."}
    assert list(store.forget_gone()) == []
    store.remove(path, owner="ada")
    assert kept() == {}


# -- Conversations -----------------------------------------------------------------------------------

ADA, BOB = "a" * 32, "b" * 32


def conversations_are_kept_whole(store: Conversations) -> None:
    one = store.add(ADA, None, answered())
    store.add(ADA, one.id, refused())
    assert [exchange.answer for exchange in store.get(ADA, one.id).exchanges] == [answered(), refused()]
    store.rate(ADA, one.id, 0, "up")
    store.comment(ADA, one.id, 0, "good")
    store.replace_last(ADA, one.id, answered(), turns=2)
    store.rename(ADA, one.id, "Hours")
    kept = store.get(ADA, one.id)
    assert (kept.title, kept.exchanges[0].rating, kept.exchanges[0].comment) == ("Hours", "up", "good")
    assert [exchange.answer for exchange in kept.exchanges] == [answered(), answered()]
    with pytest.raises(QAError):
        store.replace_last(ADA, one.id, refused(), turns=9)
    with pytest.raises(QAError):
        store.rate(ADA, one.id, 2, "up")
    assert store.get(ADA, one.id) == kept
    store.delete(ADA, one.id)
    with pytest.raises(QAError):
        store.get(ADA, one.id)


def nobody_reaches_anothers_conversations(store: Conversations) -> None:
    one = store.add(ADA, None, answered())
    attempts: list[Callable[[], Any]] = [
        lambda: store.get(BOB, one.id),
        lambda: store.add(BOB, one.id, refused()),
        lambda: store.rename(BOB, one.id, "mine"),
        lambda: store.rate(BOB, one.id, 0, "up"),
        lambda: store.comment(BOB, one.id, 0, "mine"),
        lambda: store.delete(BOB, one.id),
        lambda: store.get(ADA, "../" + one.id),
    ]
    for attempt in attempts:
        with pytest.raises(QAError):
            attempt()
    assert (list(store.summaries(BOB)), list(store.all_of(BOB))) == ([], [])
    assert list(store.all_of(ADA)) == [one]


def the_list_is_newest_first_and_searched(store: Conversations) -> None:
    first = store.add(ADA, None, answered())
    second = store.add(ADA, None, refused())
    store.add(ADA, first.id, refused())
    assert [(line.id, line.turns) for line in store.summaries(ADA)] == [(first.id, 2), (second.id, 1)]
    assert [line.id for line in store.summaries(ADA, max_count=1)] == [first.id]
    assert [line.id for line in store.summaries(ADA, "POOL nine")] == [first.id]
    assert [kept.id for kept in store.all_of(ADA)] == [first.id, second.id]


LAWS: dict[type, tuple[Callable[..., None], ...]] = {
    TextStore: (
        pending_is_found_by_nobody,
        passages_are_slices_of_the_text,
        words_find_what_has_them_and_the_filter_holds,
        a_text_of_two_files_is_stored_once,
        what_no_document_has_is_purged,
        records_of_files_are_kept,
        facts_and_fingerprint_follow_the_store,
        files_are_marked_to_be_read_again,
    ),
    VectorStore: (vectors_come_back, the_nearest_are_first),
    WriterLock: (one_writes_at_a_time, it_is_waited_for),
    Uploads: (uploads_are_kept_until_a_person_deletes_them, uploads_of_another_owner_are_left_alone),
    Conversations: (
        conversations_are_kept_whole,
        nobody_reaches_anothers_conversations,
        the_list_is_newest_first_and_searched,
    ),
}


def holds(law: Callable[..., None], made: Callable[[], AbstractContextManager[Sequence[Any]]]) -> None:
    """Check one law. `made` gives what the law takes: an empty implementation, of `WriterLock` two of one store."""
    with made() as given:
        law(*given)
