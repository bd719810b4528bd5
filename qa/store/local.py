"""SQLite: documents, sentences, chunks and their BM25 index; the single source of truth for text and offsets.

A content is a text with its title and date. It is stored once, however many files hold it. It is pending until all
its vectors are written; then it is published in one transaction. Chunk ids whose vectors must still be deleted are
in the table `doomed`. When a writer is stopped, what is published is complete, and the next run does the rest.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from cachetools import LRUCache

from qa.embed import passage_text
from qa.errors import StoreDamaged, StoreError
from qa.folder import File
from qa.schema import Chunk, Document, Sentence
from qa.stages import Passage
from qa.store import surroundings
from qa.store.bm25 import WordIndex, active_contents, add_words, delete_words, words_of
from qa.store.disk import damaged
from qa.store.integrity import (
    FACTS,
    check_document_seals,
    check_intervals,
    check_pages,
    check_tables,
    checked_text,
    document_seal,
    seal,
)
from qa.store.limits import LIMITS, Limits
from qa.store.records import Records, advance, note_reading, signature_values


class Library(Records):
    """One store's SQLite file. Safe to share between threads; one process writes (see `qa.store.place`)."""

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        super().__init__(path)
        self._words = WordIndex(limits)
        limit = limits.cached_chars  # a text that is longer than that is cached alone
        self._texts: LRUCache[int, str] = LRUCache(limit, getsizeof=lambda text: min(len(text), limit))
        self._caching = threading.Lock()

    # -- what the store is ---------------------------------------------------------------------

    def count_chunks(self, documents: Sequence[str] | None = None, *, max_count: int | None = None) -> int:
        """How many chunks a question may be answered from. With a filter, counting stops at `max_count`."""
        with self.read() as db:
            if documents is None:
                return self._words.count_chunks(db, self.generation())
            active, values = active_contents(documents)
            counted = f"SELECT count(*) FROM (SELECT 1 FROM chunks WHERE content IN ({active}) LIMIT ?)"
            return int(db.execute(counted, (*values, -1 if max_count is None else max_count)).fetchone()[0])

    def chunk_ids(self, documents: Sequence[str] | None = None) -> list[str]:
        """The ids of those chunks."""
        with self.read() as db:
            active, values = active_contents(documents)
            rows = db.execute(f"SELECT chunk FROM chunks WHERE content IN ({active}) ORDER BY id", values)
            return [row[0] for row in rows]

    # -- reading -------------------------------------------------------------------------------

    def search(self, question: str, limit: int, documents: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """(chunk id, BM25 score, higher is better) of the best chunks, best first; ties by id of the chunk."""
        with self.read() as db:
            return self._words.search(db, self.generation(), question, limit, documents)

    def places(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> dict[str, tuple[str, int]]:
        """Chunk id → (first document, start) of the published passages among these ids that the filter leaves."""
        allowed = None if documents is None else json.dumps(list(documents))
        with self.read() as db:
            rows = db.execute(
                "SELECT k.chunk, min(d.path), k.start FROM chunks k JOIN documents d ON d.content = k.content"
                " WHERE k.chunk IN (SELECT value FROM json_each(?))"
                " AND (? IS NULL OR d.path IN (SELECT value FROM json_each(?))) GROUP BY k.chunk",
                (json.dumps(list(chunks)), allowed, allowed),
            )
            return {chunk: (path, start) for chunk, path, start in rows}

    def passages(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> list[Passage]:
        """The published passages among these chunk ids, in their order.

        Ids that are unpublished, deleted or excluded by the filter are skipped.
        """
        allowed = None if documents is None else frozenset(documents)
        with self.read() as db:
            rows = db.execute(
                'SELECT k.chunk, k.start, k."end", c.id, c.key, c.title, c.date, c.sha256 FROM chunks k'
                " JOIN contents c ON c.id = k.content"
                " WHERE k.chunk IN (SELECT value FROM json_each(?)) AND c.id IN (SELECT content FROM documents)",
                (json.dumps(list(chunks)),),
            ).fetchall()
            by_id = {row["chunk"]: row for row in rows}
            wanted = [by_id[chunk] for chunk in chunks if chunk in by_id]
            sentences = surroundings.sentences_of_passages(
                db, [(row["id"], row["start"], row["end"]) for row in wanted]
            )
            texts = [self.text(row["id"]) for row in wanted]
            starts = [next((one.start for one in found if one.kind != "heading"), -1) for found in sentences]
            headings = surroundings.headings(
                db, [(row["id"], text, start) for row, text, start in zip(wanted, texts, starts, strict=True)]
            )
            return [
                _passage(row, kept, text, heading, surroundings.with_columns(db, row["id"], text, found))
                for row, text, heading, found in zip(wanted, texts, headings, sentences, strict=True)
                if (kept := tuple(path for path in self._checked_paths(db, row) if allowed is None or path in allowed))
            ]

    def _checked_paths(self, db: sqlite3.Connection, row: sqlite3.Row) -> tuple[str, ...]:
        """The documents that hold the passage."""
        if row["chunk"] != f"{row['key']}-{row['start']}-{row['end']}":
            raise damaged(self.path, "a passage is out of place")
        paths = self._paths(db, row["id"])
        if not paths:
            raise damaged(self.path, "an index does not match its table")
        return paths

    def _paths(self, db: sqlite3.Connection, content: int) -> tuple[str, ...]:
        rows = db.execute(
            "SELECT d.path, c.key, d.seal FROM documents d JOIN contents c ON c.id = d.content"
            " WHERE d.content = ? ORDER BY d.path",
            (content,),
        ).fetchall()
        check_document_seals(rows, self.path)
        return tuple(row[0] for row in rows)

    def text(self, content: int) -> str:
        """The whole text of a content; raises StoreDamaged when it is not the text that was indexed."""
        with self._caching:
            if text := self._texts.get(content):
                return text
        text = self._stored_text(content)
        with self._caching:
            self._texts[content] = text
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
            check_document_seals([row], self.path)
            return self.text(row["content"])

    def _stored_text(self, content: int) -> str:
        with self.read() as db:
            row = db.execute(f"SELECT text, seal, {FACTS} FROM contents WHERE id = ?", (content,)).fetchone()
            if row is None:
                raise StoreError("a document was replaced while it was being read; ask again.")
            return checked_text(db, content, row, self.path)

    def sentences(self, content: int, start: int, end: int) -> list[Sentence]:
        """The sentences that overlap `start:end`, in order."""
        with self.read() as db:
            return surroundings.sentences_in(db, content, start, end)

    def context(self, content: int, start: int, end: int) -> tuple[str, str]:
        """(before, after): the context that is shown beside a quote of the sentences `start:end`."""
        with self.read() as db:
            return surroundings.context(db, content, self.text(content), start, end)

    def header_row(self, content: int, start: int) -> Sentence | None:
        """The first row of the table whose row starts at `start`; None when that is the first row itself."""
        with self.read() as db:
            return surroundings.header_row(db, content, self.text(content), start)

    def heading(self, content: int, position: int) -> str | None:
        """The headings above `position`, the outermost first, joined by " › "."""
        with self.read() as db:
            return surroundings.heading(db, content, self.text(content), position)

    def verify(self) -> None:
        """Check everything that is stored; raises StoreDamaged for the first damage that is found."""
        with self.read() as db:
            check_pages(db, self.path)
            for content, key in db.execute("SELECT id, key FROM contents").fetchall():
                text = self._stored_text(content)
                sentences = self.sentences(content, 0, len(text))
                check_intervals(key, text, self.chunks_of(content), sentences, self.path)
            check_tables(db, self.path)
        with self.write() as db:
            db.execute("INSERT INTO words(words) VALUES ('integrity-check')")

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
        ordered = sorted(sentences, key=lambda sentence: sentence.start)
        rows = [(s.start, s.end, s.kind, s.level, s.page, s.locator) for s in ordered]
        columns = [(s.start, json.dumps(s.columns)) for s in ordered if s.columns]
        with self.write() as db:
            db.execute(
                f"INSERT INTO contents(text, seal, {FACTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (document.text, seal(facts, rows, columns), *facts),
            )
            content: int = db.execute("SELECT last_insert_rowid()").fetchone()[0]
            db.executemany("INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?)", ((content, *row) for row in rows))
            db.executemany("INSERT INTO columns VALUES (?, ?, ?)", ((content, *row) for row in columns))
            db.executemany(
                'INSERT INTO chunks(chunk, content, start, "end") VALUES (?, ?, ?, ?)',
                ((chunk.id, content, chunk.start, chunk.end) for chunk in chunks),
            )
            # The same content may have been stored before, and its ids may still be marked for deletion.
            db.execute("DELETE FROM doomed WHERE chunk IN (SELECT chunk FROM chunks WHERE content = ?)", (content,))
        return content

    def embedded_texts(self, path: str) -> dict[str, str]:
        """Text that was embedded → chunk id, of the content that this document has now."""
        with self.read() as db:
            row = db.execute(
                "SELECT id, title FROM contents WHERE id = (SELECT content FROM documents WHERE path = ?)", (path,)
            ).fetchone()
            if row is None:
                return {}
            try:
                text = self._stored_text(row["id"])
            except StoreDamaged:  # it will be replaced; its vectors are not used again
                return {}
            return {
                passage_text(row["title"], text[chunk.start : chunk.end]): chunk.id
                for chunk in self.chunks_of(row["id"])
            }

    def chunks_of(self, content: int) -> list[Chunk]:
        """The chunks of a content, published or not, in order."""
        with self.read() as db:
            rows = db.execute('SELECT chunk, start, "end" FROM chunks WHERE content = ? ORDER BY id', (content,))
            return [Chunk(*row) for row in rows]

    def publish(self, content: int, file: File) -> None:
        """Publish the content and make `file` refer to it. All vectors of the content must be written before."""
        with self.write() as db:
            row = db.execute(
                "SELECT key, sha256, text, title, published FROM contents WHERE id = ?", (content,)
            ).fetchone()
            if not row["published"]:
                add_words(db, words_of(db, content, row["text"], row["title"]))
                db.execute("UPDATE contents SET published = 1 WHERE id = ?", (content,))
            note_reading(db, file, row["sha256"])
            values = (file.name, content, *signature_values(file), document_seal(file.name, row["key"]))
            db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)", values)
            db.execute("DELETE FROM skipped WHERE path = ?", (file.name,))
            advance(db)

    def purge(self) -> list[str]:
        """Delete contents that no document refers to; returns the chunk ids whose vectors must be deleted."""
        with self.write() as db:
            unused = "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM documents)"
            for (content,) in db.execute(unused).fetchall():
                row = db.execute("SELECT text, title, published FROM contents WHERE id = ?", (content,)).fetchone()
                if row["published"]:
                    delete_words(db, words_of(db, content, row["text"], row["title"]))
                db.execute("INSERT OR IGNORE INTO doomed SELECT chunk FROM chunks WHERE content = ?", (content,))
                for table in ("chunks", "sentences", "columns"):
                    db.execute(f"DELETE FROM {table} WHERE content = ?", (content,))
                db.execute("DELETE FROM contents WHERE id = ?", (content,))
            return [row[0] for row in db.execute("SELECT chunk FROM doomed")]

    def forget_doomed(self, chunks: Iterable[str]) -> None:
        """Record that the vectors of these chunk ids are deleted."""
        with self.write() as db:
            db.executemany("DELETE FROM doomed WHERE chunk = ?", ((chunk,) for chunk in chunks))


def _passage(
    row: sqlite3.Row, paths: tuple[str, ...], text: str, heading: str | None, sentences: tuple[Sentence, ...]
) -> Passage:
    return Passage(
        chunk=row["chunk"],
        content=row["id"],
        document=paths[0],
        also_in=paths[1:],
        start=row["start"],
        end=row["end"],
        text=text[row["start"] : row["end"]],
        title=row["title"],
        date=row["date"],
        sha256=row["sha256"],
        heading=heading,
        sentences=sentences,
    )
