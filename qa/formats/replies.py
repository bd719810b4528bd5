"""Quoted replies: the runs of lines that begin with ">", and who wrote them and when, where the line before says so.

Pure. The level of nesting is not kept: all quoted lines of a run are read as one text.
"""

import re
from collections.abc import Iterator

from qa.formats.blocks import LOCATOR_CHARS, bounded

MARKS = re.compile(r"[ \t]{0,3}>[> \t]*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_WROTE = re.compile(
    r"(?:\b(?:on|am|le|el)\b.{4,150}\b(?:wrote|writes|schrieb|a écrit|escribió)\b"
    r"|.{2,100}\b(?:wrote|writes|schrieb)\b.{0,60})\s*:\s*\Z",
    re.IGNORECASE,
)


def parts(text: str) -> Iterator[tuple[int, int, str | None]]:
    """(start, end, locator) of the runs of the text, in order: None for its own lines, else "quoted", with whose."""
    begin, quoted, before, named = 0, False, "", ""
    for match in bounded(_LINE.finditer(text)):
        line = match[0].strip()
        is_quoted = MARKS.match(match[0]) is not None
        if is_quoted != quoted and line:
            if match.start() > begin:
                yield begin, match.start(), _locator(named) if quoted else None
            begin, quoted, named = match.start(), is_quoted, before if _WROTE.match(before) else ""
        if is_quoted and not named and _WROTE.match(said := bare_line(line).strip()):
            named = said
        before = line or before
    if begin < len(text):
        yield begin, len(text), _locator(named) if quoted else None


def bare_line(line: str) -> str:
    """The line without the marks at its start."""
    return MARKS.sub("", line, count=1)


def bare_text(text: str) -> str:
    """Quoted lines without their marks."""
    return "".join(bare_line(match[0]) for match in _LINE.finditer(text))


def _locator(named: str) -> str:
    said = named.rstrip(" :")
    return (f"quoted: {said}" if said else "quoted")[:LOCATOR_CHARS]
