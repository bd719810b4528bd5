"""Text → blocks: Markdown, HTML and plain text, valid and broken. No text may be lost."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.errors import DocumentError
from qa.formats import Extract, read_html, read_markdown, read_plain
from qa.formats.blocks import ROW_CHARS
from qa.schema import Block


def block_laws(text: str, blocks: Sequence[Block]) -> None:
    """Blocks lie in the text, in order, without overlap or outer white space, and cover all but white space."""
    at = 0
    for block in blocks:
        assert at <= block.start < block.end <= len(text), "outside of the text, out of order or overlapping"
        assert not text[at : block.start].strip(), f"lost: {text[at : block.start]!r}"
        assert text[block.start : block.end] == text[block.start : block.end].strip(), "white space around a block"
        at = block.end
    assert not text[at:].strip(), f"lost: {text[at:]!r}"


def shown(extract: Extract) -> list[tuple[str, str]]:
    block_laws(extract.text, extract.blocks)
    return [(block.kind, extract.text[block.start : block.end]) for block in extract.blocks]


@pytest.mark.parametrize(
    "blocks",
    [
        [Block(0, 3)],
        [Block(0, 3), Block(4, 8)],
        [Block(0, 4), Block(4, 7)],
        [Block(0, 3), Block(2, 7)],
        [Block(4, 7), Block(0, 3)],
        [Block(0, 3), Block(3, 3), Block(4, 7)],
        [],
    ],
    ids=["end lost", "beyond the end", "not tight", "overlap", "order", "empty", "nothing"],
)
def test_the_laws_see_planted_violations(blocks: list[Block]) -> None:
    block_laws("one two", [Block(0, 3), Block(4, 7)])
    with pytest.raises(AssertionError):
        block_laws("one two", blocks)


# -- Markdown ----------------------------------------------------------------------------------

MARKDOWN = {
    "headings": (
        "# One #\n\nTwo\n===\n\nThree\n---\n\n####### no\n\n#no",
        [
            ("heading", "# One #"),
            ("heading", "Two\n==="),
            ("heading", "Three\n---"),
            ("text", "####### no"),
            ("text", "#no"),
        ],
    ),
    "no final newline": ("text", [("text", "text")]),
    "CRLF": (
        "# H\r\n\r\none\r\ntwo\r\n- a\r\n- b\r\n",
        [("heading", "# H"), ("text", "one\r\ntwo"), ("item", "- a"), ("item", "- b")],
    ),
    "CR only": (
        "one\rtwo\r\r- a\r# H\rend",
        [("text", "one\rtwo"), ("item", "- a"), ("heading", "# H"), ("text", "end")],
    ),
    "nested lists": (
        "1. one\n2. two\n   - in\n     going on\n\n   second paragraph\n* other",
        [
            ("item", "1. one"),
            ("item", "2. two"),
            ("item", "- in\n     going on"),
            ("item", "second paragraph"),
            ("item", "* other"),
        ],
    ),
    "block quotes": (
        "> one\n> two\n>\n> - item\n\nlast",
        [("text", "> one\n> two"), ("rule", ">"), ("item", "> - item"), ("text", "last")],
    ),
    "table": (
        "| A | B |\n|---|:-:|\n| x. y | |\n| z | 1 |\nafter",
        [("row", "| A | B |"), ("rule", "|---|:-:|"), ("row", "| x. y | |"), ("row", "| z | 1 |"), ("row", "after")],
    ),
    "fences": (
        "```py\nx = 1\n\n  y\n```\n\n    indented\n\n~~~\nopen",
        [
            ("code", "```py"),
            ("code", "x = 1"),
            ("code", "y"),
            ("rule", "```"),
            ("code", "indented"),
            ("rule", "~~~"),
            ("code", "open"),
        ],
    ),
    "HTML blocks": (
        "<div>\n<b>kept</b>\n</div>\n\n<!-- not for readers -->\n\n<br>\n\n<details><summary>S</summary>\n",
        [
            ("text", "<div>\n<b>kept</b>\n</div>"),
            ("rule", "<!-- not for readers -->"),
            ("rule", "<br>"),
            ("text", "<details><summary>S</summary>"),
        ],
    ),
    "link references": ("[a]: http://x.y\n\ntext [a]", [("text", "[a]: http://x.y"), ("text", "text [a]")]),
    "hard-wrapped": ("one\ntwo  \nthree\\\nfour", [("text", "one\ntwo  \nthree\\\nfour")]),
    "rules": ("a\n\n***\n\n- - -\n\n* b", [("text", "a"), ("rule", "***"), ("rule", "- - -"), ("item", "* b")]),
    "front matter": (
        "---\ntitle: T\n---\ntext",
        [("rule", "---"), ("text", "title: T"), ("rule", "---"), ("text", "text")],
    ),
    "no front matter": ("---\n- a\n---\n", [("rule", "---"), ("item", "- a"), ("rule", "---")]),
    "white space only": (" \n\t\r\n", []),
    "odd separators": ("a\x0bb\x1cc\x85d\u2028e", [("text", "a\x0bb\x1cc\x85d\u2028e")]),
}


@pytest.mark.parametrize(("text", "blocks"), MARKDOWN.values(), ids=MARKDOWN)
def test_markdown(text: str, blocks: list[tuple[str, str]]) -> None:
    extract = read_markdown(text)
    assert extract.text == text
    assert shown(extract) == blocks


def test_heading_levels() -> None:
    extract = read_markdown("# a\n\n## b\n\nc\n-\n\n###### d")
    assert [block.level for block in extract.blocks] == [1, 2, 2, 6]


# -- plain text --------------------------------------------------------------------------------

WRAPPED = """The first paragraph is wrapped at sixty characters and does
not end before this line. It has a second sentence here
as well."""
PLAIN = {  # ¶ is a line end that ends a block, a real one is inside of it
    "a paragraph a line": "One line is a paragraph.¶So is the next one.",
    "hard-wrapped": WRAPPED,
    "hard-wrapped CRLF": WRAPPED.replace("\n", "\r\n"),
    "hard-wrapped CR": WRAPPED.replace("\n", "\r"),
    "two wrapped paragraphs": f"{WRAPPED}¶   {WRAPPED}",
    "narrow": "Everybody may enter at any time,\nbut children may enter only with\ntheir parents.",
    "a long address": f"The form for all stands in our pages, and is at\nhttps://x.org/{'a' * 150}\nand free.",
    "a heading above": f"Title¶{WRAPPED}",
    "an initial": "The soldiers were brought home after a year by President\nV. Zelenskyy and his team, as he said.",
    "a number": "They had been waiting for it since the start of the year\n9. Then it came, to their surprise.",
    "items": "What to bring to our meeting in the hut:¶- a coat for a night in the cold,¶- food.¶1. one¶2) b¶(a) c",
    "wrapped items": "1. The first point is long enough to be wrapped\n   here.¶2. The second is full, as long¶3. c",
    "a short list": "eggs¶milk¶two cups of flour",
    "tabs": "Name\tAge¶Anna\t5",
    "Chinese": "汉" * 40 + "\n" + "字" * 40 + "。",
}


@pytest.mark.parametrize("marked", PLAIN.values(), ids=PLAIN)
def test_plain_text(marked: str) -> None:
    text = marked.replace("¶", "\n")
    extract = read_plain(text)
    assert extract.text == text
    assert [block for _, block in shown(extract)] == [block.strip() for block in marked.split("¶")]


def test_blank_lines_end_paragraphs() -> None:
    assert [
        block for _, block in shown(read_plain("one\n\n\n \ntwo\r\n\r\nthree\r\rfour"))
    ] == "one two three four".split()


def test_kinds_in_plain_text() -> None:
    kinds = [kind for kind, _ in shown(read_plain("Text.\n- item\n2. item\na\tb\n-----\n"))]
    assert kinds == ["text", "item", "item", "row", "rule"]


# -- HTML --------------------------------------------------------------------------------------

HTML = {
    "entities": ("<p>a &amp; b&nbsp;&lt;c&gt; &copy; &#x1F600; &bogus;", [("text", "a & b <c> © 😀 &bogus;")]),
    "unclosed tags": ("<p>one<p>two <b>bold<i>er", [("text", "one"), ("text", "two bolder")]),
    "blocks in text": (
        "<div>one<p>two<span> three</span></p>four</div>five",
        [("text", "one"), ("text", "two three"), ("text", "four"), ("text", "five")],
    ),
    "headings": ("<h1>Big\n <em>one</em></h1><h3></h3><p>t", [("heading", "Big one"), ("text", "t")]),
    "a heading in an accordion": (
        "<h2><button>Asked</button></h2><p>x<button>no</button>",
        [("heading", "Asked"), ("text", "x")],
    ),
    "lists": (
        "<ul><li>a<li>b<ul><li>c</ul>tail<li><p>d</p><p>e</p><li></ul>f",
        [
            ("item", "- a"),
            ("item", "- b"),
            ("item", "- c"),
            ("item", "tail"),
            ("item", "- d"),
            ("item", "e"),
            ("text", "f"),
        ],
    ),
    "a table with a header": (
        "<table><caption>Cap</caption><thead><tr><th>A<th>B</thead><tr><td>1<td>2<tr><td><p>x<p>y</td><td></table>z",
        [("text", "Cap"), ("row", "A | B"), ("row", "1 | 2"), ("row", "x y |"), ("text", "z")],
    ),
    "an empty first cell": (
        "<table><tr><th></th><th>2023</th><th>2024</th></tr><tr><td>Sales</td><td>5</td><td>6</td></tr><tr><td></table>",
        [("row", "| 2023 | 2024"), ("row", "Sales | 5 | 6")],
    ),
    "a layout table": (
        "<table><tr><td>left</td><td>right<table><tr><td>in1<td>in2</table></td><td>last</td></tr></table>",
        [("text", "left"), ("text", "right"), ("row", "in1 | in2"), ("text", "last")],
    ),
    "a page in one cell": (
        f"<table><tr><td><h1>H</h1><p>{'word ' * (ROW_CHARS // 5)}</p><p>Two.</p></td></tr></table>",
        [("heading", "H"), ("text", ("word " * (ROW_CHARS // 5)).strip()), ("text", "Two.")],
    ),
    "cells outside of a table": ("<td>a</td><td>b</td>", [("text", "a"), ("text", "b")]),
    "preformatted": (
        "<pre>one\n  two\n\n<b>three</b><br>four</pre><p>five\nsix",
        [("code", "one"), ("code", "two"), ("code", "three"), ("code", "four"), ("text", "five six")],
    ),
    "line breaks": (
        "<p>Ten Street<br>Kyiv<br/>Ukraine",
        [("text", "Ten Street"), ("text", "Kyiv"), ("text", "Ukraine")],
    ),
    "lines wrapped with br": (
        "Everybody may enter at any time,<br>but children may enter only with<br>their parents.<br><br>Next.",
        [
            ("text", "Everybody may enter at any time,\nbut children may enter only with\ntheir parents."),
            ("text", "Next."),
        ],
    ),
    "left out": (
        "one<nav>no</nav>two<script>no</script> three<style>x</style><template>no</template><!-- no --><select>x"
        "<svg><text>no</text></svg><textarea>no</textarea><iframe>no</iframe><noscript>no</noscript><dialog>no",
        [("text", "one"), ("text", "two three")],
    ),
    "hidden": (
        "a<p hidden>no</p><p style='top:0; DISPLAY : none'>no</p><i aria-hidden=true>no</i><div role=navigation>no"
        "</div>b<span style='visibility:hidden'>no <b>no</b></span>c<input hidden>d",
        [("text", "abcd")],
    ),
    "a hidden part does not split a number": ("1,<span style='display:none'>x</span>358", [("text", "1,358")]),
    "a page under an open dialog": ("<div aria-hidden=true><p>shown</div>", [("text", "shown")]),
    "a page shown by its script": ("<body style='display:none'><p>shown", [("text", "shown")]),
    "superscripts": (
        "10<sup>2</sup> m<sup>-1</sup> 1<sup>st</sup> home<sup>[3]</sup> x<sup> 12 </sup>",
        [("text", "10² m⁻¹ 1st home[3] x¹²")],
    ),
    "soft hyphens": ("in&shy;ter&shy;na&shy;tio&shy;nal", [("text", "international")]),
    "comments and processing instructions": ("<p>a<!-- <p>no -->b<?php no ?>c", [("text", "abc")]),
    "two pages in one file": (
        "<html><body><p>one</body></html><html><body><p>two</body></html>three",
        [("text", "one"), ("text", "two"), ("text", "three")],
    ),
    "plain text": ("no tags", [("text", "no tags")]),
    "a rule": ("<p>a</p>***<p>b</p>", [("text", "a"), ("rule", "***"), ("text", "b")]),
    "broken": ("</p></div><<<b>x</i>&", [("text", "<<x&")]),
    "empty": ("", []),
    "white space": (" \n", []),
    "only a comment": ("<!-- x -->", []),
    "only a head": ("<head><title>T</title></head>", []),
}


@pytest.mark.parametrize(("page", "blocks"), HTML.values(), ids=HTML)
def test_html(page: str, blocks: list[tuple[str, str]]) -> None:
    assert shown(read_html(page)) == blocks


@pytest.mark.parametrize("tag", ["div", "b", "font", "ul", "blockquote", "table><tr><td"])
@pytest.mark.parametrize("depth", [300, 2100, 3000])
def test_no_text_is_lost_however_deep_a_page_is(tag: str, depth: int) -> None:
    page = "<p>start</p>" + "".join(f"<{tag}>w{level} " for level in range(depth)) + "</div></b>" * depth + "<p>end"
    words = " ".join(text for _, text in shown(read_html(page))).split()
    assert words == ["start", *(f"w{level}" for level in range(depth)), "end"]


def test_a_page_too_deep_to_parse_in_time_is_refused() -> None:
    with pytest.raises(DocumentError, match="nested more than 10,000"):
        read_html("<ul>" * 100_000 + "x")


def test_hostile_pages_cost_bounded_work() -> None:
    """With each of these pages, building a tree, or searching all elements of a row, took quadratic time."""
    assert read_html("<p " + " ".join(f"a{n}=1" for n in range(200_000)) + ">x").text == "x"
    assert len(read_html("<table>" + "<tr><td>a<td>b" * 20_000).blocks) == 20_000
    assert read_html("<p>" + "a" * 5_000_000).text == "a" * 5_000_000
    assert len(read_markdown("<div>" + "<" * 300_000).blocks) == 1
    assert len(read_markdown(">" * 50_000 + " x").blocks) == 1
    assert len(read_plain("a b\n" * 50_000).blocks) == 50_000


def pages() -> st.SearchStrategy[str]:
    """Pages with words "v…" that are visible and words "h…" that are hidden."""
    word = st.integers(0, 999).map(lambda number: f" v{number} ")
    hidden = st.sampled_from(
        "<script>h='<p>h1</p>'</script> <style>h2</style> <nav><p>h3<ul><li>h4</ul></nav> <!--h5--> <p/hidden>h6</p>"
        " <div/style='display:none'><table><tr><td>h7</table></div> <template>h8</template> <input/hidden>"
        " <select><option>h9</select> <svg><text>h10</text></svg>".split()
    )
    void = st.sampled_from(["<br>", "<hr/>", "<img alt='h'>", "<wbr>", "&nbsp;", "\n"])
    tags = "p div b ul li ol h2 blockquote section dl dd sup em figure table".split()

    def wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        content = st.lists(inner, max_size=4).map("".join)
        closed = st.builds(lambda tag, inside: f"<{tag}>{inside}</{tag}>", st.sampled_from(tags), content)
        unclosed = st.builds(lambda tag, inside: f"<{tag}>{inside}", st.sampled_from(["p", "li", "b", "div"]), content)
        row = st.lists(content, min_size=1, max_size=3).map(
            lambda cells: "<table><tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr></table>"
        )
        pre = word.map(lambda inside: f"<pre>{inside}\n{inside}</pre>")
        return closed | unclosed | row | pre

    return st.lists(st.recursive(word | hidden | void, wrapped, max_leaves=20), max_size=5).map("".join)


@given(pages())
def test_every_visible_word_and_no_hidden_one_is_extracted_in_order(page: str) -> None:
    extract = read_html(page)
    block_laws(extract.text, extract.blocks)
    visible = re.findall(r"\bv\d+", page)
    assert re.findall(r"\b[vh]\d+", extract.text) == visible


SOUP = (
    "<p> </p> <tr> <td> </table> <table> <li> <b> </b> <br> <!-- --> <pre> </pre> &am <sup> </sup> <nav> </nav> </html>"
    " <html> <body/hidden> <title> <h1> </h1> < > 5 x <script> </script> <a"
).split()


@given(st.lists(st.sampled_from(SOUP), max_size=30))
def test_any_soup_of_tags_keeps_the_laws(tags: list[str]) -> None:
    extract = read_html("".join(tags))
    block_laws(extract.text, extract.blocks)
    assert all("\n" not in extract.text[block.start : block.end] or block.kind == "text" for block in extract.blocks)


PARTS = [
    *"# - * + > | ` ~ = _ : \\ < & [ ] ( ) ! . 1. 2) --- ``` ~~~ *** === |---| <div> </div> <!-- --> [a]:".split(),
    *"word Two. été 日本語。 👨‍👩‍👧 e\u0301".split(),
    *(" ", "    ", "\t", "\n", "\n", "\n\n", "\r\n", "\r", "\u2028", "\x0b"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=40).map("".join), st.sampled_from([".txt", ".md"]))
def test_any_text_keeps_the_laws(text: str, ending: str) -> None:
    read = {".txt": read_plain, ".md": read_markdown}[ending]
    extract = read(text)
    assert extract.text == text
    block_laws(text, extract.blocks)
    assert read(text) == extract


YAML = ["title: T", "a: [", "---", "...", "- x", "k: &a v", "j: *a", "? x", "\t", ": :", "«", "\x07"]


@given(st.lists(st.sampled_from(YAML), max_size=8))
def test_any_front_matter_keeps_the_laws(lines: list[str]) -> None:
    text = "\n".join(["---", *lines, "---", "", "The end."])
    extract = read_markdown(text)
    block_laws(text, extract.blocks)
    assert text[extract.blocks[-1].start :] == "The end."
    assert extract.title in (None, "T")
