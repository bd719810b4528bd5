"""What a file shows otherwise than as plain letters: struck, raised, merged, numbered and filled-in text, by format."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.chunks import split_sentences
from qa.errors import DocumentError
from qa.formats import Extract, extract
from qa.formats.forms import is_unfilled
from qa.formats.grid import Cell, grid_lines
from qa.formats.marks import guarded, lowered, note_signs, raised, shown, struck
from qa.schema import Document
from tests.files import docx_bytes, pdf_bytes, pptx_bytes, write_lines, xlsx_bytes

Run = tuple[str, str]
"""(text, how it is marked: "", "struck", "raised" or "lowered")."""

OLD_AND_NEW: list[Run] = [("A permit costs ", ""), ("17 crowns", "struck"), (" 21 crowns.", "")]
POWER: list[Run] = [("The lake holds 5 × 10", ""), ("7", "raised"), (" buckets of H", ""), ("2", "lowered"), ("O.", "")]


def as_html(runs: Sequence[Run]) -> bytes:
    tags = {"struck": "s", "raised": "sup", "lowered": "sub"}
    return "".join(f"<{tags[how]}>{text}</{tags[how]}>" if how else text for text, how in runs).encode()


def as_docx(runs: Sequence[Run]) -> bytes:
    def fill(document: Any) -> None:
        paragraph = document.add_paragraph()
        for text, how in runs:
            font = paragraph.add_run(text).font
            if how:
                setattr(font, {"struck": "strike", "raised": "superscript", "lowered": "subscript"}[how], True)

    return docx_bytes(fill)


def as_pptx(runs: Sequence[Run]) -> bytes:
    attributes = {"struck": ("strike", "sngStrike"), "raised": ("baseline", "30000"), "lowered": ("baseline", "-25000")}

    def fill(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[6])
        paragraph = slide.shapes.add_textbox(0, 0, 914400, 914400).text_frame.paragraphs[0]
        for text, how in runs:
            run = paragraph.add_run()
            run.text = text
            if how:
                run._r.get_or_add_rPr().set(*attributes[how])

    return pptx_bytes(fill)


def as_xlsx(runs: Sequence[Run]) -> bytes:
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    fonts = {
        "struck": InlineFont(strike=True),
        "raised": InlineFont(vertAlign="superscript"),
        "lowered": InlineFont(vertAlign="subscript"),
    }

    def fill(book: Any) -> None:
        book.active["A1"] = CellRichText([TextBlock(fonts[how], text) if how else text for text, how in runs])

    return xlsx_bytes(fill)


FORMATS = {".html": as_html, ".docx": as_docx, ".pptx": as_pptx, ".xlsx": as_xlsx}
Write = Callable[[Sequence[Run]], bytes]


@pytest.mark.parametrize(("ending", "write"), FORMATS.items(), ids=FORMATS)
def test_struck_text_is_left_out_and_its_place_is_kept(ending: str, write: Write) -> None:
    found = extract(write(OLD_AND_NEW), ending)
    assert "A permit costs 21 crowns." in found.text
    assert "17" not in found.text
    (place,) = found.struck
    assert place.text == "17 crowns"
    assert found.text[: place.start].endswith("A permit costs ")


@pytest.mark.parametrize(("ending", "write"), FORMATS.items(), ids=FORMATS)
def test_exponents_and_indices_are_characters(ending: str, write: Write) -> None:
    assert "The lake holds 5 × 10⁷ buckets of H₂O." in extract(write(POWER), ending).text


def test_raised_signs_of_a_pdf() -> None:
    def page(drawn: Any) -> None:
        for top, text, sign in ((760, "The lake holds 5 × 10", "7"), (748, "The list names 481", "3")):
            drawn.setFont("Helvetica", 10)
            drawn.drawString(60, top, text)
            drawn.setFont("Helvetica", 6)
            drawn.drawString(60 + drawn.stringWidth(text, "Helvetica", 10), top + 4, sign)
        drawn.drawString(60, 104, "3")
        drawn.setFont("Helvetica", 10)
        drawn.drawString(66, 100, "Without the children.")

    text = extract(pdf_bytes(page), ".pdf").text
    assert "10⁷" in text
    assert "481 ³" in text
    assert "³ Without the children." in text


@pytest.mark.parametrize(
    ("marked", "notes", "text"),
    [
        (f"36{raised('2')} streets", frozenset("2"), "36 ² streets"),
        (f"36{raised('2')} streets", frozenset(), "36² streets"),
        (f"× 10{raised('2')}", frozenset("2"), "× 10²"),
        (f"963{raised('1', is_note=True)}.", frozenset(), "963 ¹."),
        (f"the 1{raised('st')}", frozenset(), "the 1st"),
        (f"2{raised('x')}", frozenset(), "2^x"),
        (f"v{lowered('max')}", frozenset(), "v_max"),
        (f"10{raised('-')}{raised('3')}", frozenset(), "10⁻³"),
        (f"{raised('2')}Without", frozenset("2"), "² Without"),
        (f"7{struck('5 or ')}6", frozenset(), "7 6"),
    ],
)
def test_how_marks_are_written(marked: str, notes: frozenset[str], text: str) -> None:
    assert shown(marked, notes)[0] == text


@given(st.lists(st.tuples(st.text(max_size=8), st.sampled_from([guarded, struck, raised, lowered]))))
@settings(max_examples=200)
def test_no_mark_survives_and_every_place_lies_inside(runs: list[tuple[str, Callable[[str], str]]]) -> None:
    line = "".join(mark(text) for text, mark in runs)
    text, places = shown(line, note_signs([line]))
    assert text == guarded(text)
    assert all(0 <= at <= len(text) for at, _ in places)
    assert [at for at, _ in places] == sorted(at for at, _ in places)


def rows(found: Extract) -> list[str]:
    return [found.text[block.start : block.end] for block in found.blocks if block.kind == "row"]


def test_merged_cells_of_a_page_stand_under_their_own_headings() -> None:
    page = (
        "<table><tr><th rowspan=2>Boat<th colspan=2>Price<tr><th>day<th>week"
        "<tr><td rowspan=2>Canoe<td>8<td>40<tr><td>9<td>45<tr><td colspan=2>Raft, on request<td>90</table>"
    )
    found = extract(page.encode(), ".html")
    assert rows(found)[2:] == ["Canoe | 8 | 40", "Canoe | 9 | 45", "Raft, on request |  | 90"]
    assert found.blocks[-1].columns == ("Boat", "Price › day", "Price › week")
    assert found.blocks[0].columns == ()


def test_merged_cells_of_a_sheet_and_a_word_table() -> None:
    def sheet(book: Any) -> None:
        for row in (["Boat", "Days", "Price"], ["Canoe", "1", "8"], [None, "7", "40"], ["Raft", None, "90"]):
            book.active.append(row)
        book.active.merge_cells("A2:A3")
        book.active.merge_cells("A4:B4")

    def table(document: Any) -> None:
        made = document.add_table(rows=4, cols=3)
        for row, cells in zip(
            made.rows, (["Boat", "Days", "Price"], ["", "1", "8"], ["", "7", "40"], ["", "", "90"]), strict=True
        ):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
        made.cell(1, 0).merge(made.cell(2, 0)).text = "Canoe"
        made.cell(3, 0).merge(made.cell(3, 1)).text = "Raft"

    wanted = ["Boat | Days | Price", "Canoe | 1 | 8", "Canoe | 7 | 40", "Raft |  | 90"]
    assert rows(extract(xlsx_bytes(sheet), ".xlsx")) == wanted
    assert rows(extract(docx_bytes(table), ".docx")) == wanted


def test_spans_of_a_million_take_no_time() -> None:
    wide = [(None, [Cell("a", 1_000_000, 1_000_000), Cell("b", 1_000_000)])] * 3000
    lines = list(grid_lines(wide))
    assert len(lines) >= 3000
    page = "<table>" + "<tr>" + "<td rowspan=999999 colspan=999999>a" * 50 + "</table>"
    assert extract(page.encode(), ".html").text.startswith("a")


def test_struck_elements_nested_a_thousand_deep_and_marks_by_the_million() -> None:
    page = "<p>Open." + "<s>no " * 1000 + "</s>" * 1000 + "<p>" + "9<sup>1</sup>" * 100_000
    found = extract(page.encode(), ".html")
    assert found.text.startswith("Open.")
    assert len(found.struck) == 1


def test_the_fields_of_a_pdf_form() -> None:
    def page(drawn: Any) -> None:
        form = drawn.acroForm
        for at, (label, value) in enumerate([("Name of the boat:", "Sea Urchin"), ("Harbour:", "")]):
            drawn.setFont("Helvetica", 10)
            drawn.drawString(60, 700 - 30 * at, label)
            form.textfield(name=f"t{at}", value=value, x=180, y=695 - 30 * at, width=150, height=16)
        for at, label in enumerate(["by sail", "by oar"]):
            form.radio(name="how", value=label[3:], selected=at == 1, x=60, y=500 - 30 * at, size=12)
            drawn.setFont("Helvetica", 10)
            drawn.drawString(80, 502 - 30 * at, label)
        for at, (label, is_on) in enumerate([("insured", True), ("leased", False)]):
            form.checkbox(name=f"b{at}", checked=is_on, x=60, y=600 - 30 * at, size=12)
            drawn.setFont("Helvetica", 10)
            drawn.drawString(80, 602 - 30 * at, label)

    found = extract(pdf_bytes(page), ".pdf")
    kinds = {found.text[block.start : block.end]: block.kind for block in found.blocks}
    filled = dict.fromkeys(("Name of the boat: Sea Urchin", "☒ by oar", "☒ insured"), "text")
    assert kinds == filled | dict.fromkeys(("Harbour: ____", "☐ by sail", "☐ leased"), "rule")


def test_boxes_of_a_page() -> None:
    page = b"<p><input type=checkbox checked> insured<p><input type=checkbox> leased"
    found = extract(page, ".html")
    assert [(found.text[b.start : b.end], b.kind) for b in found.blocks] == [
        ("☒ insured", "text"),
        ("☐ leased", "rule"),
    ]
    assert is_unfilled("Name: ____")
    assert not is_unfilled("☐ yes ☒ no")


def test_a_table_goes_on_over_pages() -> None:
    def table(*lines: Sequence[str]) -> Callable[[Any], None]:
        def page(drawn: Any) -> None:
            drawn.setFont("Helvetica", 10)
            for at, row in enumerate(lines):
                for column, text in enumerate(row):
                    drawn.drawString(60 + 140 * column, 700 - 14 * at, text)

        return page

    first = table(("Boat", "Owner", "Berth"), ("Gull", "Ito", "4"), ("Tern", "Abay", "5"))
    found = extract(pdf_bytes(first, table(("Auk", "Rossi", "6"), ("Skua", "Diallo", "7"))), ".pdf")
    assert [block.columns for block in found.blocks] == [()] * 3 + [("Boat", "Owner", "Berth")] * 2


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["The mother-", "in-law of the miller lives in the tower."], "mother-in-law"),
        (["All the infor-", "mation is on the board beside the door."], "information"),
    ],
)
def test_words_parted_at_a_line_end_of_a_pdf(lines: list[str], text: str) -> None:
    assert text in extract(pdf_bytes(lambda drawn: write_lines(drawn, lines)), ".pdf").text


def test_struck_sentences_of_markdown_are_no_evidence() -> None:
    text = "~~Open on Monday.~~\n\nOpen ~~at eight~~ at nine. Bring `~~x~~` money.\n"
    found = extract(text.encode(), ".md")
    document = Document("a.md", text, "", "", None, None, "utf-8", found.blocks, struck=found.struck)
    kinds = [(text[one.start : one.end], one.kind) for one in split_sentences(document)]
    assert kinds == [
        ("~~Open on Monday.~~", "rule"),
        ("Open ~~at eight~~ at nine.", "text"),
        ("Bring `~~x~~` money.", "text"),
    ]


def test_a_drop_cap_and_automatic_numbers_of_word() -> None:
    def fill(document: Any) -> None:
        from docx.oxml import parse_xml
        from docx.oxml.ns import nsdecls

        document.add_paragraph("T")._p.get_or_add_pPr().append(
            parse_xml(f'<w:framePr {nsdecls("w")} w:dropCap="drop"/>')
        )
        document.add_paragraph("he mill stands still.")
        for text in ("grind", "sieve"):
            document.add_paragraph(text, style="List Number")

    data = docx_bytes(fill)
    assert io.BytesIO(data).read(2) == b"PK"
    assert extract(data, ".docx").text.split("\n") == ["The mill stands still.", "", "1. grind", "2. sieve"]


def test_a_form_with_a_hundred_thousand_fields_is_refused_soon() -> None:
    count = 100_000
    numbers = b" ".join(b"%d 0 R" % (number + 4) for number in range(count))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[%s]>>>>" % numbers,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots[%s]>>" % numbers,
        *[b"<</Type/Annot/Subtype/Widget/FT/Tx/T(f%d)/V(v)/Rect[9 9 99 20]>>" % number for number in range(count)],
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    with pytest.raises(DocumentError, match="fields"):
        extract(b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 100004>>\n%%EOF", ".pdf")


def test_control_characters_of_a_file_hide_nothing() -> None:
    """Only a reader's own marks take text out."""
    files = {".json": rb'{"a": "\u0002one\u0003 two"}', ".html": b"<p>&#2;one&#3; two"}
    for ending, data in files.items():
        found = extract(data, ending)
        assert "one" in found.text
        assert not found.struck
