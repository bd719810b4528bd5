"""SQLite: documents, sentences, chunks and their BM25 index; the single source of truth for text and offsets.

A content is a text with its title and date. It is stored once, however many files hold it. It is pending until all
its vectors are written; then it is published in one transaction. Chunk ids whose vectors must still be deleted are
in the table `doomed`. When a writer is stopped, what is published is complete, and the next run does the rest.

SQLite detects damage to its own structure only. Therefore each content has a seal, a hash over all its facts, and
each document record has a seal over its path and content: a damaged value is an error and never another quote.
"""

import bisect
import hashlib
import itertools
import json
import math
import os
import re
import sqlite3
import threading
import unicodedata
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qa.disk import damaged, sqlite_error
from qa.documents import File, text_sha256
from qa.errors import StoreError
from qa.schema import Chunk, Document, DocumentInfo, Sentence, Skipped
from qa.words import FUNCTION_WORDS

VERSION = "7"  # part of the store's fingerprint: raise it when tables change, or a content's name, title or date
COMMON_SHARE = 0.05  # a term in a larger share of the chunks is too frequent to search for, …
COMMON_CHUNKS = 2000  # … if it stands in more than this many chunks
RARE_TERMS = 3  # so many of the rarest terms are kept when all terms of a question are frequent
MAX_TERMS = 64  # of a question that are searched for, the rarest first, …
MAX_MATCHES = 20_000  # … as long as they stand in about so many chunks together, each of which is scored
TITLE_WEIGHT = 0.5
CACHED_CHARS = 50_000_000

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE contents (  -- AUTOINCREMENT: a reader may still hold the text of an id that is gone
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, published INTEGER NOT NULL DEFAULT 0,
  sha256 TEXT NOT NULL, text TEXT NOT NULL, title TEXT NOT NULL, date TEXT, pages INTEGER, encoding TEXT NOT NULL,
  left_out TEXT, seal TEXT NOT NULL);
CREATE TABLE documents (  -- TEXT: what a file system counts in may exceed 63 bits
  path TEXT PRIMARY KEY, content INTEGER NOT NULL REFERENCES contents(id),
  bytes INTEGER NOT NULL, mtime_ns TEXT NOT NULL, inode TEXT NOT NULL, seal TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX documents_content ON documents(content);
CREATE TABLE sentences (
  content INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, kind TEXT NOT NULL,
  level INTEGER NOT NULL, page INTEGER, locator TEXT, PRIMARY KEY (content, start)) WITHOUT ROWID;
CREATE INDEX headings ON sentences(content, start) WHERE kind = 'heading';
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, chunk TEXT NOT NULL UNIQUE,
  content INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL);
CREATE INDEX chunks_content ON chunks(content);
CREATE TABLE doomed (chunk TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE skipped (path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(text, title, content='', tokenize='porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE terms USING fts5vocab(words, 'row');
"""
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
_SENTENCE = 'start, "end", kind, level, page, locator'
_FACTS = "key, sha256, title, date, pages, encoding, left_out"  # of a content, under its seal
_HEADING_MARKS = re.compile(r"\A#{1,6}[ \t]+|[ \t]+#+\s*\Z|\r?\n[=-]+\s*\Z")  # Markdown's, not the # of "C#"
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r(?!\n))[^\S\r\n]*(?=[\r\n])")
_TOKEN = re.compile(r"[^\W_][\w\u0300-\u036f]*")  # combining marks belong to their letter


@dataclass(frozen=True, slots=True)
class Passage:
    """A published chunk with its text, and the facts about the document that it is cited from."""

    chunk: str
    content: int
    document: str
    also_in: tuple[str, ...]  # further files with the same content
    start: int
    end: int
    text: str
    title: str
    date: str | None
    sha256: str
    sentences: tuple[Sentence, ...]  # all that overlap it; only an over-long sentence reaches beyond it


class _Connection:
    """A thread's connection, closed when the thread ends."""

    def __init__(self, db: sqlite3.Connection, file: tuple[int, int] | None) -> None:
        self.db = db
        self.file = file  # the file that was opened, even if another one has replaced it since
        weakref.finalize(self, db.close)


@dataclass(slots=True)
class _Counts:
    """Counts that need a scan of the store; they are valid until the store changes."""

    of: tuple[int, bytes]  # generation, and the word index's own totals: erasing what is dropped changes only these
    chunks: int | None = None
    terms: dict[str, int] = field(default_factory=dict)


class Library:
    """One store's SQLite file. Safe to share between threads; one process writes (see `qa.store`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._local = threading.local()
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._cached_chars = 0
        self._writing = threading.Lock()
        self._lock = threading.Lock()  # of the caches and the set of connections
        self._fingerprint = (-1, "")  # generation, and what was the fingerprint then
        self._counts = _Counts((-1, b""))
        try:
            self._create_tables()
        except BaseException:
            self.close()
            raise

    def _create_tables(self) -> None:
        if self._is_empty():
            with self.write() as db:
                if self._is_empty():
                    _create(db)

    # -- connections ---------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection = _Connection(db, _file_id(self.path))
            with self._lock:
                self._connections.add(connection)
                self._file = self._file or connection.file
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")  # look at a page before it is used
            self._local.connection = connection
        # In a rebuilt store ids start from 1 again, so the cached texts of this process would be wrong.
        if connection.file != self._file or _file_id(self.path) != self._file:
            raise StoreError(f"{self.path} was erased or rebuilt by another process; start this one again.")
        return connection.db

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot for all reads of this thread inside; may be nested."""
        with self._translated():
            db = self._connect()
            if db.in_transaction:
                yield db
                return
            try:
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all writes inside are kept, or none. Threads wait for each other, processes up to 30 s."""
        with self._writing, self._translated():
            db = self._connect()
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise sqlite_error(error, self.path) from error
        except (TypeError, ValueError, OverflowError) as error:  # a damaged row may hold another type
            raise damaged(self.path, str(error)) from error

    def close(self) -> None:
        """Close the connections of all threads; a later call opens another."""
        with self._lock:
            for connection in self._connections:
                connection.db.close()
        self._local = threading.local()

    def _is_empty(self) -> bool:
        with self.read() as db:
            return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None

    # -- what the store is ---------------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        """A named fact about the store: `fingerprint`, `folder`, `generation`."""
        with self.read() as db:
            row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        with self.write() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def generation(self) -> int:
        """A number that grows with every change that can affect an answer."""
        with self.read():
            return int(self.meta("generation") or 0)

    def documents(self) -> list[DocumentInfo]:
        """All documents in order of path."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.title, c.date, c.pages, c.sha256, d.bytes, c.encoding,"
                " (SELECT count(*) FROM chunks WHERE content = c.id) AS chunks"
                " FROM documents d JOIN contents c ON c.id = d.content ORDER BY d.path"
            ).fetchall()
            return [DocumentInfo(**dict(row)) for row in rows]

    def partly_read(self) -> list[Skipped]:
        """The documents that were read only in part, and what is missing."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.left_out FROM documents d JOIN contents c ON c.id = d.content"
                " WHERE c.left_out IS NOT NULL"
            ).fetchall()
            return [Skipped(path=row[0], reason=row[1]) for row in rows]

    def signatures(self) -> dict[str, tuple[int, int, int]]:
        """Path → (bytes, mtime in ns, inode) as of indexing."""
        with self.read() as db:
            rows = db.execute("SELECT path, bytes, mtime_ns, inode FROM documents").fetchall()
            return {row[0]: (row[1], int(row[2]), int(row[3])) for row in rows}

    def known(self, paths: Sequence[str]) -> dict[str, tuple[str, tuple[int, int, int]]]:
        """Path → (sha256 of its text, signature) for those of the paths that are indexed."""
        with self.read() as db:
            rows = db.execute(
                "SELECT d.path, c.sha256, d.bytes, d.mtime_ns, d.inode, c.key, d.seal FROM documents d"
                " JOIN contents c ON c.id = d.content WHERE d.path IN (SELECT value FROM json_each(?))",
                (json.dumps(list(paths)),),
            ).fetchall()
            self._check_seals(rows)
            return {row[0]: (row[1], (row[2], int(row[3]), int(row[4]))) for row in rows}

    def fingerprint(self) -> str:
        """Identifies what the store holds: equal for equal documents, weights and boundaries."""
        with self.read() as db:
            generation = self.generation()
            if self._fingerprint[0] != generation:
                rows = db.execute(
                    "SELECT d.path, c.key FROM documents d JOIN contents c ON c.id = d.content ORDER BY d.path"
                )
                facts = json.dumps([self.meta("fingerprint"), *map(list, rows)])
                self._fingerprint = (generation, text_sha256(facts))
            return self._fingerprint[1]

    def skipped(self) -> list[Skipped]:
        """The files that the last run left out, and why."""
        with self.read() as db:
            rows = db.execute("SELECT path, reason FROM skipped ORDER BY path").fetchall()
            return [Skipped(path=row[0], reason=row[1]) for row in rows]

    def count_chunks(self, documents: Sequence[str] | None = None, *, most: int | None = None) -> int:
        """How many chunks a question may be answered from. With a filter, counting stops at `most`."""
        with self.read() as db:
            counts = self._counts_of(db)
            active, values = _active(documents)
            chunks = f"FROM chunks WHERE content IN ({active})"
            if documents is None:
                if counts.chunks is None:
                    counts.chunks = int(db.execute(f"SELECT count(*) {chunks}").fetchone()[0])
                return counts.chunks
            counted = f"SELECT count(*) FROM (SELECT 1 {chunks} LIMIT ?)"
            return int(db.execute(counted, (*values, -1 if most is None else most)).fetchone()[0])

    def _counts_of(self, db: sqlite3.Connection) -> _Counts:
        """The counts that are valid in this snapshot; empty ones when the store has changed."""
        totals = db.execute("SELECT block FROM words_data WHERE id = 1").fetchone()
        now = (self.generation(), bytes(totals[0]) if totals else b"")
        counts = self._counts
        if counts.of != now:
            counts = self._counts = _Counts(now)
        return counts

    def chunk_ids(self, documents: Sequence[str] | None = None) -> list[str]:
        """The ids of those chunks."""
        with self.read() as db:
            active, values = _active(documents)
            rows = db.execute(f"SELECT chunk FROM chunks WHERE content IN ({active}) ORDER BY id", values)
            return [row[0] for row in rows]

    # -- reading -------------------------------------------------------------------------------

    def search(self, question: str, limit: int, documents: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, BM25 score, higher is better) of the best chunks, best first; ties by id of the chunk."""
        with self.read() as db:
            query = self._match(db, question)
            if not query:
                return []
            active, values = _active(documents)
            rows = db.execute(
                f"SELECT chunks.chunk, -bm25(words, 1.0, {TITLE_WEIGHT}) AS score FROM words"
                " JOIN chunks ON chunks.id = words.rowid"
                f" WHERE words MATCH ? AND chunks.content IN ({active}) ORDER BY score DESC, chunks.id LIMIT ?",
                (query, *values, limit),
            ).fetchall()
        return [(row[0], float(row[1])) for row in rows]

    def _match(self, db: sqlite3.Connection, question: str) -> str:
        """The FTS5 query: the question's rarest terms, quoted and joined by OR, so that none of them is syntax.

        Function words are searched for only when there are no other words: in a small collection even "how" is rare.
        """
        tokens = list(dict.fromkeys(_TOKEN.findall(search_text(question))))
        tokens = [token for token in tokens if token.lower() not in FUNCTION_WORDS] or tokens
        of_stem = dict(zip(reversed(self._stems(tokens)), reversed(tokens), strict=True))  # the first of each
        known = self._counts_of(db).terms
        counts = {token: _count_term(db, known, stem) for stem, token in of_stem.items() if stem}
        rare = sorted((token for token in counts if counts[token]), key=lambda token: (counts[token], token))
        common = max(COMMON_CHUNKS, COMMON_SHARE * self.count_chunks())
        kept = [token for token in rare if counts[token] <= common] or rare[:RARE_TERMS]
        matches = list(itertools.accumulate(counts[token] for token in kept[:MAX_TERMS]))
        within = max(1, bisect.bisect_right(matches, MAX_MATCHES))
        return " OR ".join(f'"{token}"' for token in kept[:within])

    def _stems(self, tokens: list[str]) -> list[str | None]:
        """Each token's form in the index, from SQLite's own tokenizer; None for a token that it drops."""
        stemmer: _Connection | None = getattr(self._local, "stemmer", None)
        if stemmer is None:
            db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            stemmer = _Connection(db, None)
            db.execute("CREATE VIRTUAL TABLE t USING fts5(w, tokenize='porter unicode61 remove_diacritics 2')")
            db.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
            self._local.stemmer = stemmer
        db = stemmer.db
        db.execute("BEGIN")
        db.executemany("INSERT INTO t(rowid, w) VALUES (?, ?)", enumerate(tokens))
        stems = dict(db.execute("SELECT doc, term FROM v ORDER BY doc, offset DESC").fetchall())
        db.execute("ROLLBACK")
        return [stems.get(number) for number in range(len(tokens))]

    def passages(
        self, chunks: Sequence[str], documents: Sequence[str] | None = None, *, most: int | None = None
    ) -> list[Passage]:
        """The first `most` published passages among these chunk ids, in their order.

        Ids that are unpublished, deleted or excluded by the filter are skipped.
        """
        found: list[Passage] = []
        allowed = None if documents is None else frozenset(documents)
        with self.read() as db:
            rows = db.execute(
                'SELECT k.chunk, k.start, k."end", c.id, c.key, c.title, c.date, c.sha256 FROM chunks k'
                " JOIN contents c ON c.id = k.content"
                " WHERE k.chunk IN (SELECT value FROM json_each(?)) AND c.id IN (SELECT content FROM documents)",
                (json.dumps(list(chunks)),),
            ).fetchall()
            by_id = {row["chunk"]: row for row in rows}
            for row in (by_id[chunk] for chunk in chunks if chunk in by_id):
                if len(found) == most:
                    break
                if row["chunk"] != f"{row['key']}-{row['start']}-{row['end']}":
                    raise damaged(self.path, "a passage is out of place")
                paths = self._paths(db, row["id"])
                if not paths:
                    raise damaged(self.path, "an index does not match its table")
                if kept := tuple(path for path in paths if allowed is None or path in allowed):
                    found.append(self._passage(row, kept))
        return found

    def _passage(self, row: sqlite3.Row, paths: tuple[str, ...]) -> Passage:
        return Passage(
            chunk=row["chunk"],
            content=row["id"],
            document=paths[0],
            also_in=paths[1:],
            start=row["start"],
            end=row["end"],
            text=self.text(row["id"])[row["start"] : row["end"]],
            title=row["title"],
            date=row["date"],
            sha256=row["sha256"],
            sentences=tuple(self.sentences(row["id"], row["start"], row["end"])),
        )

    def _paths(self, db: sqlite3.Connection, content: int) -> tuple[str, ...]:
        rows = db.execute(
            "SELECT d.path, c.key, d.seal FROM documents d JOIN contents c ON c.id = d.content"
            " WHERE d.content = ? ORDER BY d.path",
            (content,),
        ).fetchall()
        self._check_seals(rows)
        return tuple(row[0] for row in rows)

    def _check_seals(self, rows: Iterable[sqlite3.Row]) -> None:
        """Raise StoreDamaged unless each document record (path, key, seal) still matches its seal."""
        if any(row["seal"] != _document_seal(row["path"], row["key"]) for row in rows):
            raise damaged(self.path, "a document record does not match its text")

    def text(self, content: int) -> str:
        """The whole text of a content; raises StoreDamaged when it is not the text that was indexed."""
        with self._lock:
            if content in self._texts:
                self._texts.move_to_end(content)
                return self._texts[content]
        text = self._stored_text(content)
        with self._lock:
            if content not in self._texts:
                self._texts[content] = text
                self._cached_chars += len(text)
            while self._cached_chars > CACHED_CHARS and len(self._texts) > 1:
                self._cached_chars -= len(self._texts.popitem(last=False)[1])
        return text

    def text_of(self, path: str) -> str | None:
        """The whole text of an indexed document; None where this path is not indexed."""
        with self.read() as db:
            row = db.execute(
                "SELECT d.path, d.content, c.key, d.seal FROM documents d JOIN contents c ON c.id = d.content"
                " WHERE d.path = ?",
                (path,),
            ).fetchone()
            if row is None:
                return None
            self._check_seals([row])
            return self.text(row["content"])

    def _stored_text(self, content: int) -> str:
        with self.read() as db:
            row = db.execute(f"SELECT text, seal, {_FACTS} FROM contents WHERE id = ?", (content,)).fetchone()
            if row is None:
                raise StoreError("a document was replaced while it was being read; ask again.")
            text: str = row["text"]
            if not isinstance(text, str) or text_sha256(text) != row["sha256"]:
                raise damaged(self.path, "a text is not the one that was indexed")
            sentences = db.execute(f"SELECT {_SENTENCE} FROM sentences WHERE content = ? ORDER BY start", (content,))
            if row["seal"] != _seal(tuple(row[2:]), map(tuple, sentences)):
                raise damaged(self.path, "a text's sentences are not those that were indexed")
        return text

    def sentences(self, content: int, start: int, end: int) -> list[Sentence]:
        """The sentences that overlap `start:end`, in order."""
        with self.read() as db:
            # No sentence starts inside another, so the last one that starts at or before `start` is the first.
            rows = db.execute(
                f"SELECT {_SENTENCE} FROM sentences WHERE content = ? AND start < ? AND start >= coalesce("
                ' (SELECT max(start) FROM sentences WHERE content = ? AND start <= ?), 0) AND "end" > ? ORDER BY start',
                (content, end, content, start, start),
            ).fetchall()
        return [Sentence(*row) for row in rows]

    def context(self, content: int, start: int, end: int) -> tuple[str, str]:
        """(before, after): the context of the sentences `start:end` that is shown beside a quote. Either may be empty.

        For a list item, `before` is the sentence that introduces the list; for a table row, the table's first row. A
        heading or a blank line ends a table.
        """
        with self.read() as db:
            earlier = db.execute(
                f"SELECT {_SENTENCE} FROM sentences WHERE content = ? AND start < ? AND kind != 'rule'"
                " ORDER BY start DESC LIMIT 200",
                (content, start),
            ).fetchall()
            later = db.execute(
                f"SELECT {_SENTENCE} FROM sentences WHERE content = ? AND start >= ?"
                " AND kind NOT IN ('rule', 'heading') ORDER BY start LIMIT 1",
                (content, end),
            ).fetchall()
            own = self.sentences(content, start, end)
            header = self.header_row(content, start) if own and own[0].kind == "row" else None
        text = self.text(content)
        before = [Sentence(*row) for row in earlier]
        if own and own[0].kind == "item":
            before = [sentence for sentence in before if sentence.kind != "item"]
        elif own and own[0].kind == "row":
            before = [header] if header else [sentence for sentence in before[:1] if sentence.kind != "row"]
        if before and before[0].kind == "heading":
            before = []  # shown already as the quote's `heading`
        after = [Sentence(*row) for row in later]
        return _slice(text, before[:1]), _slice(text, after)

    def header_row(self, content: int, start: int) -> Sentence | None:
        """The first row of the table whose row starts at `start`; None when that is the first row itself.

        A blank line ends a table, and so does a sentence that is not a row.
        """
        top = _blank_line_before(self.text(content), start)
        with self.read() as db:
            outside = db.execute(
                "SELECT start FROM sentences WHERE content = ? AND start > ? AND start < ?"
                " AND kind NOT IN ('row', 'rule') ORDER BY start DESC LIMIT 1",
                (content, top, start),
            ).fetchone()
            row = db.execute(
                f"SELECT {_SENTENCE} FROM sentences WHERE content = ? AND start > ? AND start < ? AND kind = 'row'"
                " ORDER BY start LIMIT 1",
                (content, outside["start"] if outside else top, start),
            ).fetchone()
        return Sentence(*row) if row else None

    def heading(self, content: int, position: int) -> str | None:
        """The headings above `position`, the outermost first, joined by " › "."""
        path: list[str] = []
        outermost = math.inf
        with self.read() as db:
            rows = db.execute(
                'SELECT start, "end", level FROM sentences INDEXED BY headings'
                " WHERE content = ? AND kind = 'heading' AND start <= ? ORDER BY start DESC",
                (content, position),
            )
            for start, end, level in rows:
                if level < outermost:
                    outermost = level
                    path.insert(0, _HEADING_MARKS.sub("", self.text(content)[start:end]).strip())
                if outermost <= 1:
                    break  # earlier headings do not apply; a long document has many of them
        return " › ".join(path) or None

    def verify(self) -> None:
        """Check everything that is stored; raises StoreDamaged for the first damage that is found."""
        with self.read() as db:
            if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise damaged(self.path, "its pages")
            for content, key in db.execute("SELECT id, key FROM contents").fetchall():
                text, parts = self._stored_text(content), self.chunks_of(content)
                sentences = self.sentences(content, 0, len(text))
                named = all(part.id == f"{key}-{part.start}-{part.end}" for part in parts)
                if not (named and _cover(text, parts) and _cover(text, sentences)):
                    raise damaged(self.path, "passages are lost or out of place")
            lost = "SELECT 1 FROM documents WHERE content NOT IN (SELECT id FROM contents WHERE published)"
            self._check_seals(
                db.execute("SELECT d.path, c.key, d.seal FROM documents d JOIN contents c ON c.id = d.content")
            )
            if db.execute(lost).fetchone():
                raise damaged(self.path, "a document has no text")
            for table in ("chunks", "sentences"):
                if db.execute(f"SELECT 1 FROM {table} WHERE content NOT IN (SELECT id FROM contents)").fetchone():
                    raise damaged(self.path, "passages of no text")
            if not _is_as_made_anew(db):
                raise damaged(self.path, "its tables or its word index do not match the texts")
        with self.write() as db:
            db.execute("INSERT INTO words(words) VALUES ('integrity-check')")

    def copy_to(self, path: Path) -> None:
        """Copy the library's present state to a new file; other processes may write meanwhile."""
        with self._translated():
            copy = sqlite3.connect(path)
            try:
                self._connect().backup(copy)  # not a copy of the file, which lacks the writes in the log
            except sqlite3.Error as error:
                raise sqlite_error(error, path if "full" in str(error) else self.path) from error
            finally:
                copy.close()

    # -- writing (the one writer's) ------------------------------------------------------------

    def content_state(self, key: str) -> tuple[int, bool] | None:
        """(id, published) of the content with this key."""
        with self.read() as db:
            row = db.execute("SELECT id, published FROM contents WHERE key = ?", (key,)).fetchone()
        return None if row is None else (row[0], bool(row[1]))

    def add_pending(self, key: str, document: Document, sentences: Iterable[Sentence], chunks: Iterable[Chunk]) -> int:
        """Store a content without publishing it; returns its id. No question uses it yet."""
        about = (document.title, document.date, document.pages, document.encoding, document.left_out)
        facts = (key, document.sha256, *about)
        rows = sorted((s.start, s.end, s.kind, s.level, s.page, s.locator) for s in sentences)
        with self.write() as db:
            db.execute(
                f"INSERT INTO contents(text, seal, {_FACTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (document.text, _seal(facts, rows), *facts),
            )
            content: int = db.execute("SELECT last_insert_rowid()").fetchone()[0]
            db.executemany("INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?)", ((content, *row) for row in rows))
            db.executemany(
                'INSERT INTO chunks(chunk, content, start, "end") VALUES (?, ?, ?, ?)',
                ((chunk.id, content, chunk.start, chunk.end) for chunk in chunks),
            )
            # The same content may have been stored before, and its ids may still be marked for deletion.
            db.execute("DELETE FROM doomed WHERE chunk IN (SELECT chunk FROM chunks WHERE content = ?)", (content,))
        return content

    def chunks_of(self, content: int) -> list[Chunk]:
        """The chunks of a content, published or not, in order."""
        with self.read() as db:
            rows = db.execute('SELECT chunk, start, "end" FROM chunks WHERE content = ? ORDER BY id', (content,))
            return [Chunk(*row) for row in rows]

    def publish(self, content: int, file: File) -> None:
        """Publish the content and make `file` refer to it. All vectors of the content must be written before."""
        with self.write() as db:
            row = db.execute("SELECT key, text, title, published FROM contents WHERE id = ?", (content,)).fetchone()
            if not row["published"]:
                db.executemany("INSERT INTO words(rowid, text, title) VALUES (?, ?, ?)", _words(db, content, row))
                db.execute("UPDATE contents SET published = 1 WHERE id = ?", (content,))
            values = (file.name, content, *_signature(file), _document_seal(file.name, row["key"]))
            db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)", values)
            db.execute("DELETE FROM skipped WHERE path = ?", (file.name,))
            _advance(db)

    def resign(self, file: File, content: int) -> bool:
        """Record the new signature of an unchanged file; False when the file does not have this content."""
        with self.write() as db:
            update = "UPDATE documents SET bytes = ?, mtime_ns = ?, inode = ? WHERE path = ? AND content = ?"
            return db.execute(update, (*_signature(file), file.name, content)).rowcount > 0

    def distrust_signatures(self) -> None:
        """Mark every file as changed, so that the next run reads and hashes all of them."""
        with self.write() as db:
            db.execute("UPDATE documents SET mtime_ns = '-1'")

    def drop(self, paths: Iterable[str]) -> None:
        """Delete the records of these documents, so that they are not cited any more."""
        with self.write() as db:
            if db.executemany("DELETE FROM documents WHERE path = ?", [(path,) for path in paths]).rowcount > 0:
                _advance(db)

    def set_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Replace the list of the files that are left out."""
        with self.write() as db:
            db.execute("DELETE FROM skipped")
            db.executemany(
                "INSERT OR REPLACE INTO skipped VALUES (?, ?)", [(item.path, item.reason) for item in skipped]
            )

    def purge(self) -> list[str]:
        """Delete contents that no document refers to; returns the chunk ids whose vectors must be deleted."""
        with self.write() as db:
            unused = "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM documents)"
            for (content,) in db.execute(unused).fetchall():
                row = db.execute("SELECT text, title, published FROM contents WHERE id = ?", (content,)).fetchone()
                if row["published"]:
                    delete = "INSERT INTO words(words, rowid, text, title) VALUES ('delete', ?, ?, ?)"
                    db.executemany(delete, _words(db, content, row))
                db.execute("INSERT OR IGNORE INTO doomed SELECT chunk FROM chunks WHERE content = ?", (content,))
                for table in ("chunks", "sentences"):
                    db.execute(f"DELETE FROM {table} WHERE content = ?", (content,))
                db.execute("DELETE FROM contents WHERE id = ?", (content,))
            return [row[0] for row in db.execute("SELECT chunk FROM doomed")]

    def forget_doomed(self, chunks: Iterable[str]) -> None:
        """Record that the vectors of these chunk ids are deleted."""
        with self.write() as db:
            db.executemany("DELETE FROM doomed WHERE chunk = ?", ((chunk,) for chunk in chunks))


def search_text(text: str) -> str:
    """`text` in NFKC, with spaces around the letters of scripts that do not separate words."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text))


def _create(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";\n"):
        db.execute(statement)


def _is_as_made_anew(db: sqlite3.Connection) -> bool:
    """Whether tables and word index equal those of a newly made library with the same texts."""
    tables = "SELECT type, name, sql FROM main.sqlite_master ORDER BY name"
    lengths = "SELECT id, sz FROM words_docsize ORDER BY id"
    places = "SELECT term, doc, col, offset FROM temp.places"
    anew = sqlite3.connect("", isolation_level=None)  # a file of SQLite's own, gone when it is closed
    try:
        anew.execute("BEGIN")
        _create(anew)
        for row in db.execute("SELECT id, text, title FROM contents WHERE published"):
            anew.executemany("INSERT INTO words(rowid, text, title) VALUES (?, ?, ?)", _words(db, row["id"], row))
        for library in (db, anew):  # both in a transaction that is rolled back
            library.execute("CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, words, 'instance')")
        return all(
            row is not None and tuple(row) == expected
            for query in (tables, lengths, places)
            for row, expected in itertools.zip_longest(db.execute(query), anew.execute(query))
        )
    finally:
        anew.close()


def _seal(facts: tuple[Any, ...], sentences: Iterable[tuple[Any, ...]]) -> str:
    """A hash over the facts of a content and its sentences (in order of start)."""
    digest = hashlib.sha256(repr(facts).encode())
    for sentence in sentences:
        digest.update(repr(sentence).encode())
    return digest.hexdigest()


def _document_seal(path: str, key: str) -> str:
    """A hash over a path and the key of its content."""
    return hashlib.sha256(repr((path, key)).encode()).hexdigest()[:16]


def _blank_line_before(text: str, position: int) -> int:
    """Where the last blank line before `position` begins; it may hold white space. -1 when there is none."""
    window = 4096
    while True:
        start = max(0, position - window)
        *_, last = itertools.chain([None], _BLANK_LINE.finditer(text, start, position))
        if last or not start:
            return last.start() if last else -1
        window *= 4  # a blank line may lie across the edge of the smaller window


def _slice(text: str, sentences: Sequence[Sentence]) -> str:
    return text[sentences[0].start : sentences[-1].end] if sentences else ""


def _signature(file: File) -> tuple[int, str, str]:
    size, mtime_ns, inode = file.signature
    return size, str(mtime_ns), str(inode)


def _cover(text: str, intervals: Sequence[Sentence] | Sequence[Chunk]) -> bool:
    """Whether the intervals lie inside the text and cover all of it except white space."""
    at = 0
    for interval in intervals:
        if not 0 <= interval.start < interval.end <= len(text) or text[at : interval.start].strip():
            return False
        at = max(at, interval.end)
    return not text[at:].strip()


def _words(db: sqlite3.Connection, content: int, row: sqlite3.Row) -> list[tuple[int, str, str]]:
    chunks = db.execute('SELECT id, start, "end" FROM chunks WHERE content = ?', (content,))
    title = search_text(row["title"])
    return [(number, search_text(row["text"][start:end]), title) for number, start, end in chunks]


def _count_term(db: sqlite3.Connection, known: dict[str, int], stem: str) -> int:
    """In how many chunks a term stands. SQLite scans all of them to count, so counts are remembered in `known`."""
    if stem not in known:
        row = db.execute("SELECT doc FROM terms WHERE term = ?", (stem,)).fetchone()
        if row is None:
            return 0  # not remembered: there is no limit to the number of unknown terms
        known[stem] = row[0]
    return known[stem]


def _active(documents: Sequence[str] | None) -> tuple[str, tuple[Any, ...]]:
    """SQL for the ids of the contents a question may use, and its values."""
    if documents is None:
        return "SELECT content FROM documents", ()
    return "SELECT content FROM documents WHERE path IN (SELECT value FROM json_each(?))", (
        json.dumps(list(documents)),
    )


def _advance(db: sqlite3.Connection) -> None:
    db.execute(
        "INSERT INTO meta VALUES ('generation', '1')"
        " ON CONFLICT(name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
    )


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino
