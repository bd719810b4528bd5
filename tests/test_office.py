"""Word, PowerPoint and Excel files, written by the libraries and by hand."""

import datetime
import io
import re
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.formats import Extract, extract
from qa.formats.numbers import shown as number
from tests.files import ROWS, SHOWN, add_table, docx_bytes, pptx_bytes, repacked, xlsx_bytes
from tests.test_formats import block_laws, shown


def read(data: bytes, ending: str) -> Extract:
    found = extract(data, ending)
    block_laws(found.text, found.blocks)
    return found


def places(found: Extract) -> list[tuple[str | None, str]]:
    return [(block.locator, found.text[block.start : block.end]) for block in found.blocks]


# -- Word --------------------------------------------------------------------------------------


def test_docx() -> None:
    found = read(docx_bytes(), ".docx")
    assert shown(found) == [
        ("heading", "Field trip guide"),
        ("heading", "Before you go"),
        ("text", "Bring a coat. Leave at nine."),
        ("item", "- a towel"),
        ("item", "1. some water"),
        *(("row", row) for row in SHOWN),
        ("heading", "Fees"),
        ("text", "The fee is five pounds."),
    ]
    assert [block.level for block in found.blocks if block.kind == "heading"] == [1, 2, 3]
    assert found.title is None  # the properties name the template
    assert found.dates == ()  # they say when the template was made
    assert found.encoding == "docx"


def test_headings_without_a_title_begin_at_one() -> None:
    found = read(docx_bytes(lambda document: document.add_heading("One", 1)), ".docx")
    assert [block.level for block in found.blocks] == [1]


def test_a_title_in_the_properties_that_the_text_says() -> None:
    def fill(document: Any) -> None:
        document.core_properties.title = "Rules of the pool"
        document.add_paragraph("The rules of the pool, of May.")

    assert read(docx_bytes(fill), ".docx").title == "Rules of the pool"


W = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
PARAGRAPHS = {
    "insertions and deletions": (
        '<w:r><w:t>Five </w:t></w:r><w:del><w:r><w:delText>or ten </w:delText></w:r></w:del><w:ins><w:r><w:t>pounds.'
        "</w:t></w:r></w:ins>",
        ["Five pounds."],
    ),
    "moved": (
        "<w:moveFrom><w:r><w:t>Away.</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t>Here.</w:t></w:r></w:moveTo>",
        ["Here."],
    ),
    "hidden": ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:t>seen</w:t></w:r>", ["seen"]),
    "links and controls": (
        "<w:hyperlink><w:r><w:t>a link</w:t></w:r></w:hyperlink><w:sdt><w:sdtContent><w:r><w:t> and a date</w:t></w:r>"
        "</w:sdtContent></w:sdt>",
        ["a link and a date"],
    ),
    "fields": (
        '<w:r><w:instrText>PAGE \\* MERGE</w:instrText></w:r><w:fldSimple w:instr="DATE"><w:r><w:t>May</w:t></w:r>'
        "</w:fldSimple>",
        ["May"],
    ),
    "signs": (
        "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>co</w:t><w:noBreakHyphen/><w:t>op</w:t></w:r>",
        ["a b\nco-op"],
    ),
    "text boxes": (
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
        "<w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback>"
        "<w:txbxContent><w:p><w:r><w:t>In a box.</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent>"
        "<w:t>Beside.</w:t></w:r>",
        ["Beside.", "In a box."],
    ),
    "equations": (
        "<w:r><w:t>Where </w:t></w:r><m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r>"
        "</m:sup></m:sSup><m:r><m:t>≥</m:t></m:r><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>a+b</m:t>"
        "</m:r></m:den></m:f></m:oMath><w:r><w:t>, stop.</w:t></w:r>",
        ["Where x^2≥1/(a+b), stop."],
    ),
    "brackets, sums and roots": (
        '<m:oMath><m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:r><m:t>i=1</m:t></m:r></m:sub><m:sup/><m:e>'
        "<m:d><m:e><m:r><m:t>a+1</m:t></m:r></m:e></m:d></m:e></m:nary><m:rad><m:deg/><m:e><m:r><m:t>b</m:t></m:r></m:e>"
        "</m:rad><m:rad><m:deg><m:r><m:t>3</m:t></m:r></m:deg><m:e><m:r><m:t>8</m:t></m:r></m:e></m:rad></m:oMath>",
        ["∑_(i=1)(a+1)√b√(3&8)"],
    ),
    "mixed numbers": (
        "<m:oMath><m:r><m:t>2</m:t></m:r><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>3</m:t></m:r>"
        "</m:den></m:f><m:r><m:t>x</m:t></m:r></m:oMath><w:r><w:t>.</w:t></w:r>",
        ["2 1/3 x."],
    ),
    "symbols": (
        '<w:r><w:t>p </w:t><w:sym w:font="Symbol" w:char="F0B3"/><w:t> 5 </w:t><w:sym w:font="Symbol" w:char="F06D"/>'
        '<w:t>m, 3 </w:t><w:sym w:font="Symbol" w:char="00B1"/><w:t> 1 </w:t><w:sym w:font="Wingdings" w:char="F0FC"/>'
        "</w:r>",
        ["p ≥ 5 μm, 3 ± 1 ✓"],
    ),
    "boxes and cells in controls": (
        "<w:r><w:t>Before.</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>Fee</w:t></w:r></w:p></w:tc><w:sdt>"
        "<w:sdtContent><w:tc><w:p><w:r><w:t>£5</w:t><w:pict><w:txbxContent><w:p><w:r><w:t>In a cell.</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p></w:tc></w:sdtContent></w:sdt></w:tr></w:tbl><w:p>",
        ["Before.", "Fee | £5", "In a cell."],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("inner", "texts"), PARAGRAPHS.values(), ids=PARAGRAPHS)
def test_exactly_the_text_that_word_shows_is_read(inner: str, texts: list[str]) -> None:
    def insert(part: bytes) -> bytes:
        return part.replace(b"<w:sectPr", f"<w:sdt {W}><w:p>{inner}</w:p></w:sdt><w:sectPr".encode(), 1)

    data = repacked(docx_bytes(lambda document: None), {"word/document.xml": insert})
    assert [text for _, text in shown(read(data, ".docx"))] == texts


def test_tables_side_by_side_layouts_and_merged_cells() -> None:
    def fill(document: Any) -> None:
        add_table(document)
        table = add_table(document, [["Room", "Seats", "Floor"], ["Birch", "12", "1"]])
        table.cell(1, 0).merge(table.cell(1, 1))
        inner = add_table(document, [["outer", ""]])
        inner.cell(0, 1).add_table(rows=1, cols=2).cell(0, 0).text = "within"
        add_table(document, [["Long. " * 60, "Words. " * 60]])

    found = read(docx_bytes(fill), ".docx")
    rows = [text for kind, text in shown(found) if kind == "row"]
    assert rows == [*SHOWN, "Room | Seats | Floor", "Birch 12 |  | 1", "outer | within"]
    assert found.text.count("\n\nRoom | Seats") == 1
    assert [text[:6] for kind, text in shown(found) if kind == "text"] == ["Long. ", "Words."]


def test_tables_of_contents_are_not_quotable() -> None:
    def fill(document: Any) -> None:
        document.styles.add_style("toc 1", 1)
        document.add_paragraph("The pool 3", style="toc 1")
        document.add_paragraph("The pool is deep.")

    assert shown(read(docx_bytes(fill), ".docx")) == [("rule", "The pool 3"), ("text", "The pool is deep.")]


def with_notes(body: str, footnotes: dict[str, str], endnotes: dict[str, str]) -> bytes:
    """A Word document with this body, and with notes given as internal number → text."""

    def relate(part: bytes) -> bytes:
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        both = "".join(
            f'<Relationship Id="{one}" Type="{kind}/{one}" Target="{one}.xml"/>' for one in ("footnotes", "endnotes")
        )
        return part.replace(b"</Relationships>", f"{both}</Relationships>".encode())

    def type_(part: bytes) -> bytes:
        kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
        both = "".join(
            f'<Override PartName="/word/{one}.xml" ContentType="{kind}.{one}+xml"/>'
            for one in ("footnotes", "endnotes")
        )
        return part.replace(b"</Types>", f"{both}</Types>".encode())

    def refer(part: bytes) -> bytes:
        return part.replace(b"<w:sectPr", f"<w:sdt {W}>{body}</w:sdt><w:sectPr".encode(), 1)

    changes = {"word/_rels/document.xml.rels": relate, "[Content_Types].xml": type_, "word/document.xml": refer}
    file = io.BytesIO(repacked(docx_bytes(lambda document: None), changes))
    with zipfile.ZipFile(file, "a") as package:
        for kind, notes in {"footnote": footnotes, "endnote": endnotes}.items():
            texts = "".join(
                f'<w:{kind} w:id="{one}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>'
                for one, text in notes.items()
            )
            package.writestr(f"word/{kind}s.xml", f"<w:{kind}s {W}>{texts}</w:{kind}s>")
    return file.getvalue()


@pytest.mark.parametrize("in_table", [False, True])
def test_footnotes_stand_behind_their_paragraph_or_table(in_table: bool) -> None:
    run = '<w:p><w:r><w:t>Open daily</w:t><w:footnoteReference w:id="2"/><w:t>.</w:t></w:r></w:p>'
    whole = f"<w:tbl><w:tr><w:tc>{run}</w:tc></w:tr></w:tbl>" if in_table else run
    found = read(with_notes(whole, {"0": "", "2": "Not in May."}, {}), ".docx")
    assert places(found) == [(None, "Open daily."), ("footnote 1", "Not in May.")]


def test_notes_are_cited_by_the_number_that_a_reader_sees() -> None:
    custom = '<w:footnoteReference w:customMarkFollows="1" w:id="{}"/>{}'
    marks = [
        '<w:footnoteReference w:id="9"/>',
        custom.format("3", "<w:t>*</w:t>"),
        custom.format("4", ""),
        '<w:endnoteReference w:id="2"/>',
        '</w:r><w:del><w:r><w:footnoteReference w:id="5"/></w:r></w:del><w:r>',
        '<w:footnoteReference w:customMarkFollows="0" w:id="2"/>',
        '<w:endnoteReference w:id="3"/>',
    ]
    body = "".join(f"<w:p><w:r><w:t>Text.</w:t></w:r><w:r>{mark}</w:r></w:p>" for mark in marks)
    notes = {number: f"Note {number}." for number in "23459"}
    found = read(with_notes(body, notes, notes), ".docx")
    assert [one for one in places(found) if one[0]] == [
        ("footnote 1", "Note 9."),
        ("footnote *", "Note 3."),
        ("footnote", "Note 4."),
        ("endnote i", "Note 2."),
        ("footnote 2", "Note 2."),
        ("endnote ii", "Note 3."),
    ]


@pytest.mark.parametrize(
    ("format_", "numbers"),
    [
        ("lowerRoman", ["i", "ii", "iii", "iv"]),
        ("upperRoman", ["I", "II", "III", "IV"]),
        ("decimal", ["1", "2", "3", "4"]),
        ("chicago", ["1", "2", "3", "4"]),
    ],
)
def test_notes_are_numbered_as_the_document_says(format_: str, numbers: list[str]) -> None:
    def number(part: bytes) -> bytes:
        found = f'<w:{{0}}Pr><w:numFmt w:val="{format_}"/></w:{{0}}Pr>'
        both = found.format("footnote") + found.format("endnote")
        return part.replace(b"</w:settings>", f"{both}</w:settings>".encode())

    body = "".join(f'<w:p><w:r><w:{kind}Reference w:id="2"/></w:r></w:p>' for kind in ("footnote", "endnote") * 4)
    data = repacked(with_notes(body, {"2": "Note."}, {"2": "Note."}), {"word/settings.xml": number})
    wanted = [f"{kind} {one}" for one in numbers for kind in ("footnote", "endnote")]
    assert [place for place, _ in places(read(data, ".docx"))] == wanted


# -- PowerPoint --------------------------------------------------------------------------------


def test_pptx() -> None:
    found = read(pptx_bytes(), ".pptx")
    assert places(found) == [
        ("slide 1", "Open day"),
        ("slide 1", "For the team"),
        ("slide 2", "Timetable"),
        ("slide 2", "- Doors open at ten"),
        ("slide 2", "- Talk at eleven"),
        ("slide 2, notes", "Tell people to queue on the left."),
        ("slide 3", "Slide 3"),
        *(("slide 3", row) for row in SHOWN),
        ("slide 3", "Hands off the glass. It breaks."),
    ]
    kinds = [kind for kind, _ in shown(found)]
    assert kinds == "heading text heading item item text heading row row row text".split()
    assert (found.title, found.encoding) == (None, "pptx")


def test_nested_groups_are_read_and_an_empty_slide_gives_nothing() -> None:
    def fill(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = "Grouped"
        group = slide.shapes.add_group_shape().shapes.add_group_shape()
        group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Inside."
        presentation.slides.add_slide(presentation.slide_layouts[6])

    assert places(read(pptx_bytes(fill), ".pptx")) == [("slide 1", "Grouped"), ("slide 1", "Inside.")]


def test_shapes_stored_in_two_versions_are_read_once() -> None:
    def fill(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = "Title"
        for text in ("One.", "Two."):
            slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = text

    def change(part: bytes) -> bytes:
        first, *boxes = re.findall(rb"<p:sp>.*?</p:sp>", part, re.DOTALL)
        number = re.search(rb'id="\d+"', first)
        assert number
        same = re.sub(rb'id="\d+"', number[0], boxes[1])
        mark = b'<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">%s</mc:%s>'
        inner = b"<mc:Choice>%s</mc:Choice><mc:Fallback>%s</mc:Fallback>" % (boxes[0], boxes[0])
        old = b"<mc:Fallback>%s</mc:Fallback>" % boxes[0].replace(b"One.", b"Old.")
        both = mark % (inner, b"AlternateContent") + mark % (old, b"AlternateContent")
        return part.replace(boxes[1], same).replace(boxes[0], both)

    found = read(repacked(pptx_bytes(fill), {"ppt/slides/slide1.xml": change}), ".pptx")
    assert places(found) == [("slide 1", text) for text in ("Title", "One.", "Old.", "Two.")]


def test_shapes_of_other_programs() -> None:
    """Google Slides and Keynote write text without a geometry; a picture may take the place of the title."""

    def fill(presentation: Any) -> None:
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = "No title."
        group = slide.shapes.add_group_shape()
        for text, shapes in {"Plain.": slide.shapes, "Inside.": group.shapes}.items():
            shapes.add_textbox(0, 0, 9, 9).text_frame.text = text

    def change(part: bytes) -> bytes:
        part = re.sub(rb"<p:spPr>.*?</p:spPr>", b"<p:spPr/>", part.replace(b' txBox="1"', b""))
        picture = (
            b'<p:pic><p:nvPicPr><p:cNvPr id="90" name=""/><p:cNvPicPr/><p:nvPr><p:ph type="pic"/></p:nvPr>'
            b"</p:nvPicPr><p:blipFill/><p:spPr/></p:pic>"
        )
        return part.replace(b"<p:sp>", picture + b"<p:sp>", 1).replace(b'<p:ph type="title"/>', b"")

    found = read(repacked(pptx_bytes(fill), {"ppt/slides/slide1.xml": change}), ".pptx")
    assert places(found) == [("slide 1", text) for text in ("Slide 1", "No title.", "Inside.", "Plain.")]


# -- Excel -------------------------------------------------------------------------------------


def test_xlsx() -> None:
    found = read(xlsx_bytes(), ".xlsx")
    assert places(found) == [
        ("sheet Q3", "Q3"),
        ("sheet Q3, row 1", "Energy 2024"),
        ("sheet Q3, row 2", "Month | kWh | Cost | Share | Read on"),
        ("sheet Q3, row 3", "July | 12,345.6 | £1,999.50 | 12.5% | 2024-07-31"),
        ("sheet Q3, row 6", "Pump | Works"),
        ("sheet Q3, row 7", "P1 | TRUE"),
    ]
    assert [kind for kind, _ in shown(found)] == "heading text row row row row".split()
    assert "\n\nPump" in found.text
    assert (found.title, found.encoding) == ("Energy 2024", "xlsx")


def test_formulas_are_read_with_their_stored_values() -> None:
    def fill(book: Any) -> None:
        book.active.append(["Sum", "=1+1"])
        book.active.append(["Gone", "=A9"])

    def keep(part: bytes) -> bytes:
        return part.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(
            b"<f>1+1</f><v/>", b"<f>1+1</f><v>2</v>"
        )

    found = read(repacked(xlsx_bytes(fill), {"xl/worksheets/sheet1.xml": keep}), ".xlsx")
    assert [text for kind, text in shown(found) if kind == "row"] == ["Sum | 2", "Gone"]


def test_a_sheet_may_begin_anywhere() -> None:
    def fill(book: Any) -> None:
        for row, cells in enumerate(ROWS, 7):
            for column, text in enumerate(cells, 5):
                book.active.cell(row, column, text)

    found = read(xlsx_bytes(fill), ".xlsx")
    assert places(found)[1:] == [(f"sheet Sheet, row {row}", text) for row, text in enumerate(SHOWN, 7)]


NUMBERS = [
    (5, "General", "5"),
    (0.1 + 0.2, "General", "0.3"),
    (1e20, "General", "1e+20"),
    (1234567.891, "#,##0.00", "1,234,567.89"),
    (2.5, "0", "3"),
    (-5, '"£"#,##0.00', "-£5.00"),
    (-5, "#,##0;(#,##0)", "(5)"),
    (0, '0;-0;"none"', "0"),
    (1999.5, "[$€-407] #,##0.00", "€ 1,999.50"),
    (1999.5, "#,##0.00\\ [$zł-415]", "1,999.50 zł"),
    (0.125, "0%", "13%"),
    (0.125, "0.0##%", "12.5%"),
    (7, "00000", "00007"),
    (1234567, '#,##0.0,,"M"', "1.2M"),
    (3.14159, "0.00E+00", "3.14159"),
    (-5, "0.00;[Red]0.00", "-5.00"),
    (-5, "0.00;[Red]-0.00", "-5.00"),
    (-5, "0;0 \u2212", "5 \u2212"),
    (-5, '0;0 "pre-tax"', "-5 pre-tax"),
    (-5, '0;0 "(loss)"', "-5 (loss)"),
    (-5, "#,##0_);[Red]\\(#,##0\\)", "(5)"),
    (-0.001, "0.00;[Red]0.00", "0.00"),
    (250, '[>=100]0.0,"k";0', "250"),
    (5551234, "[<=9999999]###-####;(###) ###-####", "5551234"),
    (123456789, "000-00-0000", "123456789"),
    (5551234, "###-####", "5551234"),
    (0, "0.00;;0", "0"),
    (-5, "0.00;;0", "-5"),
    (2, '0.0";";-0.0', "2.0;"),
    (0.1, f"0.{'0' * 20}", "0.1" + "0" * 19),
    (123456789012345, f"0.{'0' * 30}", "123456789012345." + "0" * 30),
    (0.5, f"0.{'0' * 99}", "0.5"),
    (True, "0", "TRUE"),
    (datetime.datetime(2024, 5, 6), "d mmm yyyy", "2024-05-06"),
    (datetime.datetime(2024, 5, 6, 9, 30), "d mmm", "2024-05-06 09:30"),
    (datetime.time(9, 30), "h:mm", "09:30"),
    ("text", "0", "text"),
]


@pytest.mark.parametrize(("value", "shape", "text"), NUMBERS)
def test_values_as_shown(value: Any, shape: str, text: str) -> None:
    assert number(value, shape) == text


@given(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.datetimes(), st.times()),
    st.text('#0?.,%;"\\[]$€-_*@/E+GeneralRd :;hmsy', max_size=12) | st.sampled_from([shape for _, shape, _ in NUMBERS]),
)
def test_any_value_in_any_format_is_one_line(value: Any, shape: str) -> None:
    assert "\n" not in number(value, shape)


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12).map(
    lambda one: " ".join(one.split())
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5))
def test_any_table_comes_back_from_every_office_format(rows: list[list[str]]) -> None:
    width = max(map(len, rows))
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    wanted = [" | ".join(row).strip() for row in rows if sum(map(bool, row)) > 1]
    found = read(docx_bytes(lambda document: add_table(document, rows)), ".docx")
    texts = [text for _, text in shown(found)]
    assert [text for text in texts if text in wanted] == wanted
    assert all(f"{cell}" in found.text for row in rows for cell in row)


def test_a_blank_row_does_not_end_a_table_of_a_document() -> None:
    """In a document, a blank row is only space: the file states where a table ends."""
    rows = [["ticket", "price"], ["Adult", "5"], ["", ""], ["Child", "3"], ["Infant", "0"]]
    found = read(docx_bytes(lambda document: add_table(document, rows)), ".docx")
    assert "ticket | price\nAdult | 5\nChild | 3\nInfant | 0" in found.text
