"""What every reader makes: an `Extract`, and for extracted formats the way from lines to text and blocks.

An extract is the text that offsets count in (for `.txt` and `.md` the file itself, unchanged), its blocks
in order, and what the format itself says of title and date. All text but white space is in some block.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from qa.errors import DocumentError
from qa.schema import Block, Kind

ROW_CHARS = 500  # a longer table row is prose, or lays out a page: nobody quotes it whole
MAX_CHARS = 50_000_000  # of extracted text
MAX_PIECES = 2_000_000  # of lines, blocks, marks, each of which takes memory, however short
LOCATOR_CHARS = 200  # it stands beside every sentence
NAME_CHARS = 60  # a longer cell at the top of a column is not its name

_T = TypeVar("_T")
_RULE = re.compile(r"[\s|:+=_*~`#>-]*\Z")


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader found; `title` is None and `dates` (as written, best first) empty where the format does not say."""

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    dates: tuple[str, ...] = ()
    pages: int | None = None
    body: int = 0  # where front matter ends
    encoding: str = "utf-8"  # how the file's bytes became text: an encoding, or the format's name
    left_out: str | None = None  # what of the file is not in the text, and what to do about it


@dataclass(frozen=True, slots=True)
class Line:
    """One block on its way into the text.

    A blank line in the text ends a table: `apart` (True, False) says whether one stands before this line;
    None: unless it is one more item, row or line of code.
    """

    text: str
    kind: Kind = "text"
    level: int = 0
    page: int | None = None
    locator: str | None = None
    apart: bool | None = None


def raise_beyond(pieces: int) -> None:
    """Raises DocumentError where there are more than MAX_PIECES."""
    if pieces > MAX_PIECES:
        raise DocumentError(f"holds more than {MAX_PIECES:,} lines or marks; split it")


def bounded(pieces: Iterable[_T]) -> Iterator[_T]:
    """The pieces one by one; raises DocumentError beyond MAX_PIECES."""
    for number, piece in enumerate(pieces, 1):
        raise_beyond(number)
        yield piece


def assemble(lines: Iterable[Line]) -> tuple[str, tuple[Block, ...]]:
    """The lines' text, one below the other, and its blocks; raises DocumentError beyond MAX_CHARS or MAX_PIECES."""
    joined: list[str] = []
    blocks: list[Block] = []
    at = 0
    for line in bounded(lines):
        text = clean(line.text)
        close = blocks and line.kind == blocks[-1].kind and line.kind in ("item", "row", "code")
        apart = not close if line.apart is None else line.apart
        gap = "" if not blocks else "\n\n" if apart else "\n"
        locator = None if line.locator is None else clean(line.locator)[:LOCATOR_CHARS]
        found = tight(text, 0, len(text), line.kind, line.level, page=line.page, locator=locator, offset=at + len(gap))
        if not found:
            continue
        blocks += found
        joined += (gap, text)
        at += len(gap) + len(text)
        if at > MAX_CHARS:
            raise DocumentError(f"holds more than {MAX_CHARS:,} characters; split it")
    return "".join(joined), tuple(blocks)


def table_lines(rows: Iterable[tuple[str | None, Sequence[str]]], *, page: int | None = None) -> Iterator[Line]:
    """One table's rows, given as (locator, cells), a line each with its cells joined by " | ".

    The first row with two cells is the header. What stands above, such as a caption in the first cell, is text.
    A row longer than ROW_CHARS becomes several lines of "column: cell". Rows without text are left out.
    """
    header: list[str] | None = None
    apart = True  # the header begins a table, and what stands above it does not belong
    for locator, raw in rows:
        cells = [" ".join(cell.split()) for cell in raw]
        if not any(cells):
            continue
        if header is None and sum(map(bool, cells)) < 2:
            yield Line("".join(cells), page=page, locator=locator, apart=True)
            continue
        row = " | ".join(cells).strip()
        pieces = [row] if len(row) <= ROW_CHARS else _pieces(cells, header or [])
        for piece in pieces:
            yield Line(piece, "row" if len(piece) <= ROW_CHARS else "text", page=page, locator=locator, apart=apart)
            apart = False
        header = header or cells


def _pieces(cells: list[str], header: list[str]) -> list[str]:
    """A long row as short ones that say which column is which; a long cell by itself."""
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
    """The interval without outer white space as a list of one block, or of none where nothing is left."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start >= end:
        return []
    kind = "rule" if _RULE.match(text, start, end) else kind
    return [Block(start + offset, end + offset, kind, level, page, locator)]


def clean(text: str) -> str:
    """`text` without what no text holds and no store takes: NUL and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def stated_title(title: str | None, lines: Sequence[Line]) -> str | None:
    """A title from a file's properties, where the text says it too: often it is a template's, or of an older text."""

    def fold(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.casefold()))

    beginning = " ".join(line.text for line in itertools.islice(lines, 20))
    return title if title and fold(title) and f" {fold(title)} " in f" {fold(beginning)} " else None
