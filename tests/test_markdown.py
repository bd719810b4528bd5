"""Exported and copied Markdown: rendered, it is the text again, and nothing is escaped that needs no escape."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from qa.schema import Quote
from tests.answers import answered, conflicting, quote, refused
from ui.exports import answer_as_markdown, answer_as_text
from ui.markdown import blockquote, heading, one_line

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PLAIN = {"inline", "paragraph_open", "paragraph_close", "blockquote_open", "blockquote_close", "text", "text_special",
         "softbreak", "heading_open", "heading_close"}  # fmt: skip
# What Markdown itself is made of, and what people write; controls and exotic line ends are in no text that is read.
LETTERS = st.sampled_from(
    [*"ab 12\t*_`#>+-=~[]()!<&;:|\\.$^\"'é–“” \u00a0", "\n", "\n\n", "&amp;", "](", "http://x.y/"]
)
TEXTS = st.lists(LETTERS, max_size=30).map("".join)


def rendered(markdown: str) -> str:
    """The text that a reader sees; raises where anything of it is markup."""
    tokens = RENDERER.parse(markdown)
    inside = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in (*tokens, *inside)} <= PLAIN
    return "\n\n".join(
        "".join("\n" if child.type == "softbreak" else child.content for child in token.children or ())
        for token in tokens
        if token.type == "inline"
    )


@settings(max_examples=2000, deadline=None)
@given(TEXTS)
def test_a_quote_is_its_text_again(text: str) -> None:
    lines = ["" if not line.strip() else line for line in text.split("\n")]
    expected = re.sub(r"\n{2,}", "\n\n", "\n".join(lines).strip("\n"))  # blank lines part paragraphs
    assert rendered(blockquote(text)) == expected


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_a_heading_and_a_line_are_their_text_again(text: str) -> None:
    line = " ".join(text.splitlines())
    for made in (heading(text, 2), one_line(text)):
        assert rendered(made) == (line if line.strip() else rendered(made))


@pytest.mark.parametrize(
    "text",
    [
        "Open from 8:00 to 17:30 (daily).", "5 * 3 = 15 - 2", "snake_case, 50 %, #3, a+b, a & b, 3 < 4", "It costs $5!",
        "See [1] and “that”.", "| Adult | £5.20 |", "sheet Q3, row 12", "https://x.org/a_b~c", "~5 km", "No. 5",
    ],
)  # fmt: skip
def test_nothing_is_escaped_needlessly(text: str) -> None:
    assert one_line(text) == text
    assert blockquote(text) == f"> {text}"


ROW = {"text": "Sparrow | 2890", "before": "Model | Price", "locator": "sheet Q3, row 12", "heading": "Q3"}


def row() -> Quote:
    return quote(start=0, end=14, document="list.xlsx", title="Q3, Staff", date="2024-03-01", page=4, **ROW)


def test_what_is_copied_has_quote_file_page_row_and_date() -> None:
    one = answered(quotes=(row(),), short_answer="2890")
    assert answer_as_text(one) == (
        "Model | Price\n“Sparrow | 2890”\n[1] list.xlsx · Q3, Staff · page 4 · sheet Q3, row 12 · Q3 · 2024-03-01\n"
    )
    assert answer_as_markdown(one) == (
        "> Model | Price\n>\n> Sparrow | 2890\n>\n"
        "> [1] list.xlsx · Q3, Staff · page 4 · sheet Q3, row 12 · Q3 · 2024-03-01\n"
    )


@pytest.mark.parametrize("copied", [answer_as_text, answer_as_markdown])
def test_what_is_copied_says_what_it_is(copied: object) -> None:
    assert callable(copied)
    assert "has changed" in copied(answered(), {1: "The source has changed."})
    assert "has changed" not in copied(answered())
    assert "not an answer" in copied(refused())
    assert "[1] and [2] disagree. [1] is dated later: 2024-03-01, [2] 2019." in copied(conflicting())
    assert "Not covered by the documents: When?" in copied(answered(not_covered=("When?",)))
