"""PowerPoint presentations → for each slide a heading, its text, tables and speaker notes.

Left out: pictures, charts, diagrams and equations; dates, numbers and footers of slides.
"""

import io
from collections.abc import Iterator
from typing import Any

from qa.formats.blocks import Extract, Line, assemble, stated_title, table_lines

MAX_GROUPS = 50  # groups nested in each other
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def read_pptx(data: bytes) -> Extract:
    """Read the slides in order; locators are "slide 4", for speaker notes "slide 4, notes".

    Raises DocumentError, or what the library raises.
    """
    import pptx  # imported late: it takes time, and only folders with presentations need it

    presentation: Any = pptx.Presentation(io.BytesIO(data))
    lines = [line for number, slide in enumerate(presentation.slides, 1) for line in _slide(slide, number)]
    content, blocks = assemble(lines)
    title = stated_title(presentation.core_properties.title, lines)
    return Extract(content, blocks, title=title, encoding="pptx")


def _slide(slide: Any, number: int) -> Iterator[Line]:
    locator = f"slide {number}"
    _choose(slide.shapes.element)
    first = slide.shapes.title
    title = first if first is not None and first.has_text_frame else None  # the title can be a picture
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    others = (shape for shape in slide.shapes if title is None or shape.element is not title.element)
    lines = [line for shape in others for line in _shape(shape, locator)]
    notes = f"{locator}, notes"
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if frame is not None:
        lines += _paragraphs(frame, notes, is_list=False)
    if heading or lines:  # also without a title, so that its text does not belong to the slide before
        yield Line(heading or f"Slide {number}", "heading", 1, locator=locator)
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
        yield from table_lines((locator, [cell.text for cell in row.cells]) for row in shape.table.rows)
    elif shape.has_text_frame:
        yield from _paragraphs(shape.text_frame, locator, is_list=kind in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT))


def _paragraphs(frame: Any, locator: str, *, is_list: bool) -> Iterator[Line]:
    for number, paragraph in enumerate(frame.paragraphs):
        text = " ".join(paragraph.text.split())
        if text and is_list:
            yield Line(f"- {text}", "item", locator=locator, apart=number == 0)
        elif text:
            yield Line(text, locator=locator)
