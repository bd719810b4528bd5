"""Merged cells: rows of cells with spans → rows of a grid, with the name of every column.

A cell that reaches down stands in each of its rows, so that a row tells all that it says. A cell that reaches to the
right stands in its first column, the others stay empty: no value moves under another heading.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qa.formats.blocks import Line, table_lines
from qa.formats.marks import has_text, shown

MAX_ACROSS = 1000  # columns that one cell covers, as in HTML
MAX_DOWN = 65_534  # rows that one cell covers, as in HTML
MAX_PLACES = 200_000  # of a table; beyond them spans are not followed
LABEL_CHARS = 120  # a longer cell is no label: it stands only in its first row
MAX_CAPTIONS = 20  # rows above a header
MAX_HEADS = 4  # rows of a table's header
LEVELS = " › "  # between the outer and the inner name of a column


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as the file states it: its text, how many columns and rows it covers, whether it names what is below."""

    text: str
    across: int = 1
    down: int = 1
    is_name: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of a row: the cell that covers it, and whether the cell's text is written here."""

    cell: Cell
    is_written: bool


def grid_lines(rows: Sequence[tuple[str | None, Sequence[Cell]]], *, page: int | None = None) -> Iterator[Line]:
    """The lines of a table with merged cells; cells of a header in several rows are named "Outer › Inner"."""
    places = list(_unfolded([cells for _, cells in rows]))
    full = [[place.cell.text if place.is_written else "" for place in row] for row in places[: MAX_CAPTIONS + 1]]
    first = next((at for at, row in enumerate(full) if sum(map(has_text, row)) > 1), 0)
    heads = _heads(places[first : first + MAX_HEADS + 1])
    names = _names(places[first : first + heads]) if heads > 1 or _has_wide(places[first : first + 1]) else ()
    located = ((locator, _texts(row)) for (locator, _), row in zip(rows, places, strict=True))
    yield from table_lines(located, page=page, heads=heads, columns=names)


def _texts(row: list[_Place]) -> list[str]:
    """The text of each place; those that the last cell only reaches into are left out."""
    while len(row) > 1 and not row[-1].is_written and row[-2].cell is row[-1].cell:
        row.pop()
    return [place.cell.text if place.is_written else "" for place in row]


def _unfolded(rows: Sequence[Sequence[Cell]]) -> Iterator[list[_Place]]:
    """The rows with a place for each column. Spans are not followed beyond MAX_PLACES places."""
    reaching: dict[int, tuple[int, Cell]] = {}  # column → (how many more rows the cell covers, the cell)
    size = 0
    for cells in rows:
        row: list[_Place] = []
        for cell in cells:
            _fill(row, reaching)
            room = size + len(row) < MAX_PLACES
            across = min(cell.across, MAX_ACROSS) if room else 1
            down = min(cell.down, MAX_DOWN) if room else 1
            begin = len(row)
            row += (_Place(cell, is_written=at == 0) for at in range(max(across, 1)))
            if down > 1:
                reaching |= dict.fromkeys(range(begin, len(row)), (down, cell))
        _fill(row, reaching)
        reaching = {column: (left - 1, cell) for column, (left, cell) in reaching.items() if left > 1}
        size += len(row)
        if size > MAX_PLACES:
            reaching.clear()
        yield row


def _fill(row: list[_Place], reaching: dict[int, tuple[int, Cell]]) -> None:
    """Append the cells of rows above that cover the next columns."""
    while len(row) in reaching:
        cell = reaching[len(row)][1]
        is_first = not row or row[-1].cell is not cell
        row.append(_Place(cell, is_written=is_first and len(cell.text) <= LABEL_CHARS))


def _heads(rows: Sequence[Sequence[_Place]]) -> int:
    """How many rows are the header: those of name cells, else those that the first row's merged cells cover."""
    named = 0
    for row in rows[:MAX_HEADS]:
        if not all(place.cell.is_name for place in row if has_text(place.cell.text)):
            break
        named += 1
    if named and named < len(rows):
        return named
    if len(rows) < 3 or not _has_wide(rows[:1]):
        return 1
    deepest = max(place.cell.down for place in rows[0])
    if deepest > 1:
        return min(deepest, MAX_HEADS, len(rows) - 1)
    second = [place.cell.text for place in rows[1] if has_text(place.cell.text)]
    wide = rows[0][0].cell.across > 1
    return 1 if wide or not second or any(sign.isdigit() for text in second for sign in text) else 2


def _has_wide(rows: Sequence[Sequence[_Place]]) -> bool:
    return any(place.cell.across > 1 for row in rows for place in row)


def _names(rows: Sequence[Sequence[_Place]]) -> tuple[str, ...]:
    """The name of each column: what stands above it, from the outer to the inner header cell."""
    width = max((len(row) for row in rows), default=0)
    names = []
    for column in range(width):
        above = [" ".join(shown(row[column].cell.text)[0].split()) for row in rows if column < len(row)]
        distinct = [text for at, text in enumerate(above) if text and text not in above[:at]]
        names.append(LEVELS.join(distinct))
    return tuple(names)
