"""What stands around a place in a text: the sentences beside it, its table's header row, its headings."""

import itertools
import json
import math
import re
import sqlite3
from collections.abc import Sequence

from qa.schema import Sentence
from qa.store.integrity import SENTENCE

_HEADING_MARKS = re.compile(r"\A#{1,6}[ \t]+|[ \t]+#+\s*\Z|\r?\n[=-]+\s*\Z")  # Markdown's, not the # of "C#"
_BLANK_LINE = re.compile(r"(?:\r\n|\n|\r(?!\n))[^\S\r\n]*(?=[\r\n])")
MAX_ITEMS = 200  # of a list, between a quoted item and the sentence that introduces the list


def sentences_in(db: sqlite3.Connection, content: int, start: int, end: int) -> list[Sentence]:
    """The sentences that overlap `start:end`, in order."""
    # No sentence starts inside another, so the last one that starts at or before `start` is the first.
    rows = db.execute(
        f"SELECT {SENTENCE} FROM sentences WHERE content = ? AND start < ? AND start >= coalesce("
        ' (SELECT max(start) FROM sentences WHERE content = ? AND start <= ?), 0) AND "end" > ? ORDER BY start',
        (content, end, content, start, start),
    )
    return [Sentence(*row) for row in rows]


def sentences_of_passages(db: sqlite3.Connection, passages: Sequence[tuple[int, int, int]]) -> list[list[Sentence]]:
    """For each (content, start, end) the sentences that overlap it, in order; one query for all."""
    found: list[list[Sentence]] = [[] for _ in passages]
    rows = db.execute(
        f"SELECT p.key, {', '.join('s.' + name.strip() for name in SENTENCE.split(','))}"
        " FROM (SELECT key, json_extract(value, '$[0]') AS content, json_extract(value, '$[1]') AS start,"
        " json_extract(value, '$[2]') AS stop FROM json_each(?)) p"
        " JOIN sentences s ON s.content = p.content AND s.start < p.stop AND s.start >= coalesce("
        " (SELECT max(start) FROM sentences WHERE content = p.content AND start <= p.start), 0)"
        ' AND s."end" > p.start ORDER BY p.key, s.start',
        (json.dumps(passages),),
    )
    for number, *sentence in rows:
        found[number].append(Sentence(*sentence))
    return found


def context(db: sqlite3.Connection, content: int, text: str, start: int, end: int) -> tuple[str, str]:
    """(before, after): the context of the sentences `start:end` that is shown beside a quote. Either may be empty.

    For a list item, `before` is the sentence that introduces the list; for a table row, the table's first row. A
    heading or a blank line ends a table.
    """
    earlier = db.execute(
        f"SELECT {SENTENCE} FROM sentences WHERE content = ? AND start < ? AND kind != 'rule'"
        " ORDER BY start DESC LIMIT ?",
        (content, start, MAX_ITEMS),
    ).fetchall()
    later = db.execute(
        f"SELECT {SENTENCE} FROM sentences WHERE content = ? AND start >= ?"
        " AND kind NOT IN ('rule', 'heading') ORDER BY start LIMIT 1",
        (content, end),
    ).fetchall()
    own = sentences_in(db, content, start, end)
    before = [Sentence(*row) for row in earlier]
    if own and own[0].kind == "item":
        before = [sentence for sentence in before if sentence.kind != "item"]
    elif own and own[0].kind == "row":
        header = header_row(db, content, text, start)
        before = [header] if header else [sentence for sentence in before[:1] if sentence.kind != "row"]
    if before and before[0].kind == "heading":
        before = []  # shown already as the quote's `heading`
    after = [Sentence(*row) for row in later]
    return _slice(text, before[:1]), _slice(text, after)


def header_row(db: sqlite3.Connection, content: int, text: str, start: int) -> Sentence | None:
    """The first row of the table whose row starts at `start`; None when that is the first row itself.

    A blank line ends a table, and so does a sentence that is not a row.
    """
    top = _blank_line_before(text, start)
    outside = db.execute(
        "SELECT start FROM sentences WHERE content = ? AND start > ? AND start < ?"
        " AND kind NOT IN ('row', 'rule') ORDER BY start DESC LIMIT 1",
        (content, top, start),
    ).fetchone()
    row = db.execute(
        f"SELECT {SENTENCE} FROM sentences WHERE content = ? AND start > ? AND start < ? AND kind = 'row'"
        " ORDER BY start LIMIT 1",
        (content, outside["start"] if outside else top, start),
    ).fetchone()
    return Sentence(*row) if row else None


def heading(db: sqlite3.Connection, content: int, text: str, position: int) -> str | None:
    """The headings above `position`, the outermost first, joined by " › "."""
    path: list[str] = []
    outermost = math.inf
    rows = db.execute(
        'SELECT start, "end", level FROM sentences INDEXED BY headings'
        " WHERE content = ? AND kind = 'heading' AND start <= ? ORDER BY start DESC",
        (content, position),
    )
    for start, end, level in rows:
        if level < outermost:
            outermost = level
            path.insert(0, _HEADING_MARKS.sub("", text[start:end]).strip())
        if outermost <= 1:
            break  # earlier headings do not apply; a long document has many of them
    return " › ".join(path) or None


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
