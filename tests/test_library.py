"""The library: what is stored comes back, what is published is whole, and a question is only ever words."""

import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa import embed
from qa.chunks import split_document, split_sentences
from qa.errors import StoreDamaged, StoreError
from qa.folder import File
from qa.formats import read_markdown, read_plain
from qa.indexing.batches import content_key
from qa.schema import Block, Document, Skipped
from qa.store.integrity import document_seal
from qa.store.limits import Limits
from qa.store.local import Library
from qa.text import text_sha256
from tests.stores import statements

TEXT = (
    "The harbour was rebuilt in 1834. The old bridge was sold to the council.\n\n"
    "A ferry named Meadow crossed the river 12 times a day. Its captain was called Ilse.\n\n"
    "Nothing is known about the lighthouse, except that it burned twice. It was never insured.\n"
)


def document(text: str, title: str = "", date: str | None = None) -> Document:
    extract = read_plain(text)
    return Document("x.txt", extract.text, text_sha256(extract.text), title, date, None, "utf-8", extract.blocks)


def file(name: str, signature: tuple[int, int, int] = (1, 2, 3)) -> File:
    return File(Path(name), name, signature)


def pend(library: Library, text: str, title: str = "", date: str | None = None) -> int:
    one = document(text, title, date)
    key = content_key(one, ".txt")
    sentences = split_sentences(one)
    return library.add_pending(key, one, sentences, split_document(one.text, sentences, embed.token_ends, key=key))


def publish(library: Library, name: str, text: str, title: str = "") -> int:
    content = pend(library, text, title)
    library.publish(content, file(name))
    return content


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with closing(Library(tmp_path / "a störe.sqlite")) as opened:
        yield opened


def found(library: Library, question: str, limit: int = 30, documents: list[str] | None = None) -> list[str]:
    """The documents that the keyword search finds, best first."""
    chunks = [chunk for chunk, _ in library.search(question, limit, documents)]
    return [one.document for one in library.passages(chunks, documents)]


# -- what is stored ----------------------------------------------------------------------------------


def test_what_is_stored_comes_back(library: Library) -> None:
    one = document(TEXT, "Ports", "2023-11")
    content = publish(library, "a.txt", TEXT, "Ports")
    sentences = split_sentences(one)
    assert library.text(content) == TEXT
    assert library.sentences(content, 0, len(TEXT)) == sentences
    passages = library.passages(library.chunk_ids())
    assert [TEXT[p.start : p.end] for p in passages] == [p.text for p in passages]
    assert {(p.document, p.title, p.sha256, p.also_in) for p in passages} == {("a.txt", "Ports", one.sha256, ())}
    assert [info.path for info in library.documents()] == ["a.txt"]
    assert library.signatures() == {"a.txt": (1, 2, 3)}
    assert library.known(["a.txt", "b.txt"]) == {"a.txt": (one.sha256, (1, 2, 3))}


@given(data=st.data())
def test_sentences_are_those_that_touch(data: st.DataObject) -> None:
    with closing(Library(Path(":memory:"))) as library:
        content = publish(library, "a.txt", TEXT * 3)
        every = library.sentences(content, 0, len(TEXT) * 3)
        start = data.draw(st.integers(0, len(TEXT) * 3))
        end = data.draw(st.integers(start + 1, len(TEXT) * 3 + 1))
        touched = [one for one in every if one.start < end and one.end > start]
        assert library.sentences(content, start, end) == touched


@pytest.mark.parametrize("text", ["a\0b c", "\u2028 x", "\U0001f600 y", "e\u0301", "\ufeff z", "r\r\ns\rt"])
def test_any_text_survives(library: Library, text: str) -> None:
    assert library.text(publish(library, "a.txt", text)) == text
    with closing(Library(library.path)) as other:
        assert other.text(1) == text
        other.verify()


@pytest.mark.parametrize("signature", [(0, -2, 0), (2**40, 2**63, 2**64 - 1), (1, -(2**63) - 5, 2**63)])
def test_any_signature_survives(library: Library, signature: tuple[int, int, int]) -> None:
    """A time after 2262 and the inodes of some file systems exceed what SQLite's integers hold."""
    content = pend(library, TEXT)
    library.publish(content, file("a.txt", signature))
    assert library.signatures() == {"a.txt": signature}
    assert library.resign(file("a.txt", (7, *signature[1:])), content)
    assert library.known(["a.txt"])["a.txt"][1] == (7, *signature[1:])
    library.distrust_signatures()
    assert library.signatures()["a.txt"] != (7, *signature[1:])


def test_pending_is_seen_by_no_question(library: Library) -> None:
    publish(library, "a.txt", "The harbour was rebuilt.")
    generation = library.generation()
    content = pend(library, "The quarry was closed.")
    assert library.generation() == generation
    assert found(library, "quarry") == []
    ids = [chunk.id for chunk in library.chunks_of(content)]
    assert library.passages(ids) == []
    assert not set(ids) & set(library.chunk_ids())
    assert library.count_chunks() == len(library.documents()) == 1
    library.publish(content, file("b.txt"))
    assert found(library, "quarry") == ["b.txt"]
    assert library.generation() > generation


def test_a_write_that_fails_leaves_nothing(library: Library) -> None:
    one = document(TEXT)

    def failing() -> Iterator[object]:
        yield from split_sentences(one)[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add_pending("key", one, failing(), [])  # type: ignore[arg-type]
    assert library.content_state("key") is None
    with library.read() as db:
        assert db.execute("SELECT count(*) FROM sentences").fetchone()[0] == 0
    publish(library, "a.txt", TEXT)  # and the connection is free


def test_a_read_sees_one_moment(library: Library) -> None:
    publish(library, "a.txt", TEXT)
    with library.read():
        before = library.documents()
        thread = threading.Thread(target=publish, args=(library, "b.txt", "Another text."))
        thread.start()
        thread.join()
        assert library.documents() == before
    assert len(library.documents()) == 2


def test_a_content_is_kept_while_a_file_has_it_and_its_id_never_comes_back(library: Library) -> None:
    content = publish(library, "a.txt", TEXT)
    library.publish(content, file("b.txt"))
    chunks = library.chunk_ids()
    assert {(p.document, p.also_in) for p in library.passages(chunks)} == {("a.txt", ("b.txt",))}
    library.drop(["a.txt"])
    assert library.purge() == []
    assert {(p.document, p.also_in) for p in library.passages(chunks)} == {("b.txt", ())}
    library.drop(["b.txt"])
    assert found(library, "harbour") == []
    assert sorted(library.purge()) == sorted(chunks)
    with closing(Library(library.path)) as other, pytest.raises(StoreError, match="replaced while it was being read"):
        other.text(content)
    again = publish(library, "a.txt", TEXT)
    assert again > content, "a reader may hold the text of the old id"
    assert library.purge() == [], "doomed vectors of a content that has come back"
    library.verify()


def test_doomed_ids_wait_until_they_are_forgotten(library: Library) -> None:
    publish(library, "a.txt", TEXT)
    chunks = library.chunk_ids()
    library.drop(["a.txt"])
    assert library.purge() == library.purge() == sorted(chunks)
    library.forget_doomed(chunks)
    assert library.purge() == []


def test_the_fingerprint_names_what_is_held(library: Library, tmp_path: Path) -> None:
    empty = library.fingerprint()
    publish(library, "a.txt", TEXT)
    publish(library, "b.txt", "Another text.")
    both = library.fingerprint()
    with closing(Library(tmp_path / "other.sqlite")) as other:
        publish(other, "b.txt", "Another text.")
        assert other.fingerprint() not in (empty, both)
        publish(other, "a.txt", TEXT)
        assert other.fingerprint() == both
    library.publish(2, file("c.txt"))
    assert library.fingerprint() not in (empty, both)
    library.drop(["c.txt"])
    assert library.fingerprint() == both
    library.set_meta("embedder", "other weights")
    with closing(Library(library.path)) as other:
        assert other.fingerprint() != both


def test_skipped_are_those_of_the_last_run(library: Library) -> None:
    library.set_skipped([Skipped(path="b", reason="1"), Skipped(path="a", reason="2"), Skipped(path="a", reason="3")])
    assert [(one.path, one.reason) for one in library.skipped()] == [("a", "3"), ("b", "1")]
    library.set_skipped([])
    assert library.skipped() == []


def test_the_cache_is_bounded_and_right(tmp_path: Path) -> None:
    library = Library(tmp_path / "library.sqlite", Limits(cached_chars=500))
    texts = [f"Text number {number}. " * 10 for number in range(12)]
    contents = [publish(library, f"{number}.txt", text) for number, text in enumerate(texts)]

    def is_kept(content: int) -> bool:
        return not statements(library, lambda: library.text(content))

    for number in random.Random(1).choices(range(12), k=30):
        assert library.text(contents[number]) == texts[number]
        # What is not kept takes another's place when it is read, but none is counted as kept twice.
        kept = [one for one in (number, *range(number), *range(number + 1, 12)) if is_kept(contents[one])]
        assert kept[0] == number
        assert sum(len(texts[one]) for one in kept) <= 500
    big = publish(library, "big.txt", "Long. " * 200)
    assert library.text(big) == "Long. " * 200
    assert is_kept(big), "one is kept, however long it is"
    assert not is_kept(contents[0])


# -- damage ------------------------------------------------------------------------------------------

DAMAGE = {
    "a text": "UPDATE contents SET text = replace(text, '1834', '1843')",
    "a hash": "UPDATE contents SET sha256 = upper(sha256)",
    "a passage's place": "UPDATE chunks SET start = start + 1 WHERE id = 1",
    "a passage's end": 'UPDATE chunks SET "end" = "end" + 1 WHERE id = 2',
    "a lost passage": "DELETE FROM chunks WHERE id = 1",
    "a sentence's place": 'UPDATE sentences SET "end" = 10000 WHERE start = 0',
    "a lost sentence": "DELETE FROM sentences WHERE start = 0",
    "a lost content": "DELETE FROM contents WHERE id = 1",
    "a content not published": "UPDATE contents SET published = 0 WHERE id = 1",
    "a lost index row": "DELETE FROM words_docsize WHERE id = 1",
    "a lost index": "DELETE FROM words_data WHERE id > 100",
    "another title": "UPDATE contents SET title = 'Another' WHERE id = 1",
    "another date": "UPDATE contents SET date = '1999' WHERE id = 2",
    "another sentence": "UPDATE sentences SET kind = 'item' WHERE start = 0",
    "a shorter sentence": 'UPDATE sentences SET "end" = "end" - 1 WHERE start = 0',
    "another's text": "UPDATE documents SET content = 2 WHERE path = 'a.txt'",
    "another path": "UPDATE documents SET path = 'c.txt' WHERE path = 'a.txt'",
    "words of no text": "INSERT INTO words(rowid, text, title) VALUES (99, 'harbour', '')",
    "other words": "INSERT INTO words(rowid, text, title) VALUES (1, 'lantern', '')",
    "sentences of no text": "INSERT INTO sentences VALUES (99, 0, 9, 'text', 0, NULL, NULL)",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_verify_knows_damage(library: Library, what: str) -> None:
    publish(library, "a.txt", TEXT * 3)
    publish(library, "b.txt", "Another text, number 1834.")
    library.verify()
    db = sqlite3.connect(library.path)
    assert db.execute(DAMAGE[what]).rowcount
    db.commit()
    db.close()
    with pytest.raises(StoreDamaged) as caught:
        library.verify()
    assert "\n" not in str(caught.value)


def test_a_damaged_text_is_never_read(library: Library) -> None:
    content = publish(library, "a.txt", TEXT)
    db = sqlite3.connect(library.path)
    db.execute(DAMAGE["a text"])
    db.commit()
    db.close()
    with closing(Library(library.path)) as other:
        with pytest.raises(StoreDamaged, match="qa check"):
            other.text(content)
        with pytest.raises(StoreDamaged, match="qa check"):
            other.passages(other.chunk_ids())


@pytest.mark.parametrize("page", range(6))
def test_garbage_anywhere_in_the_file_is_one_line_or_harmless(tmp_path: Path, page: int) -> None:
    path = tmp_path / "library.sqlite"
    with closing(Library(path)) as library:
        publish(library, "a.txt", TEXT * 20)
    data = bytearray(path.read_bytes())
    start = page * len(data) // 6
    data[start : start + 3000] = random.Random(page).randbytes(3000)
    path.write_bytes(data)

    told = None
    try:
        with closing(Library(path)) as library:
            library.verify()
            (passage, *_) = library.passages(library.chunk_ids())
            assert (TEXT * 20).startswith(passage.text)
    except StoreError as error:
        told = str(error)
    assert told is None or ("\n" not in told and re.search(r"qa check|damaged", told))
    assert told or page < 2  # where it falls between tables, nothing is kept


def test_another_applications_database_is_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE books (title)")
    db.close()
    with closing(Library(path)) as library, pytest.raises(StoreDamaged, match="no such table"):
        library.meta("embedder")


def test_a_library_that_was_put_in_the_place_of_another_is_not_taken_for_it(library: Library, tmp_path: Path) -> None:
    """Ids begin anew in it: remembered texts would be cited as those of other documents."""
    content = publish(library, "a.txt", TEXT)
    assert library.text(content) == TEXT
    with closing(Library(tmp_path / "other.sqlite")) as other:
        assert publish(other, "b.txt", "Something else.") == content
    for name in ("", "-wal", "-shm"):
        Path(f"{library.path}{name}").unlink(missing_ok=True)
    (tmp_path / "other.sqlite").rename(library.path)
    errors = []

    def ask() -> None:
        try:
            library.documents()
        except StoreError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)  # it has no connection yet
    thread.start()
    thread.join()
    ask()
    assert len(errors) == 2
    assert all("rebuilt by another process" in error for error in errors)


# -- threads -----------------------------------------------------------------------------------------


def open_files(path: Path) -> int:
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sum(link.startswith(str(path)) for link in links)


def test_threads_read_while_one_writes_and_leave_no_connection(library: Library) -> None:
    publish(library, "first.txt", TEXT)
    stop, errors = threading.Event(), []

    def read() -> None:
        try:
            while not stop.is_set():
                with library.read():
                    ids = library.chunk_ids()
                    assert len(library.passages(ids)) == len(ids) == library.count_chunks()
                assert "first.txt" in found(library, "harbour bridge")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(30):
        publish(library, f"{number % 7}.txt", f"The harbour number {number} was moved. " * 9)
        library.purge()
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(library.documents()) == 8
    assert len(library._connections) == 1, "connections of threads that have ended"
    if Path("/proc/self/fd").exists():
        library.close()
        assert open_files(library.path) == 0
    assert len(library.documents()) == 8, "closed for good"


# -- keyword search ----------------------------------------------------------------------------------

NASTY = [
    *("", " ", "\0", '"', '""', "'", "*", "^", ":", "-", "(", ")", "_", "NEAR(", "NEAR(harbour bridge, 2)", "AND"),
    *("OR NOT", "harbour AND", "text:harbour", "{text title}: harbour", "^harbour", "harbour*", "harbour + bridge"),
    *('"harbour', 'harbour"bridge', "harbour\0bridge", "';DROP TABLE chunks;--", "words MATCH 'x'", "%s %d {}"),
    *("harbour " * 2000, "x" * 10_000, "the a of is", "__init__", "a_b", "\U0001f600", "港橋", "港 橋 harbour"),
    *("\ud800", "\udfff harbour", "ﬁ", "İstanbul", "e\u0301", "\u0301", "½", "१२३", "हिन्दी", "ไทย"),
]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with closing(Library(tmp_path_factory.mktemp("library") / "library.sqlite")) as library:
        publish(library, "harbour.txt", TEXT, "Ports")
        publish(library, "near.txt", "NEAR is an operator, AND so is NOT. OR is another.")
        publish(library, "wide.txt", "東京は日本の首都です。港に橋がある。")
        publish(library, "café.txt", "The Cafe\u0301 Ísafold opened its o\ufb03ce in İstanbul. Its code is snake_case.")
        yield library


@pytest.mark.parametrize("question", NASTY, ids=[repr(text)[:30] for text in NASTY])
def test_nothing_in_a_question_is_syntax(searched: Library, question: str) -> None:
    hits = searched.search(question, 30)
    assert {chunk for chunk, _ in hits} <= set(searched.chunk_ids())
    if "harbour" in question:
        assert "harbour.txt" in found(searched, question)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.lists(st.sampled_from([*NASTY, "harbour", "bridge", "NEAR"]), max_size=8).map(" ".join))
def test_signs_around_words_change_nothing(searched: Library, question: str) -> None:
    plain = " ".join(re.findall(r"[^\W_][\w\u0300-\u036f]*", question))
    assert searched.search(question, 30) == searched.search(plain, 30)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("operators", "near.txt"),  # stems
        ("HARBOURS", "harbour.txt"),
        ("首都", "wide.txt"),
        ("橋", "wide.txt"),
        ("café", "café.txt"),  # composed, decomposed and bare
        ("cafe\u0301", "café.txt"),
        ("cafe", "café.txt"),
        ("office", "café.txt"),  # a ligature in the text
        ("o\ufb03ce", "café.txt"),
        ("Istanbul", "café.txt"),
        ("İSTANBUL", "café.txt"),
        ("isafold", "café.txt"),
        ("snake", "café.txt"),
        ("snake_case", "café.txt"),
        ("1834", "harbour.txt"),
        ("ports", "harbour.txt"),  # only in the title
    ],
)
def test_words_are_found_in_any_form(searched: Library, question: str, name: str) -> None:
    assert found(searched, question) == [name]


def test_bm25_prefers_rare_words_more_of_them_and_short_texts(library: Library) -> None:
    filler = "Many other things were said on that day by all of them. " * 3
    for name, text in {
        "once.txt": f"The quarry. {filler}",
        "twice.txt": f"The quarry, the quarry. {filler}",
        "short.txt": "The quarry was there on that day.",
        "rare.txt": f"The zeppelin. {filler}",
        "none.txt": filler,
    }.items():
        publish(library, name, text)
    assert found(library, "quarry").index("twice.txt") < found(library, "quarry").index("once.txt")
    assert found(library, "quarry").index("short.txt") < found(library, "quarry").index("once.txt")
    assert found(library, "quarry zeppelin")[0] == "rare.txt"
    assert "none.txt" not in found(library, "quarry zeppelin")
    scores = [score for _, score in library.search("quarry zeppelin many", 30)]
    assert scores == sorted(scores, reverse=True)
    assert len(library.search("quarry", 2)) == 2


def with_limits(library: Library, **limits: float) -> Library:
    """The same file, opened with other limits of the search."""
    return Library(library.path, Limits(**limits))  # type: ignore[arg-type]


def test_common_terms_are_dropped_above_a_floor(library: Library) -> None:
    """In 100 chunks: `common` stands in all, `frequent` in 20, `half` in 10, `rare` in 1."""
    for number in range(100):
        words = ["common"] + ["frequent"] * (number < 20) + ["half"] * (20 <= number < 30) + ["rare"] * (number == 50)
        publish(library, f"{number:03}.txt", f"It is {' '.join(words)} {number}.")
    names = [f"{number:03}.txt" for number in range(100)]
    assert len(found(library, "common", limit=200)) == 100, "below the floor nothing is common"
    assert found(library, "common rare", limit=200)[0] == "050.txt"
    assert len(found(library, "common rare", limit=200)) == 100
    floor = with_limits(library, common_chunks=10)  # 5 % of 100 are 5: the floor decides
    assert found(floor, "common rare", limit=200) == ["050.txt"]
    assert sorted(found(floor, "common half rare", limit=200)) == sorted([*names[20:30], "050.txt"])
    assert found(floor, "rare, and how common, and how frequent?", limit=200) == ["050.txt"]
    assert len(found(floor, "common", limit=200)) == 100, "all terms common: the rarest are kept"
    one = with_limits(library, common_chunks=10, rare_terms=1)
    assert sorted(found(one, "common frequent", limit=200)) == names[:20]
    share = with_limits(library, common_chunks=0)  # now the share decides
    assert found(share, "half rare", limit=200) == ["050.txt"]
    larger = with_limits(library, common_chunks=0, common_share=0.15)
    assert len(found(larger, "half rare", limit=200)) == 11
    fewest = with_limits(library, common_chunks=0, common_share=0.15, max_terms=1)
    assert found(fewest, "half rare", limit=200) == ["050.txt"]
    for opened in (floor, one, share, larger, fewest):
        opened.close()


def test_the_filter_holds(library: Library) -> None:
    for number in range(40):
        publish(library, f"{number:02}.txt", f"The harbour number {number} was measured.")
    library.publish(1, file("copy.txt"))
    everything = sorted([*(f"{number:02}.txt" for number in range(40)), "copy.txt"])
    assert library.count_chunks() == len(library.chunk_ids()) == 40
    for allowed in (
        ["07.txt"],
        ["07.txt"] * 5,
        everything[:10],
        everything,
        ["no.txt"],
        [],
        ["no.txt", "12.txt"],
        ["07.TXT", "%", "*"],
        [*everything, *(f"unknown-{number}.txt" for number in range(20_000))],
    ):
        names = sorted(set(allowed) & set(everything))
        chunks = [chunk for chunk, _ in library.search("harbour", 100, allowed)]
        passages = library.passages(library.chunk_ids(), allowed)
        cited = sorted({name for one in passages for name in (one.document, *one.also_in)})
        assert cited == names
        assert sorted(chunks) == sorted(one.chunk for one in passages) == sorted(library.chunk_ids(allowed))
        assert library.count_chunks(allowed) == len(passages)
    assert library.passages(library.chunk_ids(), ["copy.txt"])[0].also_in == ()


def test_20_000_names_of_one_text_are_found_in_steps_for_each_not_for_pairs(library: Library) -> None:
    content = publish(library, "a.txt", TEXT)
    names = [f"{number}.txt" for number in range(20_000)]
    with library.write() as db:
        key = db.execute("SELECT key FROM contents").fetchone()[0]
        rows = [(name, content, document_seal(name, key)) for name in names]
        db.executemany("INSERT INTO documents VALUES (?, ?, 1, '1', '1', ?)", rows)
    thousands: list[None] = []  # of SQLite's steps, whatever the machine makes of them
    with library.read() as db:
        db.set_progress_handler(lambda: thousands.append(None), 1000)
    passages = library.passages([chunk for chunk, _ in library.search("harbour", 30, names)], names)
    assert {len(one.also_in) for one in passages} == {19_999}
    assert 0 < len(thousands) < 20_000


def test_headings_lose_their_marks_and_nothing_else(library: Library) -> None:
    text = "# Languages\n\n## C# and F#\n\nBoth run.\n\n## Go ##\n\nIt runs too.\n\nLisp-\n-----\n\nThis as well.\n"
    extract = read_markdown(text)
    one = Document("x.md", extract.text, text_sha256(extract.text), "", None, None, "utf-8", extract.blocks)
    sentences = split_sentences(one)
    content = library.add_pending("k", one, sentences, split_document(text, sentences, embed.token_ends, key="k"))
    library.publish(content, file("x.md"))
    found = [library.heading(content, text.index(said)) for said in ("Both", "It runs", "This")]
    assert found == ["Languages › C# and F#", "Languages › Go", "Languages › Lisp-"]


def test_the_first_row_of_a_long_table_is_found_from_any_row(library: Library) -> None:
    table = "\n".join(["Room\tSeats", *(f"R{number}\t{number * 3}" for number in range(500))])
    text = f"Halls to let.\n\n{table}\n\nName\tAge\nAnn\t41\n\nNo more."
    content = publish(library, "a.txt", text)
    for row in ("R0\t0", "R250\t750", "R499\t1497"):
        start = text.index(f"\n{row}\n") + 1
        header = library.header_row(content, start)
        assert header is not None
        assert text[header.start : header.end] == "Room\tSeats"
        assert library.context(content, start, start + len(row))[0] == "Room\tSeats"
    assert library.header_row(content, text.index("Room")) is None


@pytest.mark.parametrize("blank", ["\n\n", "\n \t\n", "\r\n\r\n", "\r\n  \r\n", "\r\r", "\n" * 9000])
def test_a_blank_line_ends_a_table_whatever_white_space_is_in_it(library: Library, blank: str) -> None:
    ending = "\r\n" if "\r\n" in blank else blank[0]
    one, other = (ending.join(rows) for rows in (("Name\tPrice", "Tea\t5"), ("City\tZip", "Rome\t10")))
    text = f"{one}{blank}{other}"
    header = library.header_row(publish(library, "a.txt", text), text.index("Rome"))
    assert header is not None
    assert text[header.start : header.end] == "City\tZip"


def test_the_same_text_in_other_places_is_another_content() -> None:
    def key(*pages: int | None) -> str:
        blocks = tuple(Block(4 * at, 4 * at + 3, page=page) for at, page in enumerate(pages))
        return content_key(Document("x.pdf", "one two", text_sha256("one two"), "", None, 2, "pdf", blocks), ".pdf")

    assert key(1, 2) == key(1, 2)
    assert len({key(1, 2), key(1, 1), key(None, None)}) == 3


def test_the_same_text_of_other_blocks_is_another_content() -> None:
    def key(*blocks: Block) -> str:
        return content_key(Document("x.md", "one two", text_sha256("one two"), "", None, 2, "utf-8", blocks), ".md")

    first = Block(0, 3)
    others = (Block(0, 3, "heading", 1), Block(0, 3, "heading", 2), Block(0, 7), Block(0, 3, locator="line 1"))
    assert len({key(one) for one in (first, *others)}) == 5
    assert key(first, Block(4, 7)) != key(first)
