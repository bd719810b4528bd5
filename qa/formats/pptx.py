"""PowerPoint presentations → for each slide a heading, its text, tables and speaker notes.

Left out: pictures, charts, diagrams and equations; dates, numbers and footers of slides.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from qa.formats.blocks import Extract, Line, assemble, stated_title
from qa.formats.grid import Cell, grid_lines
from qa.formats.marks import guarded, has_text, lowered, note_signs, raised, struck

MAX_GROUPS = 50  # groups nested in each other
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def read_pptx(data: bytes) -> Extract:
    """Read the slides in order; locators are "slide 4", for speaker notes "slide 4, notes".

    Raises DocumentError, or what the library raises.
    """
    import pptx  # imported late: it takes time, and only folders with presentations need it

    presentation: Any = pptx.Presentation(io.BytesIO(data))
    lines = [line for number, slide in enumerate(presentation.slides, 1) for line in _slide(slide, number)]
    found = assemble(lines, note_signs(line.text for line in lines))
    return replace(found, title=stated_title(presentation.core_properties.title, lines), encoding="pptx")


def _slide(slide: Any, number: int) -> Iterator[Line]:
    locator = f"slide {number}"
    _choose(slide.shapes.element)
    first = slide.shapes.title
    title = first if first is not None and first.has_text_frame else None  # the title can be a picture
    heading = _frame_text(title.text_frame) if title is not None else ""
    others = (shape for shape in slide.shapes if title is None or shape.element is not title.element)
    lines = [line for shape in others for line in _shape(shape, locator)]
    notes = f"{locator}, notes"
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if frame is not None:
        lines += _paragraphs(frame, notes, is_list=False)
    if heading or lines:  # also without a title, so that its text does not belong to the slide before
        yield Line(heading if has_text(heading) else f"{heading}Slide {number}", "heading", 1, locator=locator)
    yield from lines


def _choose(shapes: Any) -> None:
    """Choose one version of each shape that a file holds twice (for new and for old programs), for the library to find.

    Replaces each `AlternateContent` element by its first version.
    """
    for alternatives in list(shapes.iter(f"{_MC}AlternateContent")):
        parent = alternatives.getparent()
        if not parent.tag.endswith(("}spTree", "}grpSp")):
            continue
        versions = (one for name in ("Choice", "Fallback") for one in alternatives.iterchildren(f"{_MC}{name}"))
        for shape in list(next(versions, ())):
            alternatives.addprevious(shape)
        parent.remove(alternatives)


def _shape(shape: Any, locator: str, depth: int = 0) -> Iterator[Line]:
    from pptx.enum.shapes import PP_PLACEHOLDER

    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if kind in (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.HEADER):
        return
    if shape.element.tag.endswith("}grpSp") and depth < MAX_GROUPS:
        for member in shape.shapes:
            yield from _shape(member, locator, depth + 1)
    elif getattr(shape, "has_table", False):
        rows = [(locator, [_cell(cell) for cell in row.cells if not cell.is_spanned]) for row in shape.table.rows]
        yield from grid_lines(rows)
    elif shape.has_text_frame:
        yield from _paragraphs(shape.text_frame, locator, is_list=kind in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT))


def _paragraphs(frame: Any, locator: str, *, is_list: bool) -> Iterator[Line]:
    for number, paragraph in enumerate(frame.paragraphs):
        text = _text(paragraph)
        if text and is_list:
            yield Line(f"- {text}" if has_text(text) else text, "item", locator=locator, apart=number == 0)
        elif text:
            yield Line(text, locator=locator)


def _cell(cell: Any) -> Cell:
    return Cell(_frame_text(cell.text_frame), cell.span_width, cell.span_height)


def _frame_text(frame: Any) -> str:
    return " ".join(filter(None, map(_text, frame.paragraphs)))


def _text(paragraph: Any) -> str:
    """The paragraph on one line; struck, raised and lowered runs are marked."""
    parts: list[str] = []
    for child in paragraph._p:
        if child.tag == f"{_A}br":
            parts.append(" ")
        elif child.tag in (f"{_A}r", f"{_A}fld"):
            text = guarded("".join(one.text or "" for one in child.iterchildren(f"{_A}t")))
            properties = child.find(f"{_A}rPr")
            parts.append(text if properties is None else _marked(text, properties))
    return " ".join("".join(parts).split())


def _marked(text: str, properties: Any) -> str:
    lift = properties.get("baseline", "0").rstrip("%")
    if lift.lstrip("-").strip("0."):
        text = lowered(text) if lift.startswith("-") else raised(text)
    return struck(text) if properties.get("strike", "noStrike") != "noStrike" else text
