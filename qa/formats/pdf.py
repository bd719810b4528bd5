"""PDF → paragraphs, headings, items and table rows with their pages, in reading order. Pictures are left out.

A separate process (`qa.formats.pdf_pages`) reads the words of each page. `qa.formats.pdf_layout` finds their order.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from qa.errors import DocumentError
from qa.formats.apart import USUAL, Apart, run_apart
from qa.formats.blocks import MAX_CHARS, MAX_PIECES, Extract, assemble, stated_title
from qa.formats.decoding import really
from qa.formats.marks import RAISED, note_signs
from qa.formats.pdf_layout import Piece, page_lines
from qa.formats.pdf_pages import MAX_FIELDS

MAX_PAGES = 20_000
LIMITS = {"pages": MAX_PAGES, "characters": MAX_CHARS, "pieces": MAX_PIECES}
MAX_RUNS = 20  # of consecutive pages that a message names
HEADER_BYTES = 1024  # at the beginning, which contain "%PDF-"

_SCRIPT = Path(__file__).with_name("pdf_pages.py")
_PROBLEMS = {
    "encrypted": "is encrypted; save a copy without a password",
    "broken": "is a broken PDF; save it again",
    "pages": "has more than {pages:,} pages; split it",
    "characters": "holds more than {characters:,} characters; split it",
    "fields": f"is a form with more than {MAX_FIELDS:,} fields; split it",
    "pieces": "holds more than {pieces:,} pieces of text; split it",
}


def read_pdf(data: bytes, *, apart: Apart = USUAL, **limits: int) -> Extract:
    """The text of all pages; raises DocumentError, also where there is only a picture of text.

    `limits` replace LIMITS of the same names.
    """
    if b"%PDF-" not in data[:HEADER_BYTES]:
        raise DocumentError(f"is not a PDF{really(data)}")
    about, *pages = _unpack(data, apart, LIMITS | limits)
    if not any(pages):
        raise DocumentError("holds no text: it looks like a scan; run OCR on it first")
    lines = page_lines([[Piece(*piece) for piece in page or ()] for page in pages])
    found = assemble(lines, note_signs(line.text for line in lines if RAISED in line.text))
    title = stated_title(about["title"], lines)
    scanned = [number for number, page in enumerate(pages, 1) if page is None]
    left_out = f"{_pages(scanned)} without text: run OCR on what is scanned; the rest is indexed" if scanned else None
    return replace(found, title=title, pages=len(pages), encoding="pdf", left_out=left_out)


def _pages(numbers: list[int]) -> str:
    """Page numbers, given in order, as a person writes them: "pages 2, 4–6 and 9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    told = ["–".join(map(str, run)) for run in runs[:MAX_RUNS]]
    more = sum(run[-1] - run[0] + 1 for run in runs[MAX_RUNS:])
    *first, last = [*told, f"{more} more"] if more else told
    return f"{'page' if len(numbers) == 1 else 'pages'} {', '.join(first)}{' and ' if first else ''}{last}"


def _unpack(data: bytes, apart: Apart, limits: dict[str, int]) -> list[Any]:
    """What the other process says: about the file, then its pages."""
    numbers = [str(limits[name]) for name in ("pages", "characters", "pieces")]
    said = [json.loads(line) for line in run_apart([str(_SCRIPT), *numbers], data, apart).splitlines()]
    problem = next((one["problem"] for one in (said[0], said[-1]) if isinstance(one, dict) and "problem" in one), None)
    if problem:
        raise DocumentError(_PROBLEMS[problem].format(**limits))
    return said
