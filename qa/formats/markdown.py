"""Markdown → blocks: CommonMark with tables and YAML front matter. The text is that of the file, unchanged."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import yaml
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from qa.formats.blocks import Extract, bounded, raise_beyond, tight
from qa.formats.plain import LINE, plain_blocks
from qa.formats.replies import parts
from qa.schema import Block, Kind, Struck

FRONT_MATTER_CHARS = 20_000
DATE_KEYS = "date published publish_date pubdate created updated last_updated lastmod modified effective".split()

_MARKUP = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)
_STRIKES = re.compile(r"(`{1,3})[^`]{1,1000}\1(?!`)|~{3,}|\\~|~~")
_BREAK = r"[ \t]*(?:\r\n|\r|\n)"
_FRONT_MATTER = re.compile(rf"---{_BREAK}(.*?)(?<=[\r\n])(?:---|\.\.\.)(?:{_BREAK}|[ \t]*\Z)", re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark").enable("table").disable("inline")
_LEAVES: dict[str, Kind | None] = {  # markdown-it's block tokens that hold text; None: "item" in a list, else "text"
    "paragraph_open": None,
    "heading_open": "heading",
    "fence": "code",
    "code_block": "code",
    "html_block": "text",
    "hr": "rule",
    "tr_open": "row",
}
_ITEMS = {"list_item_open": 1, "list_item_close": -1}
_QUOTES = {"blockquote_open": 1, "blockquote_close": -1}


def read_markdown(text: str) -> Extract:
    """Read CommonMark blocks, tables and YAML front matter."""
    matter, body = _front_matter(text)
    lines = [match.span() for match in bounded(LINE.finditer(text))]
    skipped_lines = sum(1 for start, _ in lines if start < body)
    blocks = [block for start, end in lines[:skipped_lines] for block in tight(text, start, end, "text")]
    replies = [one for one in parts(text) if one[2]]
    items = quotes = 0  # how many list items, and block quotes, the token is inside of
    for token in _parse(text[body:]):
        items += _ITEMS.get(token.type, 0)
        quotes += _QUOTES.get(token.type, 0)
        if token.type not in _LEAVES or token.map is None:
            continue
        first, last = (line + skipped_lines for line in token.map)
        kind = _LEAVES[token.type] or ("item" if items else "text")
        if token.type == "html_block" and not _MARKUP.sub("", token.content).strip():
            kind = "rule"
        level = int(token.tag[1]) if kind == "heading" else 0
        for begin, end in [(n, n + 1) for n in range(first, last)] if kind == "code" else [(first, last)]:
            locator = _reply(replies, lines[begin][0]) if quotes else None
            blocks += tight(text, lines[begin][0], lines[end - 1][1], kind, level, locator=locator)
    dates = tuple(matter[key] for key in DATE_KEYS if key in matter)
    kept = tuple(_fill_gaps(text, blocks))
    struck = tuple(Struck(*span) for block in kept if block.kind != "code" for span in struck_spans(text, block))
    return Extract(text, kept, struck=struck, title=matter.get("title"), dates=dates, body=body)


def struck_spans(text: str, block: Block) -> Iterator[tuple[int, int]]:
    """The intervals between `~~` marks in a block, marks included; code in the text has none."""
    if text.find("~~", block.start, block.end) < 0:
        return
    begin = None
    for match in _STRIKES.finditer(text, block.start, block.end):
        if match[0] != "~~":
            continue
        if begin is None and not text[match.end() : match.end() + 1].isspace():
            begin = match.start()
        elif begin is not None and not text[match.start() - 1].isspace():
            yield begin, match.end()
            begin = None


def _reply(replies: Sequence[tuple[int, int, str | None]], at: int) -> str:
    """The locator of the quoted lines that hold this place: with whose they are, where the line before says so."""
    number = bisect_right(replies, at, key=lambda reply: reply[0]) - 1
    start, end, locator = replies[number] if number >= 0 else (0, 0, None)
    return locator if locator and start <= at < end else "quoted"


class _Tokens(list[Token]):
    """The tokens that are used. The limit applies while the parser runs: a single line can hold any number of them."""

    def append(self, token: Token) -> None:
        if token.type in _LEAVES or token.type in _ITEMS or token.type in _QUOTES:
            raise_beyond(len(self) + 1)
            super().append(token)


def _parse(text: str) -> list[Token]:
    """The tokens in order; raises DocumentError for more than MAX_PIECES."""
    state = StateCore(text, _MARKDOWN, {})
    state.tokens = _Tokens()
    _MARKDOWN.core.process(state)
    return state.tokens


def _front_matter(text: str) -> tuple[dict[str, str], int]:
    """(front matter, start of the body): the text values of the YAML mapping at the top, by key; ({}, 0) without one.

    Keys are in lower case with `_`. YAML values stay strings as written: `title: No` is "No", not False.
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


def _fill_gaps(text: str, blocks: list[Block]) -> Iterator[Block]:
    """The outermost blocks in order, with plain blocks for all text between them."""
    at = 0
    for block in sorted(blocks, key=lambda block: (block.start, -block.end)):
        if block.start >= at:
            yield from plain_blocks(text, at, block.start)
            yield block
            at = block.end
    yield from plain_blocks(text, at, len(text))
