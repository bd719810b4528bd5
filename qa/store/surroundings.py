"""What stands around a place in a text: the sentences beside it, its table's header row, its headings."""

import itertools
import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from qa.rows import cells
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
        'SELECT p.key, s.start, s."end", s.kind, s.level, s.page, s.locator'
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
    around = db.execute(
        f"SELECT * FROM (SELECT 'before', {SENTENCE} FROM sentences WHERE content = ? AND start < ? AND kind != 'rule'"
        "  ORDER BY start DESC LIMIT ?)"
        f" UNION ALL SELECT * FROM (SELECT 'own', {SENTENCE} FROM sentences WHERE content = ? AND start <= ?"
        '  AND "end" > ? ORDER BY start DESC LIMIT 1)'
        f" UNION ALL SELECT * FROM (SELECT 'after', {SENTENCE} FROM sentences WHERE content = ? AND start >= ?"
        "  AND kind NOT IN ('rule', 'heading') ORDER BY start LIMIT 1)",
        (content, start, MAX_ITEMS, content, start, start, content, end),
    ).fetchall()
    before, own, after = (
        [Sentence(*row[1:]) for row in around if row[0] == side] for side in ("before", "own", "after")
    )
    if own and own[0].kind == "item":
        before = [sentence for sentence in before if sentence.kind != "item"]
    elif own and own[0].kind == "row":
        header = header_row(db, content, text, start)
        before = [header] if header else [sentence for sentence in before[:1] if sentence.kind != "row"]
    if before and before[0].kind == "heading":
        before = []  # shown already as the quote's `heading`
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
    return headings(db, [(content, text, position)])[0]


def headings(db: sqlite3.Connection, places: Sequence[tuple[int, str, int]]) -> list[str | None]:
    """For each (content, its text, position) the headings above it, as `heading` gives them; one query for all."""
    paths: list[list[str]] = [[] for _ in places]
    # Each step goes to the last heading of a higher level. It ends at the top: a long document has many headings.
    rows = db.execute(
        'WITH RECURSIVE above(place, content, start, "end", level) AS ('
        " SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]') + 1, NULL, 1000000 FROM json_each(?)"
        ' UNION ALL SELECT above.place, s.content, s.start, s."end", s.level FROM above JOIN sentences s'
        "  ON s.content = above.content AND s.start = (SELECT h.start FROM sentences h INDEXED BY headings"
        "   WHERE h.content = above.content AND h.kind = 'heading' AND h.start < above.start AND h.level < above.level"
        "   ORDER BY h.start DESC LIMIT 1) WHERE above.level > 1)"
        ' SELECT place, start, "end" FROM above WHERE "end" IS NOT NULL ORDER BY place, start',
        (json.dumps([(content, position) for content, _, position in places]),),
    )
    for place, start, end in rows:
        paths[place].append(_HEADING_MARKS.sub("", places[place][1][start:end]).strip())
    return [" › ".join(path) or None for path in paths]


def with_columns(
    db: sqlite3.Connection, content: int, text: str, sentences: Sequence[Sentence]
) -> tuple[Sentence, ...]:
    """The sentences in order, each table row with the names of its cells' columns: those of the format, else of the
    table's first row. The first row itself has none."""
    rows = [sentence for sentence in sentences if sentence.kind == "row"]
    if not rows:
        return tuple(sentences)
    stored = dict(
        db.execute(
            "SELECT start, names FROM columns WHERE content = ? AND start BETWEEN ? AND ?",
            (content, rows[0].start, rows[-1].start),
        ).fetchall()
    )
    named: list[Sentence] = []
    header: Sentence | None = None
    for sentence in sentences:
        if sentence.kind != "row":
            named.append(sentence)
            continue
        between = text[named[-1].end : sentence.start] if named and named[-1].kind == "row" else ""
        if not (named and named[-1].kind == "row") or len(between.splitlines()) > 1:  # else the same table goes on
            header = header_row(db, content, text, sentence.start)
        elif header is None:
            header = replace(named[-1], columns=())
        if sentence.start in stored:
            columns = tuple(json.loads(stored[sentence.start]))
        else:
            above = text[header.start : header.end] if header else None
            columns = tuple(cell.name for cell in cells(text[sentence.start : sentence.end], above)) if above else ()
        named.append(replace(sentence, columns=columns))
    return tuple(named)


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
