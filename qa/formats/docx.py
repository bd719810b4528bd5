"""Word documents → headings by style, paragraphs, list items, table rows and footnotes, in order.

Left out: headers and footers, tables of contents, comments, deleted or hidden text, pictures. An equation becomes one
line, such as "x^2/(a+b)".
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from qa.formats.blocks import ROW_CHARS, Extract, Line, assemble, stated_title
from qa.formats.docx_numbers import Numbering, roman
from qa.formats.docx_text import SKIPPED, W, shown_elements, styled, text_of, value
from qa.formats.grid import MAX_ACROSS, Cell, grid_lines
from qa.formats.marks import guarded, has_text, note_signs, shown, struck

_FOOTNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
_NUMBERING = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/numbering"
_ENDNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/endnotes"
_NOTE_FORMATS = {"footnote": "decimal", "endnote": "lowerRoman"}  # Word's defaults, when a document names no format


def read_docx(data: bytes) -> Extract:
    """Read the body; raises DocumentError, or what the library raises."""
    import docx  # imported late: it takes time, and only folders with Word documents need it

    document: Any = docx.Document(io.BytesIO(data))
    lines = list(_Body(document).lines())
    found = assemble(lines, note_signs(line.text for line in lines))
    return replace(found, title=stated_title(document.core_properties.title, lines), encoding="docx")


class _Body:
    """Walks through the body. Text that Word shows can be nested: in insertions, links and content controls."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._styles = {one.get(f"{W}styleId"): one for one in document.styles.element.iter(f"{W}style")}
        self._notes = {**self._read_notes(_FOOTNOTES, "footnote"), **self._read_notes(_ENDNOTES, "endnote")}
        self._numbers: Counter[str] = Counter()  # how many notes were numbered so far, by kind
        formats = {kind: document.settings.element.find(f"{W}{kind}Pr/{W}numFmt") for kind in _NOTE_FORMATS}
        self._formats = {
            kind: default if (found := formats[kind]) is None else found.get(f"{W}val")
            for kind, default in _NOTE_FORMATS.items()
        }
        self._marks = styled(self._styles)
        self._numbering = Numbering(self._part(_NUMBERING), self._styles)
        self._drop_cap = ""  # large first letters, which stand in a paragraph of their own
        self._has_title = False

    def _part(self, relation: str) -> Any:
        import docx.oxml

        for related in self._document.part.rels.values():
            if related.reltype == relation and not related.is_external:
                return docx.oxml.parse_xml(related.target_part.blob)  # no entities, no network
        return None

    def lines(self) -> Iterator[Line]:
        yield from self._container(self._document.element.body)

    def _read_notes(self, relation: str, kind: str) -> dict[tuple[str, str], Any]:
        root = self._part(relation)
        return {} if root is None else {(kind, note.get(f"{W}id")): note for note in root.iter(f"{W}{kind}")}

    def _container(self, parent: Any) -> Iterator[Line]:
        for child in parent:
            if child.tag == f"{W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._table(child)
            elif child.tag not in SKIPPED and child.tag != f"{W}sectPr":  # such as a content control
                yield from self._container(child)

    def _paragraph(self, paragraph: Any) -> Iterator[Line]:
        text = text_of(paragraph, self._marks)
        if self._is_struck(paragraph):
            text = struck(text)
        frame = paragraph.find(f"{W}pPr/{W}framePr")
        if frame is not None and frame.get(f"{W}dropCap") in ("drop", "margin"):
            self._drop_cap += text.strip()
            return
        text, self._drop_cap = self._drop_cap + text, ""
        sign = self._number(paragraph)
        if text.strip():
            yield self._line(paragraph, text, sign)
        yield from self._beside(paragraph)

    def _beside(self, element: Any) -> Iterator[Line]:
        """The text boxes and notes of a paragraph or table; they follow it."""
        for box in shown_elements(element, f"{W}txbxContent"):
            yield from self._container(box)
        for kind in ("footnote", "endnote"):
            for mark in shown_elements(element, f"{W}{kind}Reference"):
                note = self._notes.get((kind, mark.get(f"{W}id")))
                text = " ".join(text_of(note, self._marks).split()) if note is not None else ""
                sign = self._sign(mark, kind)
                if text:
                    yield Line(text, locator=f"{kind} {sign}".strip())

    def _sign(self, mark: Any, kind: str) -> str:
        """The mark of a note as Word shows it: its number among the notes of its kind, or a custom mark.

        Numbers are Arabic or Roman, by the setting of the whole document. Settings of single sections (letters, or
        numbering that restarts) are not taken into account.
        """
        if mark.get(f"{W}customMarkFollows", "0") not in ("0", "false", "off"):
            return guarded(text_of(mark.getparent())).strip()
        self._numbers[kind] += 1
        number = str(self._numbers[kind])
        small = roman(self._numbers[kind])
        return {"lowerRoman": small, "upperRoman": small.upper()}.get(self._formats[kind], number)

    def _is_struck(self, paragraph: Any) -> bool:
        name = value(paragraph.find(f"{W}pPr/{W}pStyle"))
        return name is not None and "struck" in self._marks.get(name, ())

    def _number(self, paragraph: Any) -> str | None:
        """The number that Word writes before the paragraph, "" for a bullet, None where it is not in a list."""
        num = level = style = None
        for source in self._chain(paragraph):
            properties = source if source.tag == f"{W}pPr" else source.find(f"{W}pPr")
            numbering = properties.find(f"{W}numPr") if properties is not None else None
            if numbering is None:
                continue
            level = value(numbering.find(f"{W}ilvl")) if level is None else level
            num = value(numbering.find(f"{W}numId"))
            if num is not None:
                style = source.get(f"{W}styleId")
                break
        if num is None or num == "0":  # 0 cancels the numbering of the style
            return None
        at = int(level) if level and level.isdigit() and len(level) < 3 else None
        if at is None:
            at = self._numbering.level_of_style(num, style) if style else 0
        return self._numbering.next_sign(num, at)

    def _line(self, paragraph: Any, text: str, sign: str | None) -> Line:
        content = " ".join(text.split())
        numbered = f"{sign} {content}" if sign and has_text(content) else content
        names = self._style_names(paragraph)
        level = self._heading_level(paragraph, names)
        if level is not None:
            return Line(numbered, "heading", level)
        if any(name.startswith(("toc ", "table of figures")) for name in names):
            return Line(" ".join(text.split()), "rule")
        if sign:
            return Line(numbered, "item")
        if sign is not None or self._is_list(paragraph, names):
            return Line(f"- {content}" if has_text(content) else content, "item")
        return Line("\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip()))

    def _chain(self, paragraph: Any) -> Iterator[Any]:
        """The paragraph's own properties, then its style, then the styles that this one is based on."""
        properties = paragraph.find(f"{W}pPr")
        name = None
        if properties is not None:
            yield properties
            name = value(properties.find(f"{W}pStyle"))
        for _ in range(20):  # limited, because styles can be based on each other in a circle
            style = self._styles.get(name)
            if style is None:
                return
            yield style
            name = value(style.find(f"{W}basedOn"))

    def _style_names(self, paragraph: Any) -> list[str]:
        names = (value(source.find(f"{W}name")) for source in self._chain(paragraph))
        return [name.lower() for name in names if name]

    def _heading_level(self, paragraph: Any, names: list[str]) -> int | None:
        """The level of a heading, None for other paragraphs. 1 is the title, or "heading 1" when there is no title."""
        for name in names:
            if name == "title":
                self._has_title = True
                return 1
            if name.startswith("heading ") and name[8:].isdigit():
                return int(name[8:]) + self._has_title
        for source in self._chain(paragraph):
            properties = source if source.tag == f"{W}pPr" else source.find(f"{W}pPr")
            outline = value(properties.find(f"{W}outlineLvl")) if properties is not None else None
            if outline and outline.isdigit():
                return int(outline) + 1 + self._has_title if int(outline) < 9 else None  # 9 is body text
        return None

    def _is_list(self, paragraph: Any, names: list[str]) -> bool:
        """Whether the style is that of a list, unless the paragraph itself cancels its numbering."""
        cancelled = value(paragraph.find(f"{W}pPr/{W}numPr/{W}numId")) == "0"
        return not cancelled and any(
            name.startswith("list ") and not name.startswith("list paragraph") for name in names
        )

    def _table(self, table: Any) -> Iterator[Line]:
        """The table's rows. When a row is too long, the table lays out the page: then the content of its cells."""
        rows = [(row, list(_within(row, f"{W}tc"))) for row in _within(table, f"{W}tr")]
        texts = [[" ".join(text_of(cell, self._marks).split()) for cell in cells] for _, cells in rows]
        if any(len(" | ".join(row)) > ROW_CHARS and len(shown(" | ".join(row))[0]) > ROW_CHARS for row in texts):
            for _, cells in rows:
                for cell in cells:
                    yield from self._container(cell)
            return
        yield from grid_lines([(None, row) for row in _spanned(rows, texts)])
        yield from self._beside(table)


def _spanned(rows: Sequence[tuple[Any, list[Any]]], texts: Sequence[list[str]]) -> list[list[Cell]]:
    """The rows with the spans of their cells; what continues a cell of the row above is left out."""
    spanned: list[list[Cell]] = []
    open_at: dict[int, tuple[int, int]] = {}  # column → (row, place) of the cell that may go on there
    for number, ((row, cells), written) in enumerate(zip(rows, texts, strict=True)):
        is_name = row.find(f"{W}trPr/{W}tblHeader") is not None
        before = _count(row.find(f"{W}trPr/{W}gridBefore"), 0)
        made = [Cell("", before)] if before else []
        column, going_on = before, {}
        for cell, text in zip(cells, written, strict=True):
            properties = cell.find(f"{W}tcPr")
            across = _count(properties.find(f"{W}gridSpan"), 1) if properties is not None else 1
            merge = properties.find(f"{W}vMerge") if properties is not None else None
            beside = properties.find(f"{W}hMerge") if properties is not None else None
            above = open_at.get(column)
            if merge is not None and value(merge) in (None, "continue") and above:
                spanned[above[0]][above[1]] = replace(spanned[above[0]][above[1]], down=number - above[0] + 1)
                going_on[column] = above
            elif beside is not None and value(beside) in (None, "continue") and made:
                made[-1] = replace(made[-1], across=made[-1].across + across)
            else:
                made.append(Cell(text, across, 1, is_name))
                if merge is not None:
                    going_on[column] = (number, len(made) - 1)
            column += across
        spanned.append(made)
        open_at = going_on
    return spanned


def _count(element: Any, default: int) -> int:
    text = value(element) or ""
    return min(int(text), MAX_ACROSS) if text.isascii() and text.isdigit() and len(text) < 9 else default


def _within(parent: Any, tag: str) -> Iterator[Any]:
    """The children with this tag, also those inside content controls and insertions."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}customXml"):
            yield from _within(child, tag)
