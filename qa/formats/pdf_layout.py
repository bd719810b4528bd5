"""Pieces of lines on pages → lines of text in reading order: columns, tables, paragraphs, headings, running heads.

A PDF stores where letters are on the page, and no structure. This module guesses the order of the text, its paragraphs
and its headings. It adds no characters except the " | " between cells, and drops none except hyphens at line ends.
"""

import itertools
import re
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import nupunkt

from qa.formats.blocks import Line
from qa.formats.marks import shown
from qa.formats.pdf_pages import FIELD
from qa.formats.plain import ITEM, starts_item
from qa.schema import Kind

EDGE_ROWS = 3  # rows at the top and at the bottom of a page that can be running heads
HEADING_SIZE = 1.12  # a heading is at least this many times as large as most text
HEADING_CHARS = 150
COLUMN_CHARS = 20  # lines of prose are longer; cells of tables are mostly shorter
COLUMN_ROWS = 3
MAX_PIECES = 2000  # columns are not looked for in a page with more pieces
MAX_GUTTERS = 8  # candidates that are examined: those that the fewest pieces cross
MAX_CELLS = 100  # the cells of a longer row are not aligned with the header's
TAIL_CHARS = 200  # the end of a paragraph, which shows whether it is complete
PARAGRAPH_CHARS = 10_000  # a paragraph is cut there: the work grows with the square of its length

_SOFT = "\xad"
_MARK = re.compile(r"(?:[•◦▪●○■–—*\uf0b7\uf0a7-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\Z")
_END = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*(?:\x04[^\x05]*\x05)?\Z")
_HYPHEN = re.compile(r"[^\W_]-\Z")
_LEADERS = re.compile(r"(?:\.[ ]?){4,}[ ]*\S{1,6}\Z")  # the dots and page number in a table of contents
_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LINKING = frozenset("in of to the and or by up on at de la le du der und".split())  # between parts of a compound
_PREFIXES = frozenset("self ex well non all half cross".split())  # parts that take a hyphen
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words side by side on one line. The coordinates are in points from the top left corner of the page."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


_Row = list[Piece]
"""Pieces on one base line, from left to right."""


@dataclass(frozen=True, slots=True)
class _Type:
    """The typography of the document."""

    size: float  # height of most text
    gap: float  # vertical distance between the lines of a paragraph
    levels: dict[float, int]  # size of text → level of a heading
    hyphenated: frozenset[str]  # words with a hyphen that stand within a line, also without their last parts
    words: frozenset[str]  # words without one


def page_lines(pages: Sequence[Sequence[Piece]]) -> list[Line]:
    """All text of the pages in reading order; running heads and page numbers have the kind "rule"."""
    all_rows = [_rows(page) for page in pages]
    edges = _edges(all_rows)
    bodies = [[row for row in rows if id(row) not in edges] for rows in all_rows]
    columns = [_columns([piece for row in rows for piece in row]) for rows in bodies]
    set_in = _type([row for page in columns for column in page for row in column])
    lines: list[Line] = []
    last = _LastTable()
    for number, (rows, page) in enumerate(zip(all_rows, columns, strict=True), 1):
        first_body = next((row[0].top for row in rows if id(row) not in edges), 0.0)
        running = [
            (row[0].top < first_body, Line(_joined(row), "rule", page=number)) for row in rows if id(row) in edges
        ]
        body = [line for column in page for line in _column_lines(column, number, set_in, last)]
        lines += [line for above, line in running if above]
        lines += body
        lines += [line for above, line in running if not above]
    return _continued(lines, set_in)


# -- rows and running heads --------------------------------------------------------------------


def _rows(pieces: Sequence[Piece]) -> list[_Row]:
    """The pieces grouped by base line, from top to bottom; a lone bullet or number is joined to the text it marks."""
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda piece: (piece.middle, piece.left)):
        row = rows[-1] if rows else None
        if row and abs(piece.middle - row[0].middle) < min(piece.height, row[0].height) / 2:
            row.append(piece)
        else:
            rows.append([piece])
    return [_with_marks(sorted(row, key=lambda piece: piece.left)) for row in rows]


def _with_marks(row: _Row) -> _Row:
    if len(row) < 2 or not _MARK.match(row[0].text) or row[1].left - row[0].right > 4 * row[1].height:
        return row
    mark, text = row[0], row[1]
    sign = "•" if mark.text in "\uf0b7\uf0a7" else mark.text
    return [replace(text, text=f"{sign} {text.text}", left=mark.left), *row[2:]]


def _joined(row: _Row) -> str:
    return " ".join(piece.text for piece in row).replace(_SOFT, "-")


def _edges(pages: Sequence[Sequence[_Row]]) -> set[int]:
    """The `id()`s of the running heads: rows at the top or bottom of a page that are repeated on other pages.

    A page number may differ in them.
    """
    found: dict[tuple[bool, str], list[tuple[int, _Row]]] = {}
    for number, rows in enumerate(pages):
        near = [(True, row) for row in rows[:EDGE_ROWS]] + [(False, row) for row in rows[-EDGE_ROWS:]]
        for is_top, row in near:
            text = _joined(row)
            for key in {text, *_counted(text, number)}:
                found.setdefault((is_top, key), []).append((number, row))
    needed = 2 if len(pages) < 6 else 3
    edges = {
        id(row)
        for places in found.values()
        if len({number for number, _ in places}) >= needed and _same_place([row for _, row in places])
        for _, row in places
    }
    kept: set[int] = set()
    for rows in pages:  # nothing else stands between a running head and the edge of the page
        for run in (rows[:EDGE_ROWS], rows[: -EDGE_ROWS - 1 : -1]):
            kept |= set(itertools.takewhile(edges.__contains__, map(id, run)))
    return kept if any(id(row) not in kept for rows in pages for row in rows) else set()


def _counted(text: str, page: int) -> Iterator[str]:
    """The text with each of its numbers in turn replaced by its difference from the page's number."""
    for match in itertools.islice(_NUMBER.finditer(text), 4):
        if len(match[0]) < 6:
            yield f"{text[: match.start()]}\0{int(match[0]) - page}\0{text[match.end() :]}"


def _same_place(rows: Sequence[_Row]) -> bool:
    tops = [row[0].top for row in rows]
    return max(tops) - min(tops) < 3 * rows[0][0].height


# -- columns -----------------------------------------------------------------------------------


def _columns(pieces: Sequence[Piece]) -> list[list[_Row]]:
    """The rows of each column in reading order.

    A piece that crosses the columns, such as a title, separates the columns above it from those below it.
    """
    gutter = _gutter(pieces) if len(pieces) <= MAX_PIECES else None
    if gutter is None:
        return [_rows(pieces)] if pieces else []
    left = [piece for piece in pieces if piece.right <= gutter]
    right = [piece for piece in pieces if piece.left >= gutter]
    crossing = sorted((piece for piece in pieces if piece.left < gutter < piece.right), key=lambda piece: piece.middle)
    columns: list[list[_Row]] = []
    above: list[Piece] = []  # crossing pieces since the last columns
    start = float("-inf")
    for piece in [*crossing, None]:
        end = piece.middle if piece else float("inf")
        sides = [[member for member in side if start <= member.middle < end] for side in (left, right)]
        if any(sides) and above:
            columns.append(_rows(above))
            above = []
        for side in sides:
            columns += _columns(side)
        above += [piece] if piece else []
        start = end
    return columns + ([_rows(above)] if above else [])


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """The x of a vertical gap between two columns of prose that fewer than a third of the pieces cross, else None."""
    lefts, rights = sorted(piece.left for piece in pieces), sorted(piece.right for piece in pieces)
    crossed = {edge: bisect_right(lefts, edge) - bisect_right(rights, edge) for edge in rights}
    likely = sorted((count, edge) for edge, count in crossed.items() if 3 * count < len(pieces))
    best: tuple[int, float, float] | None = None
    for crossing, edge in likely[:MAX_GUTTERS]:
        left = [piece for piece in pieces if piece.right <= edge]
        right = [piece for piece in pieces if piece.left > edge]
        if not (_is_prose(left) and _is_prose(right)):
            continue
        width = min(piece.left for piece in right) - edge
        low = min(max(piece.bottom for piece in side) for side in (left, right))
        high = max(min(piece.top for piece in side) for side in (left, right))
        if width >= 5 and low - high >= 2 * left[0].height:
            best = min(best or (crossing, -width, edge), (crossing, -width, edge))
    return best[2] - best[1] / 2 if best else None


def _is_prose(pieces: Sequence[Piece]) -> bool:
    """Whether most of the text is in lines as wide as the column. That is so in prose, and not in tables."""
    if not pieces:
        return False
    width = max(piece.right for piece in pieces) - min(piece.left for piece in pieces)
    full = [len(piece.text) for piece in pieces if piece.right - piece.left > 0.7 * width]
    return (
        len(full) >= COLUMN_ROWS
        and 2 * sum(full) > sum(len(piece.text) for piece in pieces)
        and statistics.median(full) >= COLUMN_CHARS
    )


# -- lines of a column -------------------------------------------------------------------------


def _type(rows: Sequence[_Row]) -> _Type:
    sizes: Counter[float] = Counter()
    for row in rows:
        sizes[_size(row)] += sum(len(piece.text) for piece in row)
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    gaps = [
        after[0].top - row[0].bottom for row, after in itertools.pairwise(rows) if _size(row) == _size(after) == size
    ]
    near = [gap for gap in gaps if -size < gap < size]
    larger = sorted((other for other in sizes if other > HEADING_SIZE * size), reverse=True)
    words = {word.lower() for row in rows for piece in row for word in _COMPOUND.findall(piece.text)}
    hyphenated = {word[: match.start()] for word in words for match in re.finditer(r"-|\Z", word) if "-" in word}
    return _Type(
        size=size,
        gap=statistics.median_low(near) if near else 0.0,
        levels={other: min(level, 6) for level, other in enumerate(larger, 1)},
        hyphenated=frozenset(word for word in hyphenated if "-" in word),
        words=frozenset(word for word in words if "-" not in word),
    )


def _size(row: _Row) -> float:
    return round(2 * max(piece.height for piece in row)) / 2


class _LastTable:
    """The table that the text so far ends with: its header names the columns of its rows on the next page."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.header: _Row = []
        self.page: int | None = None  # on which it ends; None when other text follows it

    def continued(self, rows: Sequence[_Row], first: str, page: int) -> bool:
        """Whether the rows go on with it: on the next page, under the same columns, without a header of their own."""
        if self.page != page - 1 or first == " | ".join(self.names):
            return False
        widest = max(rows[:COLUMN_ROWS], key=len)
        same = len(widest) == len(self.header)
        return same and all(abs(one.left - other.left) < 6 for one, other in zip(widest, self.header, strict=True))


def _column_lines(rows: Sequence[_Row], page: int, set_in: _Type, last: _LastTable) -> Iterator[Line]:
    """The lines of a column: neighbouring rows of several pieces are a table, the others are paragraphs."""
    for is_table, run in _runs(rows):
        if is_table:
            texts = list(_table(run))
            going_on = last.continued(run, texts[0], page)
            names = last.names if going_on else ()
            yield from (Line(text, "row", page=page, apart=at == 0, columns=names) for at, text in enumerate(texts))
            if not going_on:
                last.names, last.header = tuple(shown(piece.text)[0] for piece in run[0]), run[0]
            last.page = page
        else:
            last.page = None
            yield from _paragraphs(run, page, set_in)


def _runs(rows: Sequence[_Row]) -> Iterator[tuple[bool, list[_Row]]]:
    """(is a table, rows) for each table and for the rows between tables.

    A row of one piece that stands under a cell, other than the first, continues that cell.
    """
    tables = [len(row) > 1 for row in rows]
    for at, row in enumerate(rows):
        if at and tables[at - 1] and not tables[at] and _is_continuation(row, rows[at - 1]):
            tables[at] = True
    for is_table, numbers in itertools.groupby(range(len(rows)), key=lambda at: tables[at]):
        run = [rows[at] for at in numbers]
        for part in _parted(run) if is_table else [run]:
            yield is_table and len(part) > 1, part


def _parted(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Cut at each gap that is wider than usual: there a table ends and the next one begins."""
    gaps = [after[0].top - row[0].bottom for row, after in itertools.pairwise(rows)]
    usual = statistics.median_low(gaps) if gaps else 0.0
    part = [rows[0]]
    for gap, row in zip(gaps, rows[1:], strict=True):
        if gap > max(usual, 0) + 1.5 * row[0].height:
            yield part
            part = []
        part.append(row)
    yield part


def _is_continuation(row: _Row, before: _Row) -> bool:
    close = row[0].top - before[0].bottom < row[0].height / 2
    return close and row[0].left > before[0].right and any(abs(row[0].left - cell.left) < 3 for cell in before[1:])


def _table(rows: Sequence[_Row]) -> Iterator[str]:
    """Each row with its cells joined by " | "; when a row has no cell under one of the header's, it stays empty."""
    cells: list[_Row] = []
    for row in rows:
        if cells and len(cells[-1]) <= MAX_CELLS and _is_continuation(row, cells[-1]):
            for piece in row:
                at = min(range(len(cells[-1])), key=lambda n: abs(cells[-1][n].left - piece.left))
                cell = cells[-1][at]
                cells[-1][at] = replace(cell, text=f"{cell.text} {piece.text}", bottom=piece.bottom)
        else:
            cells.append(list(row))
    header = cells[0]
    for row in cells:
        texts = [piece.text.replace(_SOFT, "-") for piece in row]
        places = (
            [min(range(len(header)), key=lambda n: _apart(header[n], piece)) for piece in row]
            if len(row) < len(header) <= MAX_CELLS
            else []
        )
        if places and len(set(places)) == len(places):
            texts = [texts[places.index(at)] if at in places else "" for at in range(len(header))]
        yield " | ".join(texts).strip()


def _apart(one: Piece, other: Piece) -> float:
    """The horizontal distance of two pieces; of overlapping ones a small number that grows with that of their edges."""
    gap = max(one.left - other.right, other.left - one.right)
    return gap if gap > 0 else min(abs(one.left - other.left), abs(one.right - other.right)) / 1000


def _paragraphs(rows: Sequence[_Row], page: int, set_in: _Type) -> Iterator[Line]:
    right = max(row[-1].right for row in rows)
    width = right - min(row[0].left for row in rows)
    run: list[_Row] = []
    text = ""
    for row in rows:
        words = _joined_softly(row)
        if run and _ends(run, text, row, words, set_in, right - width / 4):
            yield _line(text, run, page, set_in)
            run, text = [], ""
        text = _append(text, words, set_in) if run else words
        run.append(row)
    yield _line(text, run, page, set_in)


def _joined_softly(row: _Row) -> str:
    return " ".join(piece.text for piece in row)


def _ends(run: list[_Row], text: str, row: _Row, words: str, set_in: _Type, full: float) -> bool:
    """Whether the paragraph ends before this row."""
    before, height = run[-1], row[0].height
    tail = text[-TAIL_CHARS:]
    indent = row[0].left - before[0].left
    is_item = bool(ITEM.match(text))
    return (
        row[0].top - before[0].bottom > set_in.gap + 0.4 * height
        or row[0].top < before[0].top  # another column
        or abs(_size(row) - _size(before)) > 0.1 * height
        or starts_item(text, words)
        or FIELD in words[:1] + text[:1]
        or bool(_LEADERS.search(tail))
        or len(text) > PARAGRAPH_CHARS
        or (indent > 0.8 * height and not (is_item and len(run) == 1))
        or (indent < -0.8 * height and len(run) > 1)
        or (before[-1].right < full and bool(_END.search(tail)))
    )


def _line(text: str, run: list[_Row], page: int, set_in: _Type) -> Line:
    size = max(map(_size, run))
    text = text.replace(_SOFT, "-")
    level = set_in.levels.get(size, 0)
    if level and len(text) <= HEADING_CHARS and text[-1] not in ".,;:":
        return Line(text, "heading", level, page=page)
    kind: Kind = "rule" if _LEADERS.search(text[-TAIL_CHARS:]) else "item" if ITEM.match(text) else "text"
    return Line(text, kind, page=page)


def _append(text: str, words: str, set_in: _Type) -> str:
    """The text with the next line. A word that was hyphenated at the line end is joined.

    Its hyphen is dropped unless the word is also written with it elsewhere, or is part of a name or number.
    """
    if not text.endswith(_SOFT) and not _HYPHEN.search(text):
        return f"{text} {words}"
    first = text[:-1]
    broken = re.search(r"[^\W\d_]+(?:-[^\W\d_]+)*\Z", first[-TAIL_CHARS:]), _COMPOUND.match(words)
    if broken[0] and broken[1] and broken[1][0][0].islower():
        return (
            f"{first}-{words}" if _keeps_hyphen(broken[0][0].lower(), broken[1][0].lower(), set_in) else first + words
        )
    return f"{first}-{words}"  # in a name or between numbers


def _keeps_hyphen(before: str, after: str, set_in: _Type) -> bool:
    """Whether two parts of a word keep their hyphen: as elsewhere in the document, or as in mother-in-law."""
    if any(f"{before}-{part}" in set_in.hyphenated for part in (after, after.split("-")[0])):
        return True
    if f"{before}{after}" in set_in.words or f"{before}{after.split('-')[0]}" in set_in.words:
        return False
    first, last = before.split("-"), after.split("-")
    return (len(last) > 1 and last[0] in _LINKING) or (len(first) > 1 and first[-1] in _LINKING) or before in _PREFIXES


def _continued(lines: Sequence[Line], set_in: _Type) -> list[Line]:
    """Join paragraphs that continue in the next column, and sentences that continue on the next page.

    Such a sentence belongs to the page on which it begins; the rest of the paragraph belongs to the next page.
    """
    whole: list[Line] = []
    last: int | None = None  # index of the last paragraph, when only running heads follow it
    for line in lines:
        if last is not None and line.kind == "text" and _goes_on(whole[last].text, line.text):
            end = len(line.text) if line.page == whole[last].page else _sentence_end(line.text)
            whole[last] = replace(whole[last], text=_append(whole[last].text, line.text[:end].rstrip(), set_in))
            if not line.text[end:].strip():
                continue
            line = replace(line, text=line.text[end:].strip())
        whole.append(line)
        if line.kind != "rule":
            last = len(whole) - 1 if line.kind in ("text", "item") else None
    return whole


def _sentence_end(text: str) -> int:
    """Where the first sentence ends. `qa.chunks` will find the same end."""
    ends = (end for _, end in nupunkt.sentence_spans(text))
    return next((end for end in ends if not text[end:].lstrip()[:1].islower()), len(text))


def _goes_on(text: str, upcoming: str) -> bool:
    return upcoming[:1].islower() and len(text) <= PARAGRAPH_CHARS and not _END.search(text[-TAIL_CHARS:])
