"""Files in the formats that people have, written by those formats' own writers."""

import csv
import datetime
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

ROWS = [["Ticket", "Weekday", "Weekend"], ["Adult", "£5.00", "£6.50"], ["Child", "", "£3.00"]]
SHOWN = ["Ticket | Weekday | Weekend", "Adult | £5.00 | £6.50", "Child |  | £3.00"]


def csv_bytes(rows: Sequence[Sequence[str]] = ROWS, **dialect: Any) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows(rows)
    return file.getvalue().encode()


def json_bytes(value: Any = None) -> bytes:
    default = {"centre": "Tarn Hollow", "tickets": [{"name": "Adult", "price": 5.5}, {"name": "Child", "price": 3}]}
    return json.dumps(default if value is None else value, ensure_ascii=False).encode()


def jsonl_bytes() -> bytes:
    return b'{"name": "Adult", "price": 5.50}\n\n{"name": "Child", "price": 3}\n'


def eml_bytes(body: str = "Dear all,\n\nThe pool is closed on Friday.\n", **headers: str) -> bytes:
    mail = EmailMessage()
    given = {"Subject": "Pool closed", "From": "Anna <anna@x.org>", "To": "all@x.org", **headers}
    for name, value in {"Date": "Fri, 24 May 2024 10:00:00 +0100", **given}.items():
        mail[name] = value
    mail.set_content(body)
    mail.add_alternative("<p>The pool, as a <b>page</b>.</p>", subtype="html")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan of the pool.pdf")
    return mail.as_bytes()


def docx_bytes(fill: Callable[[Any], None] | None = None) -> bytes:
    import docx

    document = docx.Document()
    (fill or _guide)(document)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def add_table(document: Any, rows: Sequence[Sequence[str]] = ROWS) -> Any:
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return table


def _guide(document: Any) -> None:
    document.add_heading("Field trip guide", 0)
    document.add_heading("Before you go", 1)
    document.add_paragraph("Bring a coat. Leave at nine.")
    document.add_paragraph("a towel", style="List Bullet")
    document.add_paragraph("some water", style="List Number")
    add_table(document)
    document.add_heading("Fees", 2)
    document.add_paragraph("The fee is five pounds.")
    document.sections[0].header.paragraphs[0].text = "In the header"
    document.sections[0].footer.paragraphs[0].text = "In the footer"


def pptx_bytes(fill: Callable[[Any], None] | None = None) -> bytes:
    import pptx

    presentation = pptx.Presentation()
    (fill or _slides)(presentation)
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def _slides(presentation: Any) -> None:
    layouts = presentation.slide_layouts
    first = presentation.slides.add_slide(layouts[0])
    first.shapes.title.text = "Open day"
    first.placeholders[1].text = "For the team"
    second = presentation.slides.add_slide(layouts[1])
    second.shapes.title.text = "Timetable"
    second.placeholders[1].text = "Doors open at ten\nTalk at eleven"
    second.notes_slide.notes_text_frame.text = "Tell people to queue on the left."
    third = presentation.slides.add_slide(layouts[6])
    table = third.shapes.add_table(len(ROWS), len(ROWS[0]), 0, 0, 914400, 914400).table
    for number, row in enumerate(ROWS):
        for column, text in enumerate(row):
            table.cell(number, column).text = text
    third.shapes.add_textbox(0, 0, 914400, 914400).text_frame.text = "Hands off the glass. It breaks."


def xlsx_bytes(fill: Callable[[Any], None] | None = None) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    (fill or _energy)(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _energy(book: Any) -> None:
    sheet = book.active
    sheet.title = "Q3"
    sheet.append(["Energy 2024"])
    sheet.append(["Month", "kWh", "Cost", "Share", "Read on"])
    sheet.append(["July", 12345.6, 1999.5, 0.125, datetime.date(2024, 7, 31)])
    for cell, shape in {"B3": "#,##0.0", "C3": '"£"#,##0.00', "D3": "0.0%"}.items():
        sheet[cell].number_format = shape
    sheet["A6"], sheet["B6"] = "Pump", "Works"
    sheet["A7"], sheet["B7"] = "P1", True
    hidden = book.create_sheet("Hidden")
    hidden["A1"] = "secret"
    hidden.sheet_state = "hidden"


def pdf_bytes(*pages: Callable[[Any], None], **properties: str) -> bytes:
    """A page for each function, which draws on a canvas of 595 × 842 points; the origin is at the bottom left."""
    from reportlab.pdfgen import canvas

    file = io.BytesIO()
    drawn = canvas.Canvas(file, pagesize=(595, 842), invariant=True, **properties)
    for page in pages or (_page,):
        page(drawn)
        drawn.showPage()
    drawn.save()
    return file.getvalue()


def write_lines(drawn: Any, lines: Sequence[str], *, left: float = 60, top: float = 760, size: float = 10) -> float:
    """Draw the lines one below the other; returns where the next would stand."""
    drawn.setFont("Helvetica", size)
    for line in lines:
        drawn.drawString(left, top, line)
        top -= 1.2 * size
    return top


def write_table(drawn: Any, rows: Sequence[Sequence[str]] = ROWS, *, top: float = 400) -> None:
    drawn.setFont("Helvetica", 10)
    for row in rows:
        for column, text in enumerate(row):
            drawn.drawString(60 + 140 * column, top, text)
        top -= 14


def _page(drawn: Any) -> None:
    top = write_lines(drawn, ["Rules of the pool"], size=18)
    write_lines(
        drawn, ["Everybody may enter the pool at any time, but children may", "enter only with their parents."], top=top
    )
    write_table(drawn)


def zip_bytes(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return file.getvalue()


def repacked(data: bytes, changes: dict[str, Callable[[bytes], bytes]]) -> bytes:
    """A package with some of its parts changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    return zip_bytes({name: changes.get(name, bytes)(content) for name, content in parts.items()})


SAMPLES: dict[str, Callable[[], bytes]] = {
    ".csv": csv_bytes,
    ".tsv": lambda: csv_bytes(delimiter="\t"),
    ".json": json_bytes,
    ".jsonl": jsonl_bytes,
    ".eml": eml_bytes,
    ".docx": docx_bytes,
    ".pptx": pptx_bytes,
    ".xlsx": xlsx_bytes,
    ".pdf": pdf_bytes,
    ".md": lambda: b"# Title\n\n- item\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
    ".html": lambda: b"<h1>Title</h1><p>One. Two.</p><table><tr><td>a<td>b</table>",
    ".txt": lambda: b"One line.\n\nAnother.\n",
}
