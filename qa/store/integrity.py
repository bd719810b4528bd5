"""Seals and checks, which find damage that SQLite does not find.

SQLite detects damage to its own structure only. Therefore each content has a seal, a hash over all its facts, and
each document record has a seal over its path and content: a damaged value is an error and never another quote.
"""

import hashlib
import itertools
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qa.schema import Chunk, Sentence
from qa.store.bm25 import add_words, words_of
from qa.store.database import create_tables
from qa.store.disk import damaged
from qa.text import text_sha256

FACTS = "key, sha256, title, date, pages, encoding, left_out"  # of a content, under its seal
SENTENCE = 'start, "end", kind, level, page, locator'  # of a sentence, under the seal of its content


def seal(facts: tuple[Any, ...], sentences: Iterable[tuple[Any, ...]], columns: Iterable[tuple[Any, ...]] = ()) -> str:
    """A hash over the facts of a content, its sentences, and the columns of its rows (both in order of start)."""
    digest = hashlib.sha256(repr(facts).encode())
    for row in itertools.chain(sentences, columns):
        digest.update(repr(row).encode())
    return digest.hexdigest()


def document_seal(path: str, key: str) -> str:
    """A hash over a path and the key of its content."""
    return hashlib.sha256(repr((path, key)).encode()).hexdigest()[:16]


def check_document_seals(rows: Iterable[sqlite3.Row], library: Path) -> None:
    """Raise StoreDamaged unless each document record (path, key, seal) still matches its seal."""
    if any(row["seal"] != document_seal(row["path"], row["key"]) for row in rows):
        raise damaged(library, "a document record does not match its text")


def checked_text(db: sqlite3.Connection, content: int, row: sqlite3.Row, library: Path) -> str:
    """The text in a content's row (text, seal, FACTS); raises StoreDamaged when it is not the one that was indexed."""
    text: str = row["text"]
    if not isinstance(text, str) or text_sha256(text) != row["sha256"]:
        raise damaged(library, "a text is not the one that was indexed")
    sentences = db.execute(f"SELECT {SENTENCE} FROM sentences WHERE content = ? ORDER BY start", (content,))
    columns = db.execute("SELECT start, names FROM columns WHERE content = ? ORDER BY start", (content,))
    if row["seal"] != seal(tuple(row[2:]), map(tuple, sentences), map(tuple, columns)):
        raise damaged(library, "a text's sentences are not those that were indexed")
    return text


def check_intervals(key: str, text: str, chunks: Sequence[Chunk], sentences: Sequence[Sentence], library: Path) -> None:
    """Raise StoreDamaged unless chunks and sentences cover the text, and each chunk is named for its place."""
    named = all(chunk.id == f"{key}-{chunk.start}-{chunk.end}" for chunk in chunks)
    if not (named and _cover(text, chunks) and _cover(text, sentences)):
        raise damaged(library, "passages are lost or out of place")


def check_pages(db: sqlite3.Connection, library: Path) -> None:
    """Raise StoreDamaged unless SQLite finds its file sound."""
    if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        raise damaged(library, "its pages")


def check_tables(db: sqlite3.Connection, library: Path) -> None:
    """Raise StoreDamaged unless the tables agree with each other and with the texts."""
    records = db.execute("SELECT d.path, c.key, d.seal FROM documents d JOIN contents c ON c.id = d.content")
    check_document_seals(records, library)
    lost = "SELECT 1 FROM documents WHERE content NOT IN (SELECT id FROM contents WHERE published)"
    if db.execute(lost).fetchone():
        raise damaged(library, "a document has no text")
    for table in ("chunks", "sentences", "columns"):
        if db.execute(f"SELECT 1 FROM {table} WHERE content NOT IN (SELECT id FROM contents)").fetchone():
            raise damaged(library, "passages of no text")
    if not _is_as_made_anew(db):
        raise damaged(library, "its tables or its word index do not match the texts")


def _is_as_made_anew(db: sqlite3.Connection) -> bool:
    """Whether tables and word index equal those of a newly made library with the same texts."""
    tables = "SELECT type, name, sql FROM main.sqlite_master ORDER BY name"
    lengths = "SELECT id, sz FROM words_docsize ORDER BY id"
    places = "SELECT term, doc, col, offset FROM temp.places"
    anew = sqlite3.connect("", isolation_level=None)  # a file of SQLite's own, gone when it is closed
    try:
        anew.execute("BEGIN")
        create_tables(anew)
        for row in db.execute("SELECT id, text, title FROM contents WHERE published"):
            add_words(anew, words_of(db, row["id"], row["text"], row["title"]))
        for library in (db, anew):  # both in a transaction that is rolled back
            library.execute("CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, words, 'instance')")
        return all(
            row is not None and tuple(row) == expected
            for query in (tables, lengths, places)
            for row, expected in itertools.zip_longest(db.execute(query), anew.execute(query))
        )
    finally:
        anew.close()


def _cover(text: str, intervals: Sequence[Sentence] | Sequence[Chunk]) -> bool:
    """Whether the intervals lie inside the text and cover all of it except white space."""
    at = 0
    for interval in intervals:
        if not 0 <= interval.start < interval.end <= len(text) or text[at : interval.start].strip():
            return False
        at = max(at, interval.end)
    return not text[at:].strip()
