"""Excel workbooks → for each sheet a heading and its rows, with values as Excel shows them.

Left out: hidden sheets, charts, comments.
"""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from qa.errors import DocumentError
from qa.formats.blocks import MAX_CHARS, NAME_CHARS, Extract, Line, assemble, stated_title, table_lines
from qa.formats.numbers import shown

MAX_ROWS = 1_048_576  # of a sheet; Excel's own limit, but a file can name rows beyond it
MAX_CELLS = 50_000_000  # of a sheet, empty cells included

_PLAIN_NAME = re.compile(r"[^\W\d]+ ?\d+")  # Sheet1, Tabelle 1


def read_xlsx(data: bytes, *, max_chars: int = MAX_CHARS) -> Extract:
    """Sheets in order ("sheet Q3, row 12" as locator); raises DocumentError or what the library raises."""
    import openpyxl  # late: only folders with workbooks pay for it

    book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        lines = [line for sheet in visible for line in _sheet(sheet, max_chars)]
        stated = stated_title(book.properties.title, lines)
    finally:
        book.close()
    content, blocks = assemble(lines)
    return Extract(content, blocks, title=stated or _title(lines), encoding="xlsx")


def _title(lines: Sequence[Line]) -> str | None:
    """What the sheets are called: it stands beside the rows of all. Of one sheet with a plain name its first line."""
    sheets = [line.text for line in lines if line.kind == "heading"]
    if len(sheets) > 1:
        return ", ".join(sheets)
    return next((line.text for line in lines if line.kind != "heading" or not _PLAIN_NAME.fullmatch(line.text)), None)


def _sheet(sheet: Any, max_chars: int) -> Iterator[Line]:
    name = " ".join(str(sheet.title).split())[:NAME_CHARS]  # it stands beside every row
    tables = _tables(sheet, max_chars)
    lines = [line for table in tables for line in table_lines((f"sheet {name}, row {n}", row) for n, row in table)]
    if lines:
        yield Line(name, "heading", 1, locator=f"sheet {name}")
    yield from lines


def _tables(sheet: Any, max_chars: int) -> Iterator[list[tuple[int, list[str]]]]:
    """The sheet's tables: rows with their numbers. An empty row ends a table; empty columns on the left are dropped."""
    sheet.reset_dimensions()  # some programs write wrong dimensions
    table: list[tuple[int, list[str]]] = []
    cells = chars = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells += len(row)
        if number > MAX_ROWS or cells > MAX_CELLS:
            raise DocumentError(f"has more than {MAX_ROWS:,} rows in a sheet or {MAX_CELLS:,} cells; split it")
        values = [shown(cell.value, cell.number_format) if cell.value is not None else "" for cell in row]
        chars += sum(map(len, values))  # counted here, because a text stored once can be shown in every cell
        if chars > max_chars:
            raise DocumentError(f"holds more than {max_chars:,} characters; split it")
        while values and not values[-1].strip():
            values.pop()
        if values:
            table.append((number, values))
        elif table:
            yield _from_left(table)
            table = []
    if table:
        yield _from_left(table)


def _from_left(table: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    empty = min(next(at for at, value in enumerate(row) if value.strip()) for _, row in table)
    return [(number, row[empty:]) for number, row in table]
