"""Pieces of lines on pages → lines of text in reading order: columns, tables, paragraphs, headings, running heads.

A PDF says where letters stand and nothing else. What is guessed here decides the order of the text, what is one
paragraph and what a heading; no letter is added but the " | " between cells, none lost but hyphens at line ends.
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
from qa.formats.plain import ITEM, starts_item
from qa.schema import Kind

EDGE_ROWS = 3  # at the top and bottom of a page that may be running heads
HEADING_SIZE = 1.12  # times the size of most text
HEADING_CHARS = 150
COLUMN_CHARS = 20  # lines of prose are longer, cells of tables mostly shorter
COLUMN_ROWS = 3
MAX_PIECES = 2000  # of a page whose columns are looked for
MAX_GUTTERS = 8  # looked at, those that least crosses
MAX_CELLS = 100  # of a row whose cells are put under the header's
TAIL_CHARS = 200  # of a paragraph tell how it ends
PARAGRAPH_CHARS = 10_000  # a longer one is none: work on it grows with its square

_SOFT = "\xad"
_MARK = re.compile(r"(?:[•◦▪●○■–—*\uf0b7\uf0a7-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\Z")
_END = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*\Z")
_HYPHEN = re.compile(r"[^\W_]-\Z")
_LEADERS = re.compile(r"(?:\.[ ]?){4,}[ ]*\S{1,6}\Z")  # a line of a table of contents
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that stand side by side, in points from the top left corner of the page."""

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
    """How the document is set."""

    size: float  # of most text
    gap: float  # between lines of a paragraph
    levels: dict[float, int]  # of headings, by size
    hyphenated: frozenset[str]  # words that have a hyphen inside a line


def page_lines(pages: Sequence[Sequence[Piece]]) -> list[Line]:
    """All text of the pages; running heads and page numbers are of kind "rule"."""
    all_rows = [_rows(page) for page in pages]
    edges = _edges(all_rows)
    bodies = [[row for row in rows if id(row) not in edges] for rows in all_rows]
    columns = [_columns([piece for row in rows for piece in row]) for rows in bodies]
    set_in = _type([row for page in columns for column in page for row in column])
    lines: list[Line] = []
    for number, (rows, page) in enumerate(zip(all_rows, columns, strict=True), 1):
        first_body = next((row[0].top for row in rows if id(row) not in edges), 0.0)
        running = [
            (row[0].top < first_body, Line(_joined(row), "rule", page=number)) for row in rows if id(row) in edges
        ]
        body = [line for column in page for line in _column_lines(column, number, set_in)]
        lines += [line for above, line in running if above]
        lines += body
        lines += [line for above, line in running if not above]
    return _continued(lines, set_in)


# -- rows and running heads --------------------------------------------------------------------


def _rows(pieces: Sequence[Piece]) -> list[_Row]:
    """The pieces by base line, from top to bottom; lone bullets and numbers joined to what they mark."""
    rows: list[_Row] = []
    for piece in sorted(pieces, key=lambda one: (one.middle, one.left)):
        row = rows[-1] if rows else None
        if row and abs(piece.middle - row[0].middle) < min(piece.height, row[0].height) / 2:
            row.append(piece)
        else:
            rows.append([piece])
    return [_with_marks(sorted(row, key=lambda one: one.left)) for row in rows]


def _with_marks(row: _Row) -> _Row:
    if len(row) < 2 or not _MARK.match(row[0].text) or row[1].left - row[0].right > 4 * row[1].height:
        return row
    mark, text = row[0], row[1]
    sign = "•" if mark.text in "\uf0b7\uf0a7" else mark.text
    return [replace(text, text=f"{sign} {text.text}", left=mark.left), *row[2:]]


def _joined(row: _Row) -> str:
    return " ".join(piece.text for piece in row).replace(_SOFT, "-")


def _edges(pages: Sequence[Sequence[_Row]]) -> set[int]:
    """The ids of rows at the top or bottom of a page that stand on others too, but for a number that counts pages."""
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
    for rows in pages:  # between running heads and the edge of the page is nothing else
        for run in (rows[:EDGE_ROWS], rows[: -EDGE_ROWS - 1 : -1]):
            kept |= set(itertools.takewhile(edges.__contains__, map(id, run)))
    return kept if any(id(row) not in kept for rows in pages for row in rows) else set()


def _counted(text: str, page: int) -> Iterator[str]:
    """The text with each number in turn written as how far it is ahead of the page's."""
    for match in itertools.islice(_NUMBER.finditer(text), 4):
        if len(match[0]) < 6:
            yield f"{text[: match.start()]}\0{int(match[0]) - page}\0{text[match.end() :]}"


def _same_place(rows: Sequence[_Row]) -> bool:
    tops = [row[0].top for row in rows]
    return max(tops) - min(tops) < 3 * rows[0][0].height


# -- columns -----------------------------------------------------------------------------------


def _columns(pieces: Sequence[Piece]) -> list[list[_Row]]:
    """The rows of each column in reading order; what crosses columns parts what is above from what is below."""
    gutter = _gutter(pieces) if len(pieces) <= MAX_PIECES else None
    if gutter is None:
        return [_rows(pieces)] if pieces else []
    left = [one for one in pieces if one.right <= gutter]
    right = [one for one in pieces if one.left >= gutter]
    crossing = sorted((one for one in pieces if one.left < gutter < one.right), key=lambda one: one.middle)
    columns: list[list[_Row]] = []
    above: list[Piece] = []  # crossing pieces that nothing parts so far
    start = float("-inf")
    for piece in [*crossing, None]:
        end = piece.middle if piece else float("inf")
        sides = [[one for one in side if start <= one.middle < end] for side in (left, right)]
        if any(sides) and above:
            columns.append(_rows(above))
            above = []
        for side in sides:
            columns += _columns(side)
        above += [piece] if piece else []
        start = end
    return columns + ([_rows(above)] if above else [])


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """Where a vertical gap parts two columns of prose, crossed by less than a third of the pieces; else None."""
    lefts, rights = sorted(one.left for one in pieces), sorted(one.right for one in pieces)
    crossed = {edge: bisect_right(lefts, edge) - bisect_right(rights, edge) for edge in rights}
    likely = sorted((count, edge) for edge, count in crossed.items() if 3 * count < len(pieces))
    best: tuple[int, float, float] | None = None
    for crossing, edge in likely[:MAX_GUTTERS]:
        left = [one for one in pieces if one.right <= edge]
        right = [one for one in pieces if one.left > edge]
        if not (_is_prose(left) and _is_prose(right)):
            continue
        width = min(one.left for one in right) - edge
        low = min(max(one.bottom for one in side) for side in (left, right))
        high = max(min(one.top for one in side) for side in (left, right))
        if width >= 5 and low - high >= 2 * left[0].height:
            best = min(best or (crossing, -width, edge), (crossing, -width, edge))
    return best[2] - best[1] / 2 if best else None


def _is_prose(pieces: Sequence[Piece]) -> bool:
    """Whether most of the text is in lines that run from one side to the other, as in columns and not in tables."""
    if not pieces:
        return False
    width = max(one.right for one in pieces) - min(one.left for one in pieces)
    full = [len(one.text) for one in pieces if one.right - one.left > 0.7 * width]
    return (
        len(full) >= COLUMN_ROWS
        and 2 * sum(full) > sum(len(one.text) for one in pieces)
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
    larger = sorted((one for one in sizes if one > HEADING_SIZE * size), reverse=True)
    words = (word for row in rows for piece in row for word in re.findall(r"[^\W\d_]+-[^\W\d_]+", piece.text))
    return _Type(
        size=size,
        gap=statistics.median_low(near) if near else 0.0,
        levels={one: min(level, 6) for level, one in enumerate(larger, 1)},
        hyphenated=frozenset(word.lower() for word in words),
    )


def _size(row: _Row) -> float:
    return round(2 * max(piece.height for piece in row)) / 2


def _column_lines(rows: Sequence[_Row], page: int, set_in: _Type) -> Iterator[Line]:
    """Tables (neighbouring rows of several pieces) as rows, the rest as paragraphs."""
    for is_table, run in _runs(rows):
        if is_table:
            yield from (Line(text, "row", page=page, apart=at == 0) for at, text in enumerate(_table(run)))
        else:
            yield from _paragraphs(run, page, set_in)


def _runs(rows: Sequence[_Row]) -> Iterator[tuple[bool, list[_Row]]]:
    """Tables and what is between them. A row of one piece under a later cell goes on with that cell."""
    tables = [len(row) > 1 for row in rows]
    for at, row in enumerate(rows):
        if at and tables[at - 1] and not tables[at] and _is_continuation(row, rows[at - 1]):
            tables[at] = True
    for is_table, numbers in itertools.groupby(range(len(rows)), key=lambda at: tables[at]):
        run = [rows[at] for at in numbers]
        for part in _parted(run) if is_table else [run]:
            yield is_table and len(part) > 1, part


def _parted(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """One table below the other: between them is more room than between rows."""
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
    return close and row[0].left > before[0].right and any(abs(row[0].left - one.left) < 3 for one in before[1:])


def _table(rows: Sequence[_Row]) -> Iterator[str]:
    """Each row's cells joined by " | "; a cell missing under the header's stays empty."""
    cells: list[_Row] = []
    for row in rows:
        if cells and len(cells[-1]) <= MAX_CELLS and _is_continuation(row, cells[-1]):
            for piece in row:
                at = min(range(len(cells[-1])), key=lambda n: abs(cells[-1][n].left - piece.left))
                one = cells[-1][at]
                cells[-1][at] = replace(one, text=f"{one.text} {piece.text}", bottom=piece.bottom)
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
    """How far two pieces are from standing one above the other."""
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
    """The text with the next line; a word that the line end parts becomes whole, without its hyphen if it has none."""
    if not text.endswith(_SOFT) and not _HYPHEN.search(text):
        return f"{text} {words}"
    first = text[:-1]
    broken = re.search(r"[^\W\d_]+\Z", first[-TAIL_CHARS:]), re.match(r"[^\W\d_]+", words)
    if broken[0] and broken[1] and broken[1][0][0].islower():
        known = f"{broken[0][0]}-{broken[1][0]}".lower() in set_in.hyphenated
        return f"{first}-{words}" if known else first + words
    return f"{first}-{words}"  # of a name or of numbers


def _continued(lines: Sequence[Line], set_in: _Type) -> list[Line]:
    """Paragraphs that go on in the next column made whole, and sentences that go on on the next page.

    Such a sentence is of the page that it begins on, what follows of its own.
    """
    whole: list[Line] = []
    last: int | None = None  # of the last paragraph; only running heads behind it
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
    """Where the first sentence ends, as `qa.chunks` will find it."""
    ends = (end for _, end in nupunkt.sentence_spans(text))
    return next((end for end in ends if not text[end:].lstrip()[:1].islower()), len(text))


def _goes_on(text: str, upcoming: str) -> bool:
    return upcoming[:1].islower() and len(text) <= PARAGRAPH_CHARS and not _END.search(text[-TAIL_CHARS:])
