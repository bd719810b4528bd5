"""Plain text → blocks: paragraphs, list items and rows of cells separated by tabs.

A line break is "soft" when a word wrap made it: the paragraph goes on in the next line.
"""

import re
from collections.abc import Iterator

from qa.formats.blocks import Extract, bounded, tight
from qa.formats.replies import bare_line, parts
from qa.schema import Block, Kind

WRAP_CHARS = range(30, 121)  # a paragraph is wrapped only if the length of its longest line lies in this range

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
ITEM = re.compile(r"[ \t]*(?:[-*+•‣–—]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])[ \t]+\S")
_INITIAL = re.compile(r"[ \t]*(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})\.")  # marks an item, or continues a sentence


def read_plain(text: str) -> Extract:
    """Read plain text: a blank line ends a paragraph; line breaks inside a wrapped paragraph are soft."""
    pieces = parts(text)
    return Extract(text, tuple(block for first, last, by in pieces for block in plain_blocks(text, first, last, by)))


def plain_blocks(text: str, start: int, end: int, quoted: str | None = None) -> Iterator[Block]:
    """The blocks of an interval; `quoted` is the locator of lines that begin with ">" because a reply quotes them."""
    paragraph: list[tuple[int, int]] = []
    for match in bounded(LINE.finditer(text, start, end)):
        if (bare_line(match[0]) if quoted else match[0]).strip():
            paragraph.append(match.span())
        else:
            yield from _unwrap(text, paragraph, quoted)
            paragraph = []
    yield from _unwrap(text, paragraph, quoted)


def _unwrap(text: str, lines: list[tuple[int, int]], quoted: str | None) -> Iterator[Block]:
    """One block for each run of lines with soft line breaks between them; `lines` are those of one paragraph."""
    pieces = [(bare_line(text[start:end]) if quoted else text[start:end]).rstrip() for start, end in lines]
    # A line of a single word, such as a long address, does not count for the width.
    width = max((len(piece) for piece in pieces if " " in piece.strip() or not piece.isascii()), default=0)
    run_start: int | None = None
    for number, (start, end) in enumerate(lines):
        run_start = start if run_start is None else run_start
        run = bare_line(text[run_start:end]) if quoted else text[run_start:end]
        if width in WRAP_CHARS and number + 1 < len(lines) and _goes_on(run, pieces[number], pieces[number + 1], width):
            continue
        kind: Kind = "item" if ITEM.match(run) else "row" if "\t" in run.strip() else "text"
        yield from tight(text, run_start, end, kind, locator=quoted)
        run_start = None


def _goes_on(run: str, line: str, upcoming: str, width: int) -> bool:
    """Whether the line break after `line`, the last line of `run`, is soft in a paragraph `width` characters wide."""
    if "\t" in upcoming.strip() or starts_item(run, upcoming):
        return False
    word = upcoming.split(maxsplit=1)[0]
    full = len(line) + 1 + len(word) > width
    return full or (word[0].islower() and 2 * len(line) > width and line[-1] not in ".!?:;")


def starts_item(run: str, upcoming: str) -> bool:
    """Whether the line `upcoming` starts a list item; else it may continue a sentence with an initial ("J. Smith")."""
    if not ITEM.match(upcoming):
        return False
    return (
        not _INITIAL.match(upcoming) or bool(ITEM.match(run)) or run.rstrip().endswith((".", ":", ";", "!", "?", ","))
    )
