"""Decoded text → `Extract`: one reader per format, the parsing done by libraries.

An extract is the text that offsets count in (for `.txt` and `.md` the file itself, unchanged), its blocks
in order, and what the format itself says of title and date. All text but white space is in some block.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from markdown_it import MarkdownIt

from qa.errors import DocumentError
from qa.schema import Block, Kind

FRONT_MATTER_CHARS = 20_000
WRAP_CHARS = range(30, 121)  # a paragraph whose longest line is outside is not hard-wrapped
MAX_DEPTH = 10_000  # of elements in a page
ROW_CHARS = 500  # a longer table row lays out a page: nobody quotes it whole
DATE_KEYS = "date published publish_date pubdate created updated last_updated lastmod modified effective".split()
HTML_DATE_NAMES = (
    "date dc.date dc.date.issued dcterms.date dcterms.issued dcterms.created article:published_time datepublished"
    " publish-date publish_date pubdate article:modified_time dcterms.modified datemodified last-modified"
).split()

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣–—]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])[ \t]+\S")
_INITIAL = re.compile(r"[ \t]*(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})\.")  # an item's mark, or a sentence that goes on
_RULE = re.compile(r"[\s|:+=_*~`#>-]*\Z")
_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)
_BREAK = r"[ \t]*(?:\r\n|\r|\n)"
_FRONT_MATTER = re.compile(rf"---{_BREAK}(.*?)(?<=[\r\n])(?:---|\.\.\.)(?:{_BREAK}|[ \t]*\Z)", re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark").enable("table").disable("inline")
_LEAVES: dict[str, Kind | None] = {  # markdown-it's block tokens that hold text; None: item or text, by where it stands
    "paragraph_open": None,
    "heading_open": "heading",
    "fence": "code",
    "code_block": "code",
    "html_block": "text",
    "hr": "rule",
    "tr_open": "row",
}


@dataclass(frozen=True, slots=True)
class Extract:
    """What a reader found; `title` is None and `dates` (as written, best first) empty where the format does not say."""

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    dates: tuple[str, ...] = ()
    pages: int | None = None
    body: int = 0  # where front matter ends


def read_plain(text: str) -> Extract:
    """Paragraphs end at blank lines; inside one, a line break is soft only where the text is hard-wrapped."""
    return Extract(text, tuple(_plain_blocks(text, 0, len(text))))


def read_markdown(text: str) -> Extract:
    """CommonMark blocks with tables and YAML front matter."""
    matter, body = _front_matter(text)
    lines = [match.span() for match in _LINE.finditer(text)]
    skipped_lines = sum(1 for start, _ in lines if start < body)
    blocks = [block for start, end in lines[:skipped_lines] for block in _tight(text, start, end, "text")]
    items = 0  # how many lists deep
    for token in _MARKDOWN.parse(text[body:]):
        items += {"list_item_open": 1, "list_item_close": -1}.get(token.type, 0)
        if token.type not in _LEAVES or token.map is None:
            continue
        first, last = (line + skipped_lines for line in token.map)
        kind = _LEAVES[token.type] or ("item" if items else "text")
        if token.type == "html_block" and not _MARKUP.sub("", token.content).strip():
            kind = "rule"
        level = int(token.tag[1]) if kind == "heading" else 0
        for one, end in [(n, n + 1) for n in range(first, last)] if kind == "code" else [(first, last)]:
            blocks += _tight(text, lines[one][0], lines[end - 1][1], kind, level)
    dates = tuple(matter[key] for key in DATE_KEYS if key in matter)
    return Extract(text, tuple(_fill_gaps(text, blocks)), title=matter.get("title"), dates=dates, body=body)


def read_html(text: str) -> Extract:
    """A page's visible text, one block after the other; navigation, scripts and hidden parts left out."""
    events = _html_events(text)
    joined: list[str] = []
    blocks: list[Block] = []
    at = 0
    lines = _html_lines(events)
    for line, kind, level in lines:
        close = blocks and kind == blocks[-1].kind and kind in ("item", "row", "code")
        gap = "" if not blocks else "\n" if close else "\n\n"
        at += len(gap)
        indent = len(line) - len(line.lstrip())
        blocks += _tight(line, indent, len(line), kind, level, offset=at)
        joined += (gap, line)
        at += len(line)
    metas: dict[str, str] = {}
    for tag, what in events:
        if tag == "meta" and what is not None:
            name = what.get("name") or what.get("property") or what.get("itemprop") or ""
            metas.setdefault(name.lower(), what.get("content") or "")
    heading = next((line for line, kind, _ in lines if kind == "heading"), None)
    return Extract(
        "".join(joined),
        tuple(blocks),
        title=heading or _html_title(events),
        dates=tuple(metas[name] for name in HTML_DATE_NAMES if name in metas),
    )


READERS: dict[str, Callable[[str], Extract]] = {
    ".txt": read_plain,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
}

_Event = tuple[str, Any]
"""(tag, its attributes) where an element starts, (tag, None) where it ends, ("", text) for text."""
_Line = tuple[str, Kind, int]
"""Text, its kind and its heading level."""

_HTML_BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details dir div dl dt fieldset figcaption figure footer"
    " form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol option p pre search section summary table"
    " tbody td tfoot th thead tr ul".split()
)
_HTML_SKIPPED = frozenset(
    "button canvas datalist embed head iframe nav noscript object script select style svg template textarea".split()
)
_HTML_INHERITING = frozenset("article center div main p section".split())  # of an item, they are the item
_SUPERSCRIPT = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))


class _Events:
    """lxml's parser target: the page as a flat list. A tree ends, and loses what follows, 2,048 elements deep."""

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._depth = 0

    def start(self, tag: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:  # the parser looks through all open elements at every tag
            raise DocumentError(f"is nested more than {MAX_DEPTH:,} elements deep")
        self._events.append((tag, dict(attributes)))

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._events.append((tag, None))

    def data(self, text: str) -> None:
        self._events.append(("", text))

    def close(self) -> list[_Event]:
        return self._events


def _html_events(text: str) -> list[_Event]:
    """The page's elements, each started and ended, and its text; comments left out. Raises DocumentError."""
    import lxml.etree  # late: only folders with web pages pay for it

    target: Any = _Events()
    parser = lxml.etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True, no_network=True)
    parser.feed(text.encode("utf-8"))
    events: Any = parser.close()
    return list(events)


def _html_title(events: list[_Event]) -> str | None:
    start = next((number for number, (tag, _) in enumerate(events) if tag == "title"), len(events))
    parts = itertools.takewhile(lambda event: not event[0], events[start + 1 :])
    return " ".join("".join(part for _, part in parts).split()) or None


def _html_layout(events: list[_Event]) -> set[int]:
    """Which events start a table row that lays out the page: it holds a table, or more than ROW_CHARS."""
    layout: set[int] = set()
    rows: list[tuple[int, int]] = []  # open ones: the event, and how many characters stood before it
    chars = 0
    for number, (tag, what) in enumerate(events):
        if not tag:
            chars += len(what)
        elif tag == "tr" and what is not None:
            rows.append((number, chars))
        elif tag == "tr":
            start, before = rows.pop()
            layout |= {start} if chars - before > ROW_CHARS else set()
        elif tag == "table" and what is not None and rows:
            layout.add(rows[-1][0])
    return layout


def _html_lines(events: list[_Event]) -> list[_Line]:
    """Every block that a reader of the page would see, in order."""
    page = _Page()
    layout = _html_layout(events)
    skipping = 0  # elements open, from one that is left out inwards
    for number, (tag, what) in enumerate(events):
        if skipping:
            skipping += 0 if not tag else 1 if what is not None else -1
        elif not tag:
            page.add_text(what)
        elif what is None:
            page.end(tag)
        elif page.leaves_out(tag, what):
            skipping = 1
        else:
            page.start(tag, is_layout=number in layout)
    page.flush()
    return page.lines


class _Page:
    """Gathers a page's lines from its visible elements and text."""

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self._inline: list[str] = []
        self._open: list[tuple[Kind, int]] = [("text", 0)]  # the blocks around
        self._unmarked = False  # the list item has not had its mark
        self._superscripts: list[int] = []

    def add_text(self, text: str) -> None:
        """Text as it stands in the source; its line breaks mean nothing outside of preformatted text."""
        self._inline.append(text if self._open[-1][0] == "code" else re.sub(r"\s+", " ", text.replace("\xad", "")))

    def leaves_out(self, tag: str, attributes: dict[str, str]) -> bool:
        """Whether an element about to start is not for readers; what stands around it is no longer one word."""
        kind = self._open[-1][0]
        if tag in _HTML_SKIPPED and not (tag == "button" and kind == "heading"):  # headings that open and close
            if tag == "nav" and kind != "row":
                self.flush()
            elif tag not in ("script", "style", "template"):
                self._inline.append(" ")
            return True
        return tag not in ("html", "body") and _is_hidden(tag, attributes)

    def start(self, tag: str, *, is_layout: bool) -> None:
        kind, level = self._open[-1]
        if tag == "sup":
            self._superscripts.append(len(self._inline))
        if tag not in _HTML_BLOCKS:
            return
        if tag == "br":
            self._inline.append(" " if kind in ("row", "heading") else "\n")
        elif kind == "row":
            self._inline.append(" | " if tag in ("td", "th") else " ")
        else:
            self.flush()
        if tag == "li":
            self._unmarked = True
        inherits = tag == "br" or kind in ("row", "code") or tag in _HTML_INHERITING
        self._open.append((kind, level) if inherits else _html_kind(tag, is_layout))

    def end(self, tag: str) -> None:
        if tag == "sup":
            self._raise_digits(self._superscripts.pop())
        if tag not in _HTML_BLOCKS:
            return
        if tag != "br" and (len(self._open) < 2 or self._open[-2][0] != "row"):
            self.flush()
        elif tag != "br":
            self._inline.append(" ")
        self._open.pop()
        if tag == "li":
            self._unmarked = False

    def flush(self) -> None:
        """What has been gathered becomes lines of the innermost block's kind."""
        content = "".join(self._inline)
        self._inline.clear()
        kind, level = self._open[-1]
        if kind == "code":
            self.lines += [(line.rstrip(), kind, level) for line in content.splitlines() if line.strip()]
            return
        content = "\n".join(" ".join(line.split()) for line in content.split("\n"))
        if kind in ("row", "heading"):
            content = content.removeprefix("| ")  # that of the first cell
            self.lines += [(content, kind, level)] if content.strip(" |") else []
            return
        for block in _plain_blocks(content, 0, len(content)):  # lines broken by hand, or by a mail program
            mark = "- " if kind == "item" and self._unmarked else ""
            self._unmarked = self._unmarked and kind != "item"
            self.lines.append((mark + content[block.start : block.end], block.kind if kind == "text" else kind, level))

    def _raise_digits(self, start: int) -> None:
        """10<sup>2</sup> is 10², not 102."""
        raised = "".join(self._inline[start:]).strip()
        if raised and all(sign in _SUPERSCRIPT for sign in raised):
            self._inline[start:] = ["".join(_SUPERSCRIPT[sign] for sign in raised)]


def _html_kind(tag: str, is_layout: bool) -> tuple[Kind, int]:
    if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
        return "heading", int(tag[1])
    if tag == "tr" and not is_layout:
        return "row", 0
    return {"li": ("item", 0), "pre": ("code", 0)}.get(tag, ("text", 0))  # type: ignore[return-value]


def _is_hidden(tag: str, attributes: dict[str, str]) -> bool:
    style = attributes.get("style", "").replace(" ", "").lower()
    return (
        "hidden" in attributes
        # Said of an icon it means a picture; said of a whole part, that a dialog was open above what is to be read.
        or (attributes.get("aria-hidden") == "true" and tag not in _HTML_BLOCKS)
        or (tag == "dialog" and "open" not in attributes)
        or attributes.get("role") == "navigation"
        or "display:none" in style
        or "visibility:hidden" in style
    )


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """The top-level texts of the YAML mapping at the top, as written, by key; and where the body starts (0: none).

    Keys are in lower case with `_`. Nothing is constructed but strings: `title: No` is "No", a date cannot fail.
    """
    match = _FRONT_MATTER.match(text[:FRONT_MATTER_CHARS])
    try:
        matter = yaml.BaseLoader(match[1]).get_single_data() if match else None
    except (yaml.YAMLError, RecursionError):
        matter = None
    if match is None or not isinstance(matter, dict):
        return {}, 0
    texts = {str(key): value.strip() for key, value in matter.items() if isinstance(value, str)}
    keys = {re.sub(r"[\s-]+", "_", key.strip().lower()): value for key, value in texts.items()}
    return {key: value for key, value in keys.items() if value not in ("", "~", "null")}, match.end()


def _tight(text: str, start: int, end: int, kind: Kind, level: int = 0, *, offset: int = 0) -> list[Block]:
    """The interval without outer white space as a list of one block, or of none where nothing is left."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start >= end:
        return []
    return [Block(start + offset, end + offset, "rule" if _RULE.match(text, start, end) else kind, level)]


def _fill_gaps(text: str, blocks: list[Block]) -> Iterator[Block]:
    """The blocks in order, outer before inner, with plain blocks for all text that none of them holds."""
    at = 0
    for block in sorted(blocks, key=lambda block: (block.start, -block.end)):
        if block.start >= at:
            yield from _plain_blocks(text, at, block.start)
            yield block
            at = block.end
    yield from _plain_blocks(text, at, len(text))


def _plain_blocks(text: str, start: int, end: int) -> Iterator[Block]:
    paragraph: list[tuple[int, int]] = []
    for match in _LINE.finditer(text, start, end):
        if match[0].strip():
            paragraph.append(match.span())
        else:
            yield from _unwrap(text, paragraph)
            paragraph = []
    yield from _unwrap(text, paragraph)


def _unwrap(text: str, lines: list[tuple[int, int]]) -> Iterator[Block]:
    """One block per run of lines that a word wrap, or a person who wraps by hand, has broken."""
    pieces = [text[start:end].rstrip() for start, end in lines]
    # A word alone on its line, such as a long address, says nothing about the width.
    width = max((len(piece) for piece in pieces if " " in piece.strip() or not piece.isascii()), default=0)
    run_start: int | None = None
    for number, (start, end) in enumerate(lines):
        run_start = start if run_start is None else run_start
        run = text[run_start:end]
        if width in WRAP_CHARS and number + 1 < len(lines) and _goes_on(run, pieces[number], pieces[number + 1], width):
            continue
        kind: Kind = "item" if _ITEM.match(run) else "row" if "\t" in run.strip() else "text"
        yield from _tight(text, run_start, end, kind)
        run_start = None


def _goes_on(run: str, line: str, upcoming: str, width: int) -> bool:
    """Whether the line break behind `line`, the last of `run`, is soft in a paragraph `width` characters wide."""
    if "\t" in upcoming.strip() or _starts_item(run, upcoming):
        return False
    word = upcoming.split(maxsplit=1)[0]
    full = len(line) + 1 + len(word) > width
    return full or (word[0].islower() and 2 * len(line) > width and line[-1] not in ".!?:;")


def _starts_item(run: str, upcoming: str) -> bool:
    """Whether a line is a new list item, and not a sentence that goes on with an initial or a number and full stop."""
    if not _ITEM.match(upcoming):
        return False
    return not _INITIAL.match(upcoming) or bool(_ITEM.match(run)) or run.rstrip()[-1] in ".:;!?,"
