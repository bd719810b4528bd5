"""Text as Markdown that shows it as it is. Pure: no text is markup, and only what would be is escaped."""

import re

_INLINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|\Z)"  # would escape what follows, or break the line
    r"|`|\*(?!(?<=(?<!\S)\*)(?!\S))|(?<![^\W_])_|_(?![^\W_])"  # emphasis: not 5 * 3, not a_b
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<=~)~"
)
_LINK = re.compile(r"\[(?=.*\](?:\(|\[|:)|\^)")
_LINE_START = re.compile(
    r"(?P<mark>#)(?=#{0,5}(?:\s|\Z))|(?P<quote>>)|(?P<bullet>[-+*])(?=\s|\Z)|(?P<rule>[-=_*~])(?=[-=_*~\s|:]*\Z)"
    r"|(?P<fence>~)(?=~~)|(?P<table>\|)(?=[-:|\s]*\Z)|\d{1,9}(?P<number>[.)])(?=\s|\Z)"
)


def plain(line: str) -> str:
    """One line of text as Markdown."""
    bare = line.strip()
    before, _, after = line.partition(bare) if bare else (line, "", "")
    escaped = _LINK.sub(r"\\[", _INLINE.sub(lambda match: "\\" + match[0], bare))
    start = _LINE_START.match(escaped)
    if start:
        at = next(start.start(name) for name, found in start.groupdict().items() if found)
        escaped = f"{escaped[:at]}\\{escaped[at:]}"
    return _spaces(before) + escaped + _spaces(after)


def one_line(text: str) -> str:
    """A text of several lines as one line of Markdown."""
    return plain(" ".join(text.splitlines()))


def heading(text: str, level: int) -> str:
    """The text as a heading; marks at its end would close it."""
    return "#" * level + " " + re.sub(r"(?<!\\)(#+\Z)", r"\\\1", one_line(text))


def blockquote(text: str) -> str:
    """The text as a block quotation, line by line."""
    lines = re.split(r"\r\n?|\n", text)
    return "\n".join(f"> {plain(line)}" if line.strip() else ">" for line in lines)


def _spaces(spaces: str) -> str:
    """White space at a line's ends, which Markdown drops, or takes for code or a line break."""
    return "".join(f"&#{ord(one)};" for one in spaces)
