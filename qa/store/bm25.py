"""Keyword search: which words of a question are searched for, and BM25 over the chunks' words and titles."""

import bisect
import itertools
import json
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qa.store.database import WORDS_TOKENIZER, Connection
from qa.store.limits import Limits
from qa.words import FUNCTION_WORDS

TITLE_WEIGHT = 0.5  # of a term in the title; in the text it is 1

_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
_TOKEN = re.compile(r"[^\W_][\w\u0300-\u036f]*")  # combining marks belong to their letter


@dataclass(slots=True)
class _Counts:
    """Counts that need a scan of the store; they are valid until the store changes."""

    of: tuple[int, bytes]  # generation, and the word index's own totals: erasing what is dropped changes only these
    chunks: int | None = None
    terms: dict[str, int] = field(default_factory=dict)


class WordIndex:
    """Searches the tables `words` and `terms` of one store. Safe to share between threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._local = threading.local()
        self._counts = _Counts((-1, b""))

    def search(
        self,
        db: sqlite3.Connection,
        generation: int,
        question: str,
        limit: int,
        documents: Sequence[str] | None = None,
    ) -> list[tuple[str, float]]:
        """(chunk id, BM25 score, higher is better) of the best chunks, best first; ties by id of the chunk."""
        query = self._query(db, generation, question)
        if not query:
            return []
        contents, values = active_contents(documents)
        rows = db.execute(
            f"SELECT chunks.chunk, -bm25(words, 1.0, {TITLE_WEIGHT}) AS score FROM words"
            " JOIN chunks ON chunks.id = words.rowid"
            f" WHERE words MATCH ? AND chunks.content IN ({contents}) ORDER BY score DESC, chunks.id LIMIT ?",
            (query, *values, limit),
        ).fetchall()
        return [(row[0], float(row[1])) for row in rows]

    def count_chunks(self, db: sqlite3.Connection, generation: int) -> int:
        """How many chunks are published."""
        counts = self._counts_of(db, generation)
        if counts.chunks is None:
            published = "SELECT count(*) FROM chunks WHERE content IN (SELECT content FROM documents)"
            counts.chunks = int(db.execute(published).fetchone()[0])
        return counts.chunks

    def _counts_of(self, db: sqlite3.Connection, generation: int) -> _Counts:
        """The counts that are valid in this snapshot; empty ones when the store has changed."""
        totals = db.execute("SELECT block FROM words_data WHERE id = 1").fetchone()
        now = (generation, bytes(totals[0]) if totals else b"")
        counts = self._counts
        if counts.of != now:
            counts = self._counts = _Counts(now)
        return counts

    def _query(self, db: sqlite3.Connection, generation: int, question: str) -> str:
        """The FTS5 query: the question's rarest terms, quoted and joined by OR, so that none of them is syntax.

        Function words are searched for only when there are no other words: in a small collection even "how" is rare.
        """
        limits = self._limits
        tokens = list(dict.fromkeys(_TOKEN.findall(search_text(question))))
        tokens = [token for token in tokens if token.lower() not in FUNCTION_WORDS] or tokens
        of_stem = dict(zip(reversed(self._stems(tokens)), reversed(tokens), strict=True))  # the first of each
        known = self._counts_of(db, generation).terms
        counts = {token: _count_term(db, known, stem) for stem, token in of_stem.items() if stem}
        rare = sorted((token for token in counts if counts[token]), key=lambda token: (counts[token], token))
        common = max(limits.common_chunks, limits.common_share * self.count_chunks(db, generation))
        kept = [token for token in rare if counts[token] <= common] or rare[: limits.rare_terms]
        matches = list(itertools.accumulate(counts[token] for token in kept[: limits.max_terms]))
        within = max(1, bisect.bisect_right(matches, limits.max_matches))
        return " OR ".join(f'"{token}"' for token in kept[:within])

    def _stems(self, tokens: list[str]) -> list[str | None]:
        """Each token's form in the index, from SQLite's own tokenizer; None for a token that it drops."""
        stemmer: Connection | None = getattr(self._local, "stemmer", None)
        if stemmer is None:
            db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            stemmer = Connection(db, None)
            db.execute(f"CREATE VIRTUAL TABLE t USING fts5(w, tokenize='{WORDS_TOKENIZER}')")
            db.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
            self._local.stemmer = stemmer
        db = stemmer.db
        db.execute("BEGIN")
        db.executemany("INSERT INTO t(rowid, w) VALUES (?, ?)", enumerate(tokens))
        stems = dict(db.execute("SELECT doc, term FROM v ORDER BY doc, offset DESC").fetchall())
        db.execute("ROLLBACK")
        return [stems.get(number) for number in range(len(tokens))]


def search_text(text: str) -> str:
    """`text` in NFKC, with spaces around the letters of scripts that do not separate words."""
    return _UNSPACED.sub(r" \1 ", unicodedata.normalize("NFKC", text))


def add_words(db: sqlite3.Connection, words: Sequence[tuple[int, str, str]]) -> None:
    """Add to the word index what `words_of` gives for a content."""
    db.executemany("INSERT INTO words(rowid, text, title) VALUES (?, ?, ?)", words)


def delete_words(db: sqlite3.Connection, words: Sequence[tuple[int, str, str]]) -> None:
    """Delete from the word index what `words_of` gave for a content when it was added."""
    db.executemany("INSERT INTO words(words, rowid, text, title) VALUES ('delete', ?, ?, ?)", words)


def words_of(db: sqlite3.Connection, content: int, text: str, title: str) -> list[tuple[int, str, str]]:
    """(chunk number, text, title) of each chunk of a content, as the word index has them."""
    chunks = db.execute('SELECT id, start, "end" FROM chunks WHERE content = ?', (content,))
    title = search_text(title)
    return [(number, search_text(text[start:end]), title) for number, start, end in chunks]


def _count_term(db: sqlite3.Connection, known: dict[str, int], stem: str) -> int:
    """In how many chunks a term stands. SQLite scans all of them to count, so counts are remembered in `known`."""
    if stem not in known:
        row = db.execute("SELECT doc FROM terms WHERE term = ?", (stem,)).fetchone()
        if row is None:
            return 0  # not remembered: there is no limit to the number of unknown terms
        known[stem] = row[0]
    return known[stem]


def active_contents(documents: Sequence[str] | None) -> tuple[str, tuple[Any, ...]]:
    """SQL for the ids of the contents a question may use, and its values."""
    if documents is None:
        return "SELECT content FROM documents", ()
    return "SELECT content FROM documents WHERE path IN (SELECT value FROM json_each(?))", (
        json.dumps(list(documents)),
    )
