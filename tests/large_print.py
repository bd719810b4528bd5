"""A harbour's papers in many formats, and questions whose short answer is a cell, needs what limits it, or is disputed.

`python -m tests.large_print DIR` writes both for `qa-eval run DIR/cases.jsonl --docs DIR/docs`, whose row "large print"
says how often what is printed large is right, wrong and absent.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import files

BERTHS = [
    ["Berth", "Length (m)", "Price per night (EUR)", "Power (A)"],
    ["Heron", "12", "38", "16"],
    ["Egret", "18", "54", "32"],
    ["Curlew", "9", "27", "10"],
    ["Avocet", "24", "81", "63"],
]
BOATS = [
    ["Model", "Built", "Seats", "Hire per day", "Engine"],
    ["Pintail", "2009", "6", "£140", "20 kW"],
    ["Gadwall", "2016", "9", "£210", "45 kW"],
    ["Teal", "2021", "4", "£95", "6 kW"],
]
CREW = [
    ["Name", "Role", "Cabin", "Extension"],
    ["Marta Quill", "harbour master", "B4", "310"],
    ["Jonas Reed", "crane driver", "C2", "322"],
    ["Ida Sorel", "cook", "A1", "305"],
]
BUDGET = [
    ["Item", "2022", "2023", "2024"],
    ["Dredging", "12000", "22000", "31000"],
    ["Lighting", "4100", "4400", "3900"],
    ["Crane repair", "7600", "900", "1500"],
]
STORES = [
    ["Article", "Shelf", "In stock", "Ordered from"],
    ["Mooring rope", "D7", "34", "Keller & Sons"],
    ["Life jacket", "D9", "61", "Aqualine"],
    ["Flare", "F1", "120", "Nordlicht"],
]
TRAINS = [
    ["Destination", "Leaves", "Arrives", "Platform"],
    ["Port Ellery", "07:15", "08:40", "2"],
    ["Great Wick", "09:05", "09:55", "1"],
    ["Saltby", "11:30", "13:10", "4"],
]
SHEDS = [
    ["Shed", "Area", "Height", "Tenant"],
    ["North shed", "820 square metres", "7.5 metres", "Brand Timber"],
    ["Lime shed", "310 square metres", "4.2 metres", "Otto Fish"],
]
COURSES = [
    ["Course", "Teacher", "Begins on", "Fee"],
    ["Knots", "Pia Lund", "4 March", "£35"],
    ["Radio licence", "Sam Oduya", "18 April", "£120"],
    ["First aid", "Vera Holm", "9 May", "£60"],
]

RULES = """Rules of the harbour

Storage of a mast in the winter shed is free of charge for boats that stay at least six months.

A tenant of a berth may not sublet the berth without the written consent of the harbour master.

Open fires are allowed on the beach until 22:00, unless the fire brigade has given a warning.

Visitors may use the crane free of charge, except on Saturdays.

The slipway is open to everybody, but not to trailers longer than seven metres.

A berth is given back its deposit only if it has been left clean.

If the wind is stronger than 50 km/h, the swing bridge stays closed.

Dogs are not allowed on the fishing quay.

Rubbish is collected every Tuesday and Friday.

The lighthouse was built in 1871 by Hector Vane.

A key for the washhouse costs 15 euros, provided that the old key is handed in.

Parking is limited to at most three hours.

The clubhouse can be hired for weddings as long as the music ends before midnight.

Boats no longer than eight metres pay half the fee.

Night fishing is permitted from May to September.

The diving school takes up to twelve pupils in each course.

Guests may stay in the harbour for up to ten nights.

Fuel is delivered to the berth. This does not hold for petrol.
"""

FAQ = """<html><head><title>Questions about the ferry</title></head><body><h1>Questions about the ferry</h1>
<p>Delivery of luggage to the ferry is free above a fare of 25 EUR.</p>
<p>Children under six travel free with a parent.</p>
<p>Bicycles can be taken along, if there is room.</p>
<p>Tickets are refunded until one day before the journey.</p>
<p>The crossing takes 40 minutes.</p>
<p>The captain of the ferry is Lena Marsh.</p>
<p>Pets travel free of charge, with the exception of horses.</p>
<p>Without a reservation nobody may board the night ferry.</p>
<p>Meals are served on board only from June to August.</p>
<h2>Stores</h2>%s</body></html>
"""

TARIFF = """# Tariff of the sailing school

Valid from 1 January {year} until further notice. All prices are in euros.

| Lesson | Price | Minutes |
| --- | --- | --- |
| Dinghy | {dinghy} | 90 |
| Catamaran | {catamaran} | 120 |
"""
NOTICE = (
    "Notice to all members\n\nIn force from {date}.\n\nThe sauna of the clubhouse is heated on {days} days a week.\n"
)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table of Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]) + "\n"


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    cells = ["".join(f"<td>{cell.replace('&', '&amp;')}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _workbook(book: Any) -> None:
    for row in BOATS:
        book.active.append(row)
    crew = book.create_sheet("Crew")
    for row in CREW:
        crew.append(row)


def _sheds(document: Any) -> None:
    document.add_heading("Sheds of the harbour", 0)
    files.add_table(document, SHEDS)
    document.add_heading("Rules for tenants", 1)
    document.add_paragraph("Paint may be stored in the sheds, but only in steel lockers.")
    document.add_paragraph("The sheds are insured against fire, not against floods.")


def _slides(presentation: Any) -> None:
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Courses of the sailing club"
    table = slide.shapes.add_table(len(COURSES), len(COURSES[0]), 0, 0, 914400, 914400).table
    for number, row in enumerate(COURSES):
        for column, text in enumerate(row):
            table.cell(number, column).text = text


def _trains(drawn: Any) -> None:
    top = files.write_lines(drawn, ["Harbour railway"], size=18)
    files.write_lines(drawn, ["The harbour railway runs every day except on Christmas Day."], top=top)
    files.write_table(drawn, TRAINS)


def documents() -> dict[str, bytes]:
    """Name → the file."""
    return {
        "berths.csv": files.csv_bytes(BERTHS),
        "boats.xlsx": files.xlsx_bytes(_workbook),
        "budget.md": ("# Budget of the harbour\n\n" + markdown_table(BUDGET)).encode(),
        "ferry.html": (FAQ % _html_table(STORES)).encode(),
        "railway.pdf": files.pdf_bytes(_trains),
        "rules.txt": RULES.encode(),
        "sheds.docx": files.docx_bytes(_sheds),
        "courses.pptx": files.pptx_bytes(_slides),
        "tariff-old.md": TARIFF.format(year=2024, dinghy=44, catamaran=61).encode(),
        "tariff.md": TARIFF.format(year=2026, dinghy=52, catamaran=61).encode(),
        "sauna-a.txt": NOTICE.format(date="1 May 2025", days="four").encode(),
        "sauna-b.txt": NOTICE.format(date="15 October 2023", days="three").encode(),
    }


def _row(row: Sequence[str]) -> str:
    return " | ".join(row)


def _md(row: Sequence[str]) -> str:
    return f"| {_row(row)} |"


_CELLS = (  # document, quote, question, what may stand in large print
    ("berths.csv", _row(BERTHS[1]), "What is the price of the berth Heron?", ["38"]),
    ("berths.csv", _row(BERTHS[2]), "How long is the berth Egret?", ["18"]),
    ("berths.csv", _row(BERTHS[3]), "How much power does the berth Curlew have?", ["10"]),
    ("berths.csv", _row(BERTHS[4]), "What does a night in the berth Avocet cost?", ["81"]),
    ("berths.csv", _row(BERTHS[2]), "Egret, price per night?", ["54"]),
    ("boats.xlsx", _row(BOATS[1]), "How many seats does the Pintail have?", ["6"]),
    ("boats.xlsx", _row(BOATS[2]), "What is the hire of the Gadwall per day?", ["£210"]),
    ("boats.xlsx", _row(BOATS[3]), "When was the Teal built?", ["2021"]),
    ("boats.xlsx", _row(BOATS[1]), "What engine has the Pintail?", ["20 kW"]),
    ("boats.xlsx", _row(CREW[1]), "What is the extension of Marta Quill?", ["310"]),
    ("boats.xlsx", _row(CREW[2]), "What is the role of Jonas Reed?", ["crane driver"]),
    ("boats.xlsx", _row(CREW[3]), "In which cabin does Ida Sorel live?", ["A1"]),
    ("boats.xlsx", _row(CREW[3]), "Who is the cook?", ["Ida Sorel"]),
    ("budget.md", _md(BUDGET[1]), "How much was spent on dredging in 2023?", ["22000"]),
    ("budget.md", _md(BUDGET[2]), "What did lighting cost in 2022?", ["4100"]),
    ("budget.md", _md(BUDGET[3]), "What is the budget for the crane repair in 2024?", ["1500"]),
    ("budget.md", _md(BUDGET[1]), "dredging budget 2024", ["31000"]),
    ("ferry.html", _row(STORES[1]), "On which shelf is the mooring rope?", ["D7"]),
    ("ferry.html", _row(STORES[2]), "How many life jackets are in stock?", ["61"]),
    ("ferry.html", _row(STORES[3]), "From whom are flares ordered?", ["Nordlicht"]),
    ("railway.pdf", _row(TRAINS[1]), "When does the train to Port Ellery leave?", ["07:15"]),
    ("railway.pdf", _row(TRAINS[2]), "When does the train to Great Wick arrive?", ["09:55"]),
    ("railway.pdf", _row(TRAINS[3]), "From which platform goes the train to Saltby?", ["4"]),
    ("sheds.docx", _row(SHEDS[1]), "Who is the tenant of the north shed?", ["Brand Timber"]),
    ("sheds.docx", _row(SHEDS[2]), "What is the height of the lime shed?", ["4.2 metres"]),
    ("sheds.docx", _row(SHEDS[1]), "What is the area of the north shed?", ["820 square metres"]),
    ("courses.pptx", _row(COURSES[1]), "What is the fee for the course on knots?", ["£35"]),
    ("courses.pptx", _row(COURSES[2]), "Who teaches the course for the radio licence?", ["Sam Oduya"]),
    ("courses.pptx", _row(COURSES[3]), "When does the first aid course begin?", ["9 May"]),
)
_PROSE = (  # document, quote, question, what may stand in large print
    ("rules.txt", 2, "Is storing a mast in the winter shed free?", ["at least six months"]),
    ("rules.txt", 4, "May I sublet my berth?",
     ["not sublet the berth without the written consent of the harbour master"]),
    ("rules.txt", 6, "Until when are open fires allowed on the beach?",
     ["until 22:00, unless the fire brigade has given a warning"]),
    ("rules.txt", 8, "Can visitors use the crane free of charge?", ["free of charge, except on Saturdays"]),
    ("rules.txt", 10, "Who may use the slipway?", ["everybody, but not to trailers longer than seven metres"]),
    ("rules.txt", 12, "Do I get back the deposit for my berth?", ["only if it has been left clean"]),
    ("rules.txt", 14, "When does the swing bridge stay closed?", ["wind is stronger than 50 km/h"]),
    ("rules.txt", 16, "Are dogs allowed on the fishing quay?", ["not allowed"]),
    ("rules.txt", 18, "When is rubbish collected?", ["every Tuesday and Friday"]),
    ("rules.txt", 20, "Who built the lighthouse?", ["Hector Vane"]),
    ("rules.txt", 20, "In which year was the lighthouse built?", ["1871"]),
    ("rules.txt", 22, "What does a key for the washhouse cost?", ["15 euros, provided that the old key is handed in"]),
    ("rules.txt", 24, "How long may I park?", ["at most three hours"]),
    ("rules.txt", 26, "Can the clubhouse be hired for weddings?", ["as long as the music ends before midnight"]),
    ("rules.txt", 28, "Which boats pay half the fee?", ["no longer than eight metres"]),
    ("rules.txt", 30, "When is night fishing permitted?", ["from May to September"]),
    ("rules.txt", 32, "How many pupils does the diving school take in a course?", ["up to twelve"]),
    ("rules.txt", 34, "For how many nights may guests stay in the harbour?", ["up to ten"]),
    ("ferry.html", "Delivery of luggage to the ferry is free above a fare of 25 EUR.",
     "What does the delivery of luggage to the ferry cost?", ["free above a fare of 25 EUR"]),
    ("ferry.html", "Children under six travel free with a parent.", "What do children under six pay on the ferry?",
     ["free", "free with a parent"]),
    ("ferry.html", "Bicycles can be taken along, if there is room.", "Can I take my bicycle on the ferry?",
     ["if there is room"]),
    ("ferry.html", "Tickets are refunded until one day before the journey.", "Until when is a ferry ticket refunded?",
     ["until one day before the journey"]),
    ("ferry.html", "The crossing takes 40 minutes.", "How long does the crossing take?", ["40 minutes"]),
    ("ferry.html", "The captain of the ferry is Lena Marsh.", "Who is the captain of the ferry?", ["Lena Marsh"]),
    ("ferry.html", "Pets travel free of charge, with the exception of horses.", "What do pets pay on the ferry?",
     ["free of charge, with the exception of horses"]),
    ("ferry.html", "Meals are served on board only from June to August.", "When are meals served on board the ferry?",
     ["only from June to August"]),
    ("railway.pdf", "The harbour railway runs every day except on Christmas Day.", "When does the harbour railway run?",
     ["every day except on Christmas Day"]),
    ("sheds.docx", "Paint may be stored in the sheds, but only in steel lockers.", "May paint be stored in the sheds?",
     ["only in steel lockers"]),
    ("sheds.docx", "The sheds are insured against fire, not against floods.", "What are the sheds insured against?",
     ["fire, not against floods"]),
)  # fmt: skip
_DISPUTED = (  # question, the later document and its quote, the earlier one and its quote
    ("What does a dinghy lesson at the sailing school cost?",
     ("tariff.md", "| Dinghy | 52 | 90 |"), ("tariff-old.md", "| Dinghy | 44 | 90 |")),
    ("On how many days a week is the sauna of the clubhouse heated?",
     ("sauna-a.txt", "The sauna of the clubhouse is heated on four days a week."),
     ("sauna-b.txt", "The sauna of the clubhouse is heated on three days a week.")),
)  # fmt: skip


def cases() -> list[dict[str, Any]]:
    """The cases, as lines of a case file."""
    lines = RULES.splitlines()
    prose = [(doc, lines[at] if isinstance(at, int) else at, *rest) for doc, at, *rest in _PROSE]
    made = [
        {"kind": kind, "turns": [question], "answerable": True, "short_answers": accepted,
         "gold": [{"document": document, "quote": quote}]}
        for kind, group in (("cell", _CELLS), ("limit", prose))
        for document, quote, question, accepted in group
    ]  # fmt: skip
    made += [
        {"kind": "disputed", "turns": [question], "answerable": True, "conflict": "sources", "short_answers": [],
         "gold": [{"document": document, "quote": quote, "part": part}
                  for part, (document, quote) in enumerate(sides, 1)]}
        for question, *sides in _DISPUTED
    ]  # fmt: skip
    return [{"id": f"print-{number:03}", **one} for number, one in enumerate(made, 1)]


def write(folder: Path) -> None:
    """The documents under `docs` and the cases beside them."""
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    for name, data in documents().items():
        (folder / "docs" / name).write_bytes(data)
    (folder / "cases.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases()), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
