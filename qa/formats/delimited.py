"""CSV and TSV → table rows, each with its row number as a spreadsheet program shows it."""

import contextlib
import csv
import io
import itertools
import re
from collections import Counter

from qa.errors import DocumentError
from qa.formats.blocks import Extract, assemble, raise_beyond, table_lines

DELIMITERS = ",;\t|"
SAMPLE_ROWS = 50  # rows at the beginning that are looked at, …
SAMPLE_CHARS = 1_000_000  # … in at most so many characters

_DIRECTIVE = re.compile(r"\ufeff?\"?sep=(?P<delimiter>[^\r\n\"])\"?[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)


def read_csv(text: str) -> Extract:
    """The rows of a CSV file; its delimiter is the one that gives rows of equal length, or that a first line names."""
    directive = _DIRECTIVE.match(text)
    if directive:  # it is for the spreadsheet program and is no row
        return _read(text[directive.end() :], directive["delimiter"], first=2)
    return _read(text, _delimiter(text))


def read_tsv(text: str) -> Extract:
    """The rows of a file whose cells are separated by tabs."""
    return _read(text, "\t")


def _read(text: str, delimiter: str, first: int = 1) -> Extract:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        numbered = ((f"row {number}", row) for number, row in enumerate(rows, first))
        if _is_spaced(text, delimiter):
            found = assemble(table_lines(numbered))
        else:
            tables = itertools.groupby(numbered, key=lambda row: _has_text(row[1]))  # a row without text ends a table
            found = assemble(line for filled, table in tables if filled for line in table_lines(table))
    except csv.Error:
        limit = csv.field_size_limit()
        raise DocumentError(
            f"has a cell of more than {limit:,} characters: is a quotation mark open at row {rows.line_num}?"
        ) from None
    return found


def _has_text(row: list[str]) -> bool:
    raise_beyond(len(row))
    return any(cell.strip() for cell in row)


def _is_spaced(text: str, delimiter: str) -> bool:
    """Whether a blank row stands between any two rows: some programs end each line twice."""
    rows = csv.reader(io.StringIO(text[:SAMPLE_CHARS], newline=""), delimiter=delimiter)
    filled: list[bool] = []
    with contextlib.suppress(csv.Error):
        filled.extend(_has_text(row) for row in itertools.islice(rows, SAMPLE_ROWS))
    return not all(filled) and not any(this and following for this, following in itertools.pairwise(filled))


def _delimiter(text: str) -> str:
    """The delimiter with which most of the first rows have the same number of cells; a comma when none separates."""

    def agreement(delimiter: str) -> tuple[int, int]:
        rows = csv.reader(io.StringIO(text[:SAMPLE_CHARS], newline=""), delimiter=delimiter)
        widths: Counter[int] = Counter()
        with contextlib.suppress(csv.Error):
            widths.update(len(row) for row in itertools.islice(rows, SAMPLE_ROWS) if len(row) > 1)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return count, width

    return max(DELIMITERS, key=agreement)  # the first, when several agree equally
