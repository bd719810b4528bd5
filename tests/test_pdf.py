"""PDFs, written by a library: reading order, paragraphs, tables, running heads, and refused files."""

import ctypes
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdfium2 import raw

from qa.assistant import Assistant
from qa.errors import DocumentError
from qa.formats import Extract, extract, pdf_pages
from qa.formats.pdf_layout import Piece, page_lines
from tests.conftest import ROOT
from tests.files import ROWS, SHOWN, pdf_bytes, write_lines, write_table
from tests.test_formats import block_laws, shown
from tests.test_hostile_files import raw_pdf, stream

LEFT = [
    "The pool was built in the year of the great",
    "flood and opened to the public two years",
    "later. It has five lanes, of which one is",
    "kept for slow swimmers all day long.",
]
RIGHT = [
    "The wall came much later. It is climbed by",
    "some two hundred people in a week, of whom",
    "half are children who come with a school",
    "and have never climbed before.",
]


def read(*pages: Any, **properties: str) -> Extract:
    found = extract(pdf_bytes(*pages, **properties), ".pdf")
    block_laws(found.text, found.blocks)
    return found


def page(lines: Sequence[str], **place: float) -> Any:
    return lambda drawn: write_lines(drawn, lines, **place)


def test_pages_paragraphs_and_soft_line_breaks() -> None:
    found = read(page(LEFT), page(RIGHT))
    assert shown(found) == [("text", " ".join(LEFT)), ("text", " ".join(RIGHT))]
    assert [block.page for block in found.blocks] == [1, 2]
    assert (found.pages, found.encoding, found.dates) == (2, "pdf", ())


@pytest.mark.parametrize("pages", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_as_many_pages_as_a_book_has(pages: int) -> None:
    def day(number: int) -> Any:
        words = random.Random(number)
        seen = " ".join(words.choice(("ice", "fog", "rain", "gulls", "no ship", "two boats")) for _ in range(9))
        return page(["The lighthouse keeper", f"On day {number} I saw {seen}.", *LEFT], top=720)

    found = read(*map(day, range(1, pages + 1)))
    assert found.pages == pages
    told = [(block.page, found.text[block.start : block.end]) for block in found.blocks]
    days = [(number, text.partition(" I saw ")[0]) for number, text in told if " I saw " in text]
    assert days == [(number, f"On day {number}") for number in range(1, pages + 1)]


def test_two_columns_are_read_one_after_the_other() -> None:
    """In whichever order the file stores the text: by column, or line by line across both columns."""

    def by_column(drawn: Any) -> None:
        write_lines(drawn, ["A heading over both"], top=800, size=18)
        write_lines(drawn, LEFT, left=60)
        write_lines(drawn, RIGHT, left=320)

    def by_line(drawn: Any) -> None:
        write_lines(drawn, ["A heading over both"], top=800, size=18)
        for number, pair in enumerate(zip(LEFT, RIGHT, strict=True)):
            for left, line in zip((60, 320), pair, strict=True):
                write_lines(drawn, [line], left=left, top=760 - 12 * number)

    expected = [("heading", "A heading over both"), ("text", " ".join(LEFT)), ("text", " ".join(RIGHT))]
    assert shown(read(by_column)) == expected
    assert shown(read(by_line)) == expected


def test_tables_and_lists_inside_columns() -> None:
    found = extract((ROOT / "eval/handbook/rowing-boats.pdf").read_bytes(), ".pdf")
    headings = [text for kind, text in shown(found) if kind == "heading"]
    assert [text[:2] for text in headings[1:]] == [f"{number}." for number in range(1, 9)]
    rows = [text for kind, text in shown(found) if kind == "row"]
    assert len(rows) == 10
    assert "One hour | £11.60 | £13.90" in rows
    assert {block.page for block in found.blocks if block.kind == "item"} == {2}


def test_a_line_across_the_columns_separates_those_above_and_below() -> None:
    def draw(drawn: Any) -> None:
        write_lines(drawn, LEFT, left=60, top=760)
        write_lines(drawn, RIGHT, left=320, top=760)
        write_lines(
            drawn, ["This line stands across both of the columns and says something of its own to everyone."], top=690
        )
        write_lines(drawn, RIGHT, left=60, top=650)
        write_lines(drawn, LEFT, left=320, top=650)

    texts = [text for _, text in shown(read(draw))]
    assert [text[:10] for text in texts] == ["The pool w", "The wall c", "This line ", "The wall c", "The pool w"]


def test_words_hyphenated_at_line_ends_are_joined() -> None:
    lines = [
        "The centre keeps its well-known inter-",
        "national programme and its well-",
        "known summer school, and in 2023-",
        "2024 it was on both sides of Tarn-",
        "Hollow and cost £5.",
    ]
    (block,) = shown(read(page(lines)))
    assert block[1] == (
        "The centre keeps its well-known international programme and its well-known summer school, "
        "and in 2023-2024 it was on both sides of Tarn-Hollow and cost £5."
    )


def test_a_paragraph_goes_on_in_the_next_column_and_on_the_next_page() -> None:
    def columns(drawn: Any) -> None:
        write_lines(drawn, ["Handbook of the centre"], top=820, size=8)
        write_lines(drawn, LEFT[:3], left=60)
        write_lines(drawn, [LEFT[3][:-1] + " and", *RIGHT[1:3]], left=320)
        write_lines(drawn, ["Page 1"], top=20, size=8)

    def following(drawn: Any) -> None:
        write_lines(drawn, ["Handbook of the centre"], top=820, size=8)
        write_lines(drawn, ["who come again and again. Then they climb."])
        write_lines(drawn, ["Page 2"], top=20, size=8)

    found = read(columns, following)
    whole = " ".join([*LEFT[:3], LEFT[3][:-1], "and", *RIGHT[1:3], "who come again and again."])
    texts = [text for kind, text in shown(found) if kind == "text"]
    assert texts == [whole, "Then they climb."]
    assert [block.page for block in found.blocks if block.kind == "text"] == [1, 2]


def test_a_sentence_that_goes_on_is_not_cut_at_an_abbreviation() -> None:
    found = read(page(["The prize was given to the people of"]), page(["the town by Dr. Smith in May. He spoke."]))
    assert shown(found) == [
        ("text", "The prize was given to the people of the town by Dr. Smith in May."),
        ("text", "He spoke."),
    ]
    assert [block.page for block in found.blocks] == [1, 2]


def test_running_heads_and_page_numbers_are_not_quotable() -> None:
    def numbered(number: int) -> Any:
        def draw(drawn: Any) -> None:
            write_lines(drawn, ["Tarn Hollow Centre, Handbook"], top=810, size=8)
            write_lines(drawn, [f"On day {number} the pool has {30 * number} visitors."])
            write_lines(drawn, [f"{number + 4} of 9"], top=30, left=290, size=8)

        return draw

    found = read(*map(numbered, range(1, 5)))
    kinds = shown(found)
    assert [text for kind, text in kinds if kind == "text"] == [
        f"On day {number} the pool has {30 * number} visitors." for number in range(1, 5)
    ]
    assert [text for kind, text in kinds if kind == "rule"][:3] == [
        "Tarn Hollow Centre, Handbook",
        "5 of 9",
        "Tarn Hollow Centre, Handbook",
    ]


def test_lines_that_only_look_alike_are_kept() -> None:
    """Rows of numbers at the same place on two pages are no running heads: more than the page number differs."""
    found = read(page(["2021 was 5 and 7"], top=810), page(["2023 was 9 and 2"], top=810))
    assert {kind for kind, _ in shown(found)} == {"text"}
    twice = read(page(["Closed today."]), page(["Closed today."]))
    assert {kind for kind, _ in shown(twice)} == {"text"}


def test_tables_are_rows_with_their_cells() -> None:
    def draw(drawn: Any) -> None:
        write_lines(drawn, LEFT)
        write_table(drawn, [*ROWS, ["Group", "£20.00"]], top=600)
        write_table(drawn, [["Room", "Seats"], ["Birch", "12"]], top=500)

    found = shown(read(draw))
    assert found[1:] == [("row", row) for row in [*SHOWN, "Group | £20.00 |", "Room | Seats", "Birch | 12"]]


def test_a_wrapped_cell_is_one_cell() -> None:
    rows = [["Drill", "When"], ["Fire", "twice a year, in May"], ["", "and in October"], ["Flood", "never"]]
    found = shown(read(lambda drawn: write_table(drawn, rows)))
    assert [row for _, row in found] == ["Drill | When", "Fire | twice a year, in May and in October", "Flood | never"]
    assert {kind for kind, _ in found} == {"row"}


def test_headings_by_size_and_items_by_their_marks() -> None:
    def draw(drawn: Any) -> None:
        top = write_lines(drawn, ["Rules of the centre"], size=20)
        top = write_lines(drawn, ["The pool"], top=top - 10, size=14)
        top = write_lines(drawn, LEFT, top=top - 10)
        for mark, text in (("•", "Bring a towel."), ("•", "Bring water."), ("2.", "Shower first.")):
            write_lines(drawn, [mark], left=60, top=top - 10)
            top = write_lines(drawn, [text], left=78, top=top - 10)
        write_lines(drawn, ["The wall"], top=top - 20, size=14)
        write_lines(drawn, RIGHT, top=top - 50)
        write_lines(drawn, ["The pool ........... 3", "The wall ........... 5"], top=200)

    found = read(draw)
    assert [(kind, text[:19]) for kind, text in shown(found)] == [
        ("heading", "Rules of the centre"),
        ("heading", "The pool"),
        ("text", "The pool was built "),
        ("item", "• Bring a towel."),
        ("item", "• Bring water."),
        ("item", "2. Shower first."),
        ("heading", "The wall"),
        ("text", "The wall came much "),
        ("rule", "The pool .........."),
        ("rule", "The wall .........."),
    ]  # fmt: skip
    assert [block.level for block in found.blocks if block.kind == "heading"] == [1, 2, 2]


def test_the_title_of_the_properties_counts_where_the_text_says_it() -> None:
    def titled(title: str) -> Any:
        def draw(drawn: Any) -> None:
            drawn.setTitle(title)
            write_lines(drawn, ["Rules of the Pool", *LEFT])

        return draw

    assert read(titled("Rules of the pool")).title == "Rules of the pool"
    assert read(titled("Microsoft Word - template.doc")).title is None
    assert read(titled("")).title is None


def test_a_scan_is_refused_with_what_to_do() -> None:
    with pytest.raises(DocumentError, match="holds no text: it looks like a scan; run OCR on it first"):
        read(lambda drawn: drawn.rect(50, 50, 400, 400, fill=1))


def _picture(drawn: Any) -> None:
    drawn.drawInlineImage(Image.new("1", (8, 8)), 50, 50, 400, 400)


def test_pages_that_are_only_a_picture_are_named() -> None:
    def rule(drawn: Any) -> None:
        drawn.rect(50, 50, 400, 1, fill=1)

    def both(drawn: Any) -> None:
        _picture(drawn)
        write_lines(drawn, LEFT)

    pages = [_picture, page(LEFT), rule, _picture, _picture, _picture, both, _picture]
    found = extract(pdf_bytes(*pages), ".pdf")
    assert found.left_out == "pages 1, 4–6 and 8 without text: run OCR on what is scanned; the rest is indexed"
    assert found.text.count(LEFT[0]) == 2
    assert read(page(LEFT)).left_out is None
    assert extract(pdf_bytes(page(LEFT), _picture), ".pdf").left_out.startswith("page 2 without text")
    with pytest.raises(DocumentError, match="looks like a scan"):
        extract(pdf_bytes(_picture, rule), ".pdf")


def test_many_scanned_pages_are_counted() -> None:
    found = extract(pdf_bytes(*[page(LEFT), _picture] * 25, _picture), ".pdf")
    assert ", 38, 40 and 6 more without text" in found.left_out


def test_what_is_left_out_of_an_indexed_file_is_listed_as_long_as_it_is_there(tmp_path: Path) -> None:
    docs, store = tmp_path / "docs", tmp_path / "store"
    docs.mkdir()
    (docs / "part.pdf").write_bytes(pdf_bytes(page(LEFT), _picture))
    for _ in range(2):  # the second time nothing is read
        with closing(Assistant.open(docs, store=store)) as assistant:
            assert [one.path for one in assistant.documents()] == ["part.pdf"]
            assert [(one.path, one.reason[:19]) for one in assistant.skipped()] == [("part.pdf", "page 2 without text")]
    (docs / "part.pdf").write_bytes(pdf_bytes(page(LEFT)))
    with closing(Assistant.open(docs, store=store)) as assistant:
        assert len(assistant.documents()) == 1
        assert assistant.skipped() == []


def test_an_encrypted_file_is_refused_unless_everybody_may_open_it() -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    with pytest.raises(DocumentError, match="is encrypted; save a copy without a password"):
        read(page(LEFT), encrypt=StandardEncryption("secret", ownerPassword="owner"))
    assert shown(read(page(LEFT), encrypt=StandardEncryption("", ownerPassword="owner")))


def turned_pdf(turn: int) -> bytes:
    """The text is drawn so that it is upright when the page is turned."""
    matrix = {0: "1 0 0 1 50 700", 90: "0 1 -1 0 100 50", 180: "-1 0 0 -1 550 100", 270: "0 -1 1 0 500 750"}[turn]
    content = f"BT /F 12 Tf {matrix} Tm (The first line of it.) Tj 0 -40 Td (The second - line.) Tj ET"
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Rotate %d/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>" % turn,
        stream(content.encode()),
    )


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turned_page_is_read_as_it_is_shown(turn: int) -> None:
    found = extract(turned_pdf(turn), ".pdf")
    assert shown(found) == [("text", "The first line of it."), ("text", "The second - line.")]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_words_are_as_high_as_their_letters_are_large(turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in fonts of which the library knows only the ink of each letter, as LibreOffice embeds them."""

    def ink(text: Any, index: int, place: Any) -> bool:
        left, right, low, high = (ctypes.c_double() for _ in range(4))
        raw.FPDFText_GetCharBox(text, index, left, right, low, high)
        box = place._obj
        box.left, box.right, box.bottom, box.top = left.value, right.value, low.value, high.value
        return True

    monkeypatch.setattr(raw, "FPDFText_GetLooseCharBox", ink)
    with closing(pypdfium2.PdfDocument(turned_pdf(turn))) as document:
        words = list(pdf_pages.page_words(document[0]))
    assert [word[0] for word in words] == ["The", "first", "line", "of", "it.", "The", "second", "-", "line."]
    assert {round(bottom - top, 1) for _, _, top, _, bottom in words} == {12.0}
    assert len({round(top, 1) for _, _, top, _, _ in words}) == 2


@pytest.mark.parametrize("code", ["3000", "2003", "D83D"])
def test_a_piece_of_white_space_or_half_a_character_is_no_word(code: str) -> None:
    """For example an ideographic space that is drawn by itself."""
    names = (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00><FF> endcodespacerange"
        f" 1 beginbfchar <23> <{code}> endbfchar endcmap end"
    )
    lines = ["#", "1. The first line.", "#", "2. It goes on."]
    content = f"BT /F 12 Tf 50 700 Td {' 0 -14 Td '.join(f'({line}) Tj' for line in lines)} ET"
    found = extract(
        raw_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
            b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 5 0 R>>>>>>>>",
            stream(content.encode()),
            stream(names.encode()),
        ),
        ".pdf",
    )
    assert [text for _, text in shown(found)] == ["1. The first line.", "2. It goes on."]


PIECES = st.builds(
    lambda text, left, top, width, height: Piece(text, left, top, left + width, top + height),
    st.sampled_from(
        ["word", "Two words.", "•", "1.", "inter\xad", "well-", "p. 3", "שלום", "汉字", "Page 7", "......... 4"]
    ),
    *[st.integers(-50, 900).map(float)] * 2,
    st.integers(0, 400).map(float),
    st.integers(0, 40).map(float),
)


@given(st.lists(st.lists(PIECES, max_size=12), max_size=4))
def test_no_letter_is_lost_whatever_stands_where(pages: list[list[Piece]]) -> None:
    letters = sorted("".join(piece.text for one in pages for piece in one if piece.text))
    found = sorted("".join(line.text for line in page_lines(pages)))
    assert [one for one in found if one not in " |-\xad"] == [one for one in letters if one not in " |-\xad"]
    assert page_lines(pages) == page_lines(pages)
