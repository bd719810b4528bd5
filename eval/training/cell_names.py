"""Puts the name of its column in front of each cell of a table's rows, as the reader is trained to read them. Pure."""

from collections.abc import Sequence

from eval.training.pairs import CharSpan
from qa.rows import cells

MAX_CHARS = 430  # of a passage with names; rows at its ends are left out of a longer one
NAME_WORDS = 6  # a column's name is cut to so many words
Row = tuple[int, int, str]
"""Where a row starts and ends in the passage, and the first row of its table."""


def with_cell_names(
    text: str, rows: Sequence[Row], span: CharSpan | None, *, max_chars: int = MAX_CHARS
) -> tuple[str, CharSpan | None]:
    """The text with names in front of its cells, and where `span` lies in it.

    Rows at the ends are left out while the text is longer than `max_chars`, but never the row that holds `span`.
    """
    names = [(place, name) for row in rows for place, name in _names(text, row)]
    if not names:
        return text, span
    low, high = _kept(text, rows, names, span, max_chars)
    if span is not None and not (low <= span[0] and span[1] <= high):
        return text, span
    names = [(place, name) for place, name in names if low <= place < high]
    edges = [low, *(place for place, _ in names), high]
    parts = [text[edges[0] : edges[1]]]
    for (_, name), start, end in zip(names, edges[1:], edges[2:], strict=False):
        parts += [name, text[start:end]]
    if span is not None:
        before_start = sum(len(name) for place, name in names if place <= span[0])
        before_end = sum(len(name) for place, name in names if place < span[1])
        span = span[0] - low + before_start, span[1] - low + before_end
    return "".join(parts), span


def _names(text: str, row: Row) -> list[tuple[int, str]]:
    """(place in the text, name to put there) for the row's cells; none where the row writes the name itself."""
    start, end, header = row
    line = text[start:end]
    found = []
    for cell in cells(line, header):
        name = " ".join(cell.name.strip(" *_`#").split()[:NAME_WORDS])
        is_filled = bool(line[cell.start : cell.end].strip("-: "))
        if name and is_filled and not line[: cell.start].rstrip().endswith(f"{name}:"):
            found.append((start + cell.start, f"{name}: "))
    return found


def _kept(
    text: str, rows: Sequence[Row], names: Sequence[tuple[int, str]], span: CharSpan | None, max_chars: int
) -> CharSpan:
    """The interval of the text that is kept: the last row is left out, or the first, until the rest is short enough."""
    low, high = 0, len(text)
    left = [(start, end) for start, end, _ in rows]
    while high - low + sum(len(name) for place, name in names if low <= place < high) > max_chars and len(left) > 1:
        may_drop_last = span is None or left[-1][0] >= span[1]
        may_drop_first = span is None or left[0][1] <= span[0]
        if may_drop_last and (not may_drop_first or len(left) % 2 == 0 or high > left[-1][1] + 1):
            left.pop()
            high = left[-1][1]
        elif may_drop_first:
            left.pop(0)
            low = left[0][0]
        else:
            break
    return low, high
