"""Web pages → blocks of their visible text. Left out: navigation, scripts, hidden parts."""

import itertools
import re
from dataclasses import replace
from typing import Any

from qa.errors import DocumentError
from qa.formats.blocks import ROW_CHARS, Extract, Line, assemble, raise_beyond
from qa.formats.forms import TICKED, UNTICKED
from qa.formats.grid import Cell, grid_lines
from qa.formats.marks import guarded, has_text, lowered, note_signs, raised, shown, struck
from qa.formats.plain import plain_blocks
from qa.schema import Kind

MAX_DEPTH = 10_000  # of elements in a page
HTML_DATE_NAMES = (
    "date dc.date dc.date.issued dcterms.date dcterms.issued dcterms.created article:published_time datepublished"
    " publish-date publish_date pubdate article:modified_time dcterms.modified datemodified last-modified"
).split()

_HTML_ATTRIBUTES = frozenset(
    "aria-hidden checked colspan content hidden href itemprop name open property role rowspan style type value".split()
)  # the only ones that are kept: a page can hold millions of others

_Event = tuple[str, Any]
"""(tag, its kept attributes) where an element starts, (tag, None) where it ends, ("", text) for text."""

_HTML_BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details dir div dl dt fieldset figcaption figure footer"
    " form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol option p pre search section summary table"
    " tbody td tfoot th thead tr ul".split()
)
_HTML_SKIPPED = frozenset(
    "button canvas datalist embed head iframe nav noscript object script select style svg template textarea".split()
)
_HTML_INHERITING = frozenset("article center div main p section".split())  # have the kind of the block around them
_HTML_STRUCK = frozenset(("s", "strike", "del"))
_HTML_BOXES = frozenset(("checkbox", "radio"))
_HTML_FIELDS = frozenset("text email tel number date time url month week datetime-local".split()) | {""}
_HTML_MARKS = {"struck": struck, "raised": raised, "lowered": lowered}
_RAISED_STYLE = re.compile(r"vertical-align:\s*(?:super|text-top)")
_LOWERED_STYLE = re.compile(r"vertical-align:\s*(?:sub|text-bottom)")
VALUE_CHARS = 1000  # of a field of a form
_CELL = "\x01"  # where a cell of a table row begins


def read_html(text: str) -> Extract:
    """Read the visible text of a page; its title is the first heading, else the `title` element."""
    events = _html_events(text)
    lines = _html_lines(events)
    found = assemble(lines, note_signs(line.text for line in lines))
    metas: dict[str, str] = {}
    for tag, what in events:
        if tag == "meta" and what is not None:
            name = what.get("name") or what.get("property") or what.get("itemprop") or ""
            metas.setdefault(name.lower(), what.get("content") or "")
    heading = next((line.text for line in lines if line.kind == "heading"), None)
    return replace(
        found,
        title=(shown(heading)[0] if heading else None) or _html_title(events),
        dates=tuple(metas[name] for name in HTML_DATE_NAMES if name in metas),
    )


def page_lines(text: str) -> list[Line]:
    """Every block that a reader of the page would see, in order. Raises DocumentError."""
    return _html_lines(_html_events(text))


class _Events:
    """A parser target for lxml that gathers the page as a flat list.

    lxml's tree would lose everything nested more than 2,048 elements deep.
    """

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._depth = self._pieces = 0

    def start(self, tag: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:  # at every tag, the parser searches all open elements
            raise DocumentError(f"is nested more than {MAX_DEPTH:,} elements deep")
        self._add(tag, {name: value for name, value in attributes.items() if name in _HTML_ATTRIBUTES})

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._add(tag, None)

    def data(self, text: str) -> None:
        self._pieces += text.count("\n")  # each line of preformatted text is a block
        self._add("", text)

    def _add(self, tag: str, what: Any) -> None:
        self._pieces += 1
        raise_beyond(self._pieces)
        self._events.append((tag, what))

    def close(self) -> list[_Event]:
        return self._events


def _html_events(text: str) -> list[_Event]:
    """The start and end of each element, and the text between them, without comments. Raises DocumentError."""
    import lxml.etree  # imported late: it takes time, and only folders with web pages need it

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
    """The events that start a table row used for layout: it holds a table, or more than ROW_CHARS characters."""
    layout: set[int] = set()
    rows: list[tuple[int, int]] = []  # the open rows: number of the event, and how many characters precede it
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


def _html_lines(events: list[_Event]) -> list[Line]:
    """Every block that a reader of the page would see, in order."""
    page = _Page()
    layout = _html_layout(events)
    skipping = 0  # how many elements are open inside a left-out element, that element included
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
            page.start(tag, what, is_layout=number in layout)
    return page.finish()


class _Page:
    """Gathers a page's lines from its visible elements and text."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._inline: list[str] = []
        self._open: list[tuple[Kind, int]] = [("text", 0)]  # kind and level of the enclosing blocks
        self._unmarked = False  # the current list item has not got its "- " yet
        self._rows: list[list[Cell]] = []  # of the current table
        self._spans: list[tuple[int, int, bool]] = []  # of the current row's cells: columns, rows, names a column
        self._heads = 0  # how many `thead` elements are open
        # The open elements: what becomes of their text ("struck", "raised", "lowered", "link", "inside" of struck
        # text, "" for none), and where it begins.
        self._elements: list[tuple[str, int]] = []
        self._marking = ""  # the mark of the outermost open element that has one
        self._is_note = False  # the raised text contains, or is, a link within the page

    def add_text(self, text: str) -> None:
        """Add text of the page's source. Its line breaks are spaces, except in preformatted text."""
        text = guarded(text)
        self._inline.append(text if self._open[-1][0] == "code" else re.sub(r"\s+", " ", text.replace("\xad", "")))

    def leaves_out(self, tag: str, attributes: dict[str, str]) -> bool:
        """Whether the element that starts here is left out. Left-out elements separate the words around them."""
        kind = self._open[-1][0]
        if tag in _HTML_SKIPPED and not (tag == "button" and kind == "heading"):  # headings that fold
            if tag == "nav" and kind != "row" and self._marking != "struck":
                self.flush()
            elif tag not in ("script", "style", "template"):
                self._inline.append(" ")
            return True
        return tag not in ("html", "body") and _is_hidden(tag, attributes)

    def start(self, tag: str, attributes: dict[str, str], *, is_layout: bool) -> None:
        if self._marking == "struck":  # one piece, whatever is in it
            self._inline.append(" " if tag in _HTML_BLOCKS else "")
            self._elements.append(("inside", 0))
            return
        if tag in _HTML_BLOCKS:
            self._start_block(tag, attributes, is_layout=is_layout)
        elif tag == "input":
            self._inline.append(_field(attributes))
        mark = _html_mark(tag, attributes)
        if mark == "link":
            self._is_note = self._is_note or self._marking == "raised"
        elif mark and not self._marking:
            self._marking = mark
            self._is_note = mark == "raised" and self._begins_link()
        elif mark:  # within another mark, such as raised text within lowered text
            mark = ""
        self._elements.append((mark, len(self._inline)))

    def _begins_link(self) -> bool:
        """Whether nothing stands before this place in the innermost link."""
        begins = next((at for mark, at in reversed(self._elements[-3:]) if mark == "link"), None)
        return begins is not None and not "".join(self._inline[begins:]).strip()

    def _start_block(self, tag: str, attributes: dict[str, str], *, is_layout: bool) -> None:
        kind, level = self._open[-1]
        self._heads += tag == "thead"
        if tag == "br":
            self._inline.append(" " if kind in ("row", "heading") else "\n")
        elif kind == "row" and tag in ("td", "th"):
            self._inline.append(_CELL)
            is_name = tag == "th" or self._heads > 0
            self._spans.append((_span(attributes, "colspan"), _span(attributes, "rowspan"), is_name))
        elif kind == "row":
            self._inline.append(" ")
        else:
            self.flush()
        if tag == "li":
            self._unmarked = True
        elif tag == "table" and kind != "row":
            self._end_table()
        inherits = tag == "br" or kind in ("row", "code") or tag in _HTML_INHERITING
        self._open.append((kind, level) if inherits else _html_kind(tag, is_layout))

    def end(self, tag: str) -> None:
        mark, begin = self._elements.pop()
        if mark == "inside":
            self._inline.append(" " if tag in _HTML_BLOCKS else "")
            return
        if mark in _HTML_MARKS:
            text = "".join(self._inline[begin:])
            note = mark == "raised" and self._is_note
            self._inline[begin:] = [raised(text, is_note=True) if note else _HTML_MARKS[mark](text)]
            self._marking, self._is_note = "", False
        if tag not in _HTML_BLOCKS:
            return
        self._heads -= tag == "thead"
        if tag != "br" and (len(self._open) < 2 or self._open[-2][0] != "row"):
            self.flush()
        elif tag != "br":
            self._inline.append(" ")
        self._open.pop()
        if tag == "li":
            self._unmarked = False
        elif tag == "table" and self._open[-1][0] != "row":
            self._end_table()

    def finish(self) -> list[Line]:
        """The page's lines, when all of its source was added."""
        self.flush()
        self._end_table()
        return self.lines

    def flush(self) -> None:
        """Make lines of the gathered text; they have the kind of the innermost open block."""
        content = "".join(self._inline)
        self._inline.clear()
        kind, level = self._open[-1]
        if kind == "row":
            spans, self._spans = self._spans, []
            if content.strip(f" {_CELL}"):
                before, *cells = (" ".join(cell.split()) for cell in content.split(_CELL))
                row = [Cell(text, *span) for text, span in zip(cells, spans, strict=False)]
                self._rows.append([Cell(before), *row] if before else row)
            return
        if content.strip():
            self._end_table()
        if kind == "code":
            self.lines += [Line(line.rstrip(), kind, level) for line in content.splitlines() if line.strip()]
            return
        content = "\n".join(" ".join(line.split()) for line in content.split("\n"))
        if kind == "heading":
            if content.strip():
                self.lines.append(Line(content, kind, level))
            return
        for block in plain_blocks(content, 0, len(content)):  # its lines may be wrapped by hand, or by a mail program
            text = content[block.start : block.end]
            mark = "- " if kind == "item" and self._unmarked and has_text(text) else ""
            self._unmarked = self._unmarked and not mark
            kept = block.kind if kind == "text" else kind
            self.lines.append(Line(mark + text, kept, level))

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        self.lines += grid_lines([(None, row) for row in rows])


def _html_mark(tag: str, attributes: dict[str, str]) -> str:
    """What the element makes of its text: "struck", "raised", "lowered"; "link" for a link within the page, else ""."""
    if tag in _HTML_STRUCK:
        return "struck"
    style = attributes.get("style", "").lower() if attributes else ""
    if "line-through" in style and "text-decoration" in style:
        return "struck"
    if tag == "sup" or (tag == "span" and "vertical-align" in style and _RAISED_STYLE.search(style)):
        return "raised"
    if tag == "sub" or (tag == "span" and "vertical-align" in style and _LOWERED_STYLE.search(style)):
        return "lowered"
    return "link" if tag == "a" and "#" in attributes.get("href", "") else ""


def _span(attributes: dict[str, str], name: str) -> int:
    digits = attributes.get(name, "").strip()[:6]
    return max(int(digits), 1) if digits.isascii() and digits.isdigit() else 1


def _field(attributes: dict[str, str]) -> str:
    """What a field of a form shows: whether a box is ticked, or the text in it."""
    kind = attributes.get("type", "").strip().lower()
    if kind in _HTML_BOXES:
        return TICKED if "checked" in attributes else UNTICKED
    value = " ".join(guarded(attributes.get("value", ""))[:VALUE_CHARS].split())
    return f" {value} " if kind in _HTML_FIELDS and value else ""


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
        # On an icon, the attribute marks a picture. On a block, it only means that a dialog was open when it was saved.
        or (attributes.get("aria-hidden") == "true" and tag not in _HTML_BLOCKS)
        or (tag == "dialog" and "open" not in attributes)
        or attributes.get("role") == "navigation"
        or "display:none" in style
        or "visibility:hidden" in style
    )
