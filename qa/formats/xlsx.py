"""Excel workbooks → for each sheet a heading and its rows, with values as Excel shows them.

Left out: hidden sheets, charts, comments.
"""

import io
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qa.errors import DocumentError
from qa.formats.blocks import MAX_CHARS, MAX_PIECES, NAME_CHARS, Extract, Line, assemble, stated_title, table_lines
from qa.formats.grid import Cell, grid_lines
from qa.formats.marks import RAISED, guarded, lowered, note_signs, raised, struck
from qa.formats.numbers import shown

MAX_ROWS = 1_048_576  # of a sheet; Excel's own limit, but a file can name rows beyond it
MAX_CELLS = 50_000_000  # of a sheet, empty cells included

MERGE_BYTES = 200  # longer than the element that states a merged range

Mark = Callable[[str], str]
_Merged = dict[tuple[int, int], tuple[int, int]]
_Table = list[tuple[int, list[str]]]
_ALIGNED: dict[str, Mark] = {"superscript": raised, "subscript": lowered}
_MERGE = re.compile(rb'<(?:\w{1,20}:)?mergeCell\s+ref="\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})"')
_PLAIN_NAME = re.compile(r"[^\W\d]+ ?\d+")  # Sheet1, Tabelle 1


def read_xlsx(data: bytes, *, max_chars: int = MAX_CHARS) -> Extract:
    """Sheets in order ("sheet Q3, row 12" as locator); raises DocumentError or what the library raises."""
    import openpyxl  # late: only folders with workbooks pay for it

    book: Any = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False, rich_text=True
    )
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        looks = _looks(book)
        lines = [line for sheet in visible for line in _sheet(book, sheet, looks, max_chars)]
        stated = stated_title(book.properties.title, lines)
    finally:
        book.close()
    found = assemble(lines, note_signs(line.text for line in lines if RAISED in line.text))
    return replace(found, title=stated or _title(lines), encoding="xlsx")


def _title(lines: Sequence[Line]) -> str | None:
    """What the sheets are called: it stands beside the rows of all. Of one sheet with a plain name its first line."""
    sheets = [line.text for line in lines if line.kind == "heading"]
    if len(sheets) > 1:
        return ", ".join(sheets)
    return next((line.text for line in lines if line.kind != "heading" or not _PLAIN_NAME.fullmatch(line.text)), None)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a cell's style says: its number format, and how all of its text is marked."""

    number_format: str
    mark: Mark | None


def _looks(book: Any) -> list[_Look]:
    """The looks that the workbook's cells name by number."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

    own = dict(enumerate(book._number_formats, BUILTIN_FORMATS_MAX_SIZE))
    found = []
    for style in book._cell_styles:
        font = book._fonts[style.fontId] if style.fontId < len(book._fonts) else None
        mark = None if font is None else struck if font.strike else _ALIGNED.get(font.vertAlign or "")
        found.append(_Look((BUILTIN_FORMATS | own).get(style.numFmtId, "General"), mark))
    return found


def _shown(value: Any, look: _Look) -> str:
    """A cell's text as the sheet shows it; struck, raised and lowered parts are marked."""
    parts = value if isinstance(value, list) else [value]
    text = "".join(_part(part) if hasattr(part, "font") else guarded(shown(part, look.number_format)) for part in parts)
    return look.mark(text) if look.mark else text


def _part(part: Any) -> str:
    """One run of a cell with several fonts."""
    text = guarded(str(part.text or ""))
    mark = _ALIGNED.get(part.font.vertAlign or "")
    text = mark(text) if mark else text
    return struck(text) if part.font.strike else text


def _merged(sheet: Any) -> _Merged:
    """(row, column) of each merged range → how many columns and rows it covers.

    The library does not tell them when it reads a sheet row by row; they stand behind the rows.
    """
    found: _Merged = {}
    tail = b""
    with sheet.parent._archive.open(sheet._worksheet_path) as file:
        while block := file.read(1 << 20):
            window = tail + block
            tail = window[-MERGE_BYTES:]
            for match in _MERGE.finditer(window):
                left, top, right, bottom = match.groups()
                first, last = _column(left), _column(right)
                if len(found) >= MAX_PIECES or first > last or int(top) > int(bottom):
                    continue
                found[int(top), first] = (last - first + 1, int(bottom) - int(top) + 1)
    return found


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _sheet(book: Any, sheet: Any, looks: Sequence[_Look], max_chars: int) -> Iterator[Line]:
    name = " ".join(str(sheet.title).split())[:NAME_CHARS]  # it stands beside every row
    merged = _merged(sheet)
    lines: list[Line] = []
    for start, table in _tables(book, sheet, looks, merged, max_chars):
        located = ((f"sheet {name}, row {number}", row) for number, row in table)
        lines += _spanned(name, table, start, merged) if merged else table_lines(located)
    if lines:
        yield Line(name, "heading", 1, locator=f"sheet {name}")
    yield from lines


def _spanned(name: str, table: _Table, start: int, merged: _Merged) -> Iterator[Line]:
    """The lines of a table in a sheet with merged cells; `start` is the number of the table's first column."""
    numbers = [number for number, _ in table]
    covered: set[tuple[int, int]] = set()  # whose text stands in a merged cell before or above them
    rows: list[tuple[str, list[Cell]]] = []
    for at, (number, values) in enumerate(table):
        cells: list[Cell] = []
        for column, value in enumerate(values, start):
            if (number, column) in covered:
                continue
            across, down = merged.get((number, column), (1, 1))
            across = max(1, min(across, start + len(values) - column))
            down = max(1, bisect_left(numbers, number + down) - at)
            if len(covered) + across * down > MAX_PIECES:
                across = down = 1
            covered.update((one, other) for one in numbers[at : at + down] for other in range(column, column + across))
            cells.append(Cell(value, across, down))
        rows.append((f"sheet {name}, row {number}", cells))
    return grid_lines(rows)


def _rows(book: Any, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """The rows that the file holds, each with its number, as the library parses them."""
    from openpyxl.worksheet._reader import WorkSheetParser

    with sheet._get_source() as source:  # the library's own iteration does not show the fonts inside a cell
        yield from WorkSheetParser(
            source,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
            rich_text=True,
        ).parse()


def _tables(
    book: Any, sheet: Any, looks: Sequence[_Look], merged: _Merged, max_chars: int
) -> Iterator[tuple[int, _Table]]:
    """The sheet's tables, each with the number of its first column: rows with their numbers.

    An empty row ends a table, unless a merged cell covers it; empty columns on the left are dropped.
    """
    table: _Table = []
    reaches: dict[int, int] = {}  # row → the last row that a merged cell beginning in it covers
    for (top, _), (_, down) in merged.items():
        reaches[top] = max(reaches.get(top, 0), top + down - 1)
    last = cells = chars = 0
    for number, row in _rows(book, sheet):
        if table and number <= table[-1][0]:
            continue
        values = [""] * max((cell["column"] for cell in row if cell["value"] is not None), default=0)
        cells += len(values)
        if number > MAX_ROWS or cells > MAX_CELLS:
            raise DocumentError(f"has more than {MAX_ROWS:,} rows in a sheet or {MAX_CELLS:,} cells; split it")
        for cell in row:
            if cell["value"] is not None:
                values[cell["column"] - 1] = _shown(cell["value"], looks[cell["style_id"]])
        chars += sum(map(len, values))  # counted here, because a text stored once can be shown in every cell
        if chars > max_chars:
            raise DocumentError(f"holds more than {max_chars:,} characters; split it")
        while values and not values[-1].strip():
            values.pop()
        if not values:
            continue
        if table and number > max(table[-1][0], last) + 1:
            yield _from_left(table)
            table = []
        table.append((number, values))
        last = max(last, reaches.get(number, 0))
    if table:
        yield _from_left(table)


def _from_left(table: _Table) -> tuple[int, _Table]:
    empty = min(next(at for at, value in enumerate(row) if value.strip()) for _, row in table if row)
    return empty + 1, [(number, row[empty:]) for number, row in table]
