"""Table rows as text → cells and columns. Pure: a row is one line whose cells stand between `|` or tabs."""

import re
from dataclasses import dataclass

_SEPARATOR = re.compile(r"(?<!\\)\||\t")
_KEYED = re.compile(r"\s*(?P<key>[^:|]{1,60}):\s")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its interval in the row, without outer white space, and what its column is called ("" if unknown)."""

    start: int
    end: int
    name: str


def is_row(line: str) -> bool:
    """Whether the line is written as a table row."""
    return "\n" not in line.strip() and _SEPARATOR.search(line) is not None


def cells(row: str, header: str | None) -> list[Cell]:
    """The row's cells in order, empty ones included; columns are named by `header`, the table's first row.

    A row of "key: value" cells names its columns itself. Where the row has more cells than the header, no column has
    a name: it cannot be told which cell is the surplus one.
    """
    found = _intervals(row)
    names = [header[start:end] for start, end in _intervals(header)] if header and is_row(header) else []
    if len(names) < len(found) and any(start < end for start, end in found[len(names) :]):
        names = []
    if not names:
        keys = [_KEYED.match(row, start, end) for start, end in found if start < end]
        if all(keys):
            return [_keyed(row, start, end) for start, end in found]
        names += [""] * (len(found) - len(names))
    return [Cell(start, end, name) for (start, end), name in zip(found, names, strict=False)]


def _keyed(row: str, start: int, end: int) -> Cell:
    key = _KEYED.match(row, start, end)
    return Cell(key.end(), end, key["key"].strip()) if key else Cell(start, end, "")


def _intervals(row: str) -> list[tuple[int, int]]:
    """The intervals between the separators, tight."""
    edges = [0, *(edge for match in _SEPARATOR.finditer(row) for edge in match.span()), len(row)]
    return [_tight(row, start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _tight(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())


def header_above(row: str, before: str) -> str | None:
    """What stands before a quoted row where that is its table's header: a row too."""
    return before if is_row(row) and is_row(before) else None
