"""The result of every reader, `Extract`, and what most readers make it from: `Line`s that become text and blocks.

An extract holds the text that offsets refer to (for `.txt` and `.md` the file itself, unchanged), its blocks in order,
and the title and date that the format states. All text except white space lies in some block.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from qa.errors import DocumentError
from qa.formats.forms import is_unfilled
from qa.formats.marks import has_text, shown
from qa.schema import Block, Kind, Struck

ROW_CHARS = 500  # a longer table row is prose, or the table only lays out the page; it is not quoted as a row
MAX_CHARS = 50_000_000  # of extracted text
MAX_PIECES = 2_000_000  # lines, blocks or tags of a file; each takes memory, however short it is
LOCATOR_CHARS = 200  # a locator is shown beside every sentence
NAME_CHARS = 60  # a longer cell at the top of a column is not taken for the column's name

_T = TypeVar("_T")
_RULE = re.compile(r"[\s|:+=_*~`#>-]*\Z")


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader found. `title` is None and `dates` is empty where the format states none.

    `dates` are as written in the file, the most reliable first.
    """

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    dates: tuple[str, ...] = ()
    pages: int | None = None
    body: int = 0  # where front matter ends and the body starts
    encoding: str = "utf-8"  # how the file's bytes became text: an encoding, or the format's name
    struck: tuple[Struck, ...] = ()
    left_out: str | None = None  # which part of the file is missing from the text, and what to do about it


@dataclass(frozen=True, slots=True)
class Line:
    """The text of one block, before it is placed in the extracted text.

    `apart` says whether a blank line is written before it. None means: yes, unless it continues a list, a table or
    code. The blank line matters because it ends a table.
    """

    text: str
    kind: Kind = "text"
    level: int = 0
    page: int | None = None
    locator: str | None = None
    apart: bool | None = None
    columns: tuple[str, ...] = ()


def raise_beyond(pieces: int) -> None:
    """Raise DocumentError when there are more than MAX_PIECES."""
    if pieces > MAX_PIECES:
        raise DocumentError(f"holds more than {MAX_PIECES:,} lines or marks; split it")


def bounded(pieces: Iterable[_T]) -> Iterator[_T]:
    """Yield the pieces; raises DocumentError after MAX_PIECES of them."""
    for number, piece in enumerate(pieces, 1):
        raise_beyond(number)
        yield piece


def assemble(lines: Iterable[Line], notes: frozenset[str] | None = None) -> Extract:
    """The text of all lines, one below the other, its blocks, and where struck text stood.

    `notes` are the signs of the document's notes; None where its lines hold no marks of `qa.formats.marks`. Raises
    DocumentError for more than MAX_CHARS characters or MAX_PIECES lines or struck pieces.
    """
    joined: list[str] = []
    blocks: list[Block] = []
    struck: list[Struck] = []
    at = 0
    for line in bounded(lines):
        text, left_out = (clean(line.text), []) if notes is None else shown(clean(line.text), notes)
        close = blocks and line.kind == blocks[-1].kind and line.kind in ("item", "row", "code", "header")
        apart = not close if line.apart is None else line.apart
        gap = "" if not blocks else "\n\n" if apart else "\n"
        locator = None if line.locator is None else clean(line.locator)[:LOCATOR_CHARS]
        kind = "rule" if line.kind != "heading" and is_unfilled(text) else line.kind
        found = tight(text, 0, len(text), kind, line.level, page=line.page, locator=locator, offset=at + len(gap))
        first = at + len(gap) if found else at
        struck += (Struck(first + place, first + place, content) for place, content in left_out)
        raise_beyond(len(struck))
        if not found:
            continue
        if line.columns:
            found = [replace(found[0], columns=tuple(clean(name) for name in line.columns))]
        blocks += found
        joined += (gap, text)
        at += len(gap) + len(text)
        if at > MAX_CHARS:
            raise DocumentError(f"holds more than {MAX_CHARS:,} characters; split it")
    return Extract("".join(joined), tuple(blocks), struck=tuple(struck))


def table_lines(
    rows: Iterable[tuple[str | None, Sequence[str]]],
    *,
    page: int | None = None,
    heads: int = 1,
    columns: tuple[str, ...] = (),
) -> Iterator[Line]:
    """The rows of one table, given as (locator, cells), as one line each with the cells joined by " | ".

    The first row with two or more filled cells is the header. Rows above it, such as a caption, are plain text. A row
    longer than ROW_CHARS becomes several lines of "column: cell". Rows without text are left out.

    `heads` is how many rows the header has. `columns` are the names of the columns where its first row does not tell
    them; with `heads` of 0, the header stands elsewhere, such as on an earlier page.
    """
    header: list[str] | None = None if heads else list(columns)
    apart = True  # the header starts the table; a caption above it is not part of the table
    for locator, raw in rows:
        cells = [" ".join(cell.split()) for cell in raw]
        if not any(cells):
            continue
        if header is None and sum(map(has_text, cells)) < 2:
            yield Line("".join(cells), page=page, locator=locator, apart=True)
            continue
        row = " | ".join(cells).strip()
        long = len(row) > ROW_CHARS and len(shown(row)[0]) > ROW_CHARS
        pieces = _pieces(cells, (list(columns) if columns and heads < 1 else header) or []) if long else [row]
        for piece in pieces:
            is_row = not long or len(piece) <= ROW_CHARS
            names = columns[: len(cells)] if is_row and not long and heads < 1 else ()
            yield Line(piece, "row" if is_row else "text", page=page, locator=locator, apart=apart, columns=names)
            apart = False
        header = header or cells
        heads -= 1


def _pieces(cells: list[str], header: list[str]) -> list[str]:
    """A long row, split into short pieces of "column: cell"; a long cell is a piece by itself."""
    pieces: list[str] = []
    for name, cell in itertools.zip_longest(header, cells, fillvalue=""):
        named = f"{name}: {cell}" if name and len(name) <= NAME_CHARS else cell
        if cell and pieces and len(pieces[-1]) + len(named) + 3 <= ROW_CHARS // 2:
            pieces[-1] += f" | {named}"
        elif cell:
            pieces.append(named)
    return pieces


def tight(
    text: str,
    start: int,
    end: int,
    kind: Kind,
    level: int = 0,
    *,
    page: int | None = None,
    locator: str | None = None,
    offset: int = 0,
) -> list[Block]:
    """The interval without outer white space, as a list of one block; an empty list when only white space is there."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start >= end:
        return []
    kind = "rule" if _RULE.match(text, start, end) else kind
    return [Block(start + offset, end + offset, kind, level, page, locator)]


def clean(text: str) -> str:
    """`text` without NUL and lone surrogates, which the store cannot hold."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def stated_title(title: str | None, lines: Sequence[Line]) -> str | None:
    """The title from a file's properties if the text contains it too, else None.

    Such a title is often that of the template, or of an older text.
    """

    def fold(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.casefold()))

    beginning = " ".join(line.text for line in itertools.islice(lines, 20))
    return title if title and fold(title) and f" {fold(title)} " in f" {fold(beginning)} " else None
