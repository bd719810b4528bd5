"""Word documents → headings by style, paragraphs, list items, table rows and footnotes, in order.

Left out: headers and footers, tables of contents, comments, deleted or hidden text, pictures. An equation becomes one
line, such as "x^2/(a+b)".
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from qa.formats.blocks import ROW_CHARS, Extract, Line, assemble, stated_title, table_lines

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_FOOTNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
_ENDNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/endnotes"
_SKIPPED = {f"{_W}{name}" for name in ("del", "moveFrom", "pPr", "instrText", "txbxContent")} | {_FALLBACK}
_BEFORE = {f"{_M}den": "/", f"{_M}sup": "^", f"{_M}sub": "_", f"{_M}lim": "_"}  # written before a part of an equation
_GROUPED = {f"{_M}num", *_BEFORE}
# Marks the edge of such a part; XML cannot hold this character. It becomes a space between two letters or digits.
_EDGE = "\x1f"
_SYMBOLS = {  # the characters of the font Symbol, by the last two hexadecimal digits of their number
    **{0x41 + at: sign for at, sign in enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ")},
    **{0x61 + at: sign for at, sign in enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ")},
    **{0x30 + at: str(at) for at in range(10)},
    **dict(zip(b" ()+,./:;<=>[]{}|%", " ()+,./:;<=>[]{}|%", strict=True)),
    **dict(
        zip(bytes.fromhex("2d a0 a2 a3 a5 ab ac ad ae af b0 b1 b2 b3 b4 b5 b6 b7"), "−€′≤∞↔←↑→↓°±″≥×∝∂•", strict=True)
    ),
    **dict(
        zip(
            bytes.fromhex("b8 b9 ba bb bc c7 c8 ce cf d2 d3 d4 d5 d6 d7 d8 db de e5 f2"),
            "÷≠≡≈…∩∪∈∉®©™∏√⋅¬⇔⇒∑∫",
            strict=True,
        )
    ),
}
_SIGNS = {f"{_W}tab": " ", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}

_NOTE_FORMATS = {"footnote": "decimal", "endnote": "lowerRoman"}  # Word's defaults, when a document names no format
_ROMAN = tuple(
    zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "m cm d cd c xc l xl x ix v iv i".split(), strict=True)
)


def read_docx(data: bytes) -> Extract:
    """Read the body; raises DocumentError, or what the library raises."""
    import docx  # imported late: it takes time, and only folders with Word documents need it

    document: Any = docx.Document(io.BytesIO(data))
    lines = list(_Body(document).lines())
    content, blocks = assemble(lines)
    return Extract(content, blocks, title=stated_title(document.core_properties.title, lines), encoding="docx")


def _roman(number: int) -> str:
    """The number in small Roman numerals: 4 → "iv"."""
    found = ""
    for value, sign in _ROMAN:
        found += number // value * sign
        number %= value
    return found


class _Body:
    """Walks through the body. Text that Word shows can be nested: in insertions, links and content controls."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._styles = {one.get(f"{_W}styleId"): one for one in document.styles.element.iter(f"{_W}style")}
        self._notes = {**self._read_notes(_FOOTNOTES, "footnote"), **self._read_notes(_ENDNOTES, "endnote")}
        self._numbers: Counter[str] = Counter()  # how many notes were numbered so far, by kind
        formats = {kind: document.settings.element.find(f"{_W}{kind}Pr/{_W}numFmt") for kind in _NOTE_FORMATS}
        self._formats = {
            kind: default if (found := formats[kind]) is None else found.get(f"{_W}val")
            for kind, default in _NOTE_FORMATS.items()
        }
        self._has_title = False

    def lines(self) -> Iterator[Line]:
        yield from self._container(self._document.element.body)

    def _read_notes(self, relation: str, kind: str) -> dict[tuple[str, str], Any]:
        import docx.oxml

        for related in self._document.part.rels.values():
            if related.reltype == relation and not related.is_external:
                root: Any = docx.oxml.parse_xml(related.target_part.blob)  # no entities, no network
                return {(kind, note.get(f"{_W}id")): note for note in root.iter(f"{_W}{kind}")}
        return {}

    def _container(self, parent: Any) -> Iterator[Line]:
        for child in parent:
            if child.tag == f"{_W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                yield from self._table(child)
            elif child.tag not in _SKIPPED and child.tag != f"{_W}sectPr":  # such as a content control
                yield from self._container(child)

    def _paragraph(self, paragraph: Any) -> Iterator[Line]:
        text = _text(paragraph)
        if text.strip():
            yield self._line(paragraph, text)
        yield from self._beside(paragraph)

    def _beside(self, element: Any) -> Iterator[Line]:
        """The text boxes and notes of a paragraph or table; they follow it."""
        for box in _shown(element, f"{_W}txbxContent"):
            yield from self._container(box)
        for kind in ("footnote", "endnote"):
            for mark in _shown(element, f"{_W}{kind}Reference"):
                note = self._notes.get((kind, mark.get(f"{_W}id")))
                text = " ".join(_text(note).split()) if note is not None else ""
                sign = self._sign(mark, kind)
                if text:
                    yield Line(text, locator=f"{kind} {sign}".strip())

    def _sign(self, mark: Any, kind: str) -> str:
        """The mark of a note as Word shows it: its number among the notes of its kind, or a custom mark.

        Numbers are Arabic or Roman, by the setting of the whole document. Settings of single sections (letters, or
        numbering that restarts) are not taken into account.
        """
        if mark.get(f"{_W}customMarkFollows", "0") not in ("0", "false", "off"):
            return _text(mark.getparent()).strip()
        self._numbers[kind] += 1
        number = str(self._numbers[kind])
        roman = _roman(self._numbers[kind])
        return {"lowerRoman": roman, "upperRoman": roman.upper()}.get(self._formats[kind], number)

    def _line(self, paragraph: Any, text: str) -> Line:
        names = self._style_names(paragraph)
        level = self._heading_level(paragraph, names)
        if level is not None:
            return Line(" ".join(text.split()), "heading", level)
        if any(name.startswith(("toc ", "table of figures")) for name in names):
            return Line(" ".join(text.split()), "rule")
        if self._is_item(paragraph, names):
            return Line("- " + " ".join(text.split()), "item")
        return Line("\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip()))

    def _chain(self, paragraph: Any) -> Iterator[Any]:
        """The paragraph's own properties, then its style, then the styles that this one is based on."""
        properties = paragraph.find(f"{_W}pPr")
        name = None
        if properties is not None:
            yield properties
            name = _value(properties.find(f"{_W}pStyle"))
        for _ in range(20):  # limited, because styles can be based on each other in a circle
            style = self._styles.get(name)
            if style is None:
                return
            yield style
            name = _value(style.find(f"{_W}basedOn"))

    def _style_names(self, paragraph: Any) -> list[str]:
        names = (_value(source.find(f"{_W}name")) for source in self._chain(paragraph))
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
            properties = source if source.tag == f"{_W}pPr" else source.find(f"{_W}pPr")
            outline = _value(properties.find(f"{_W}outlineLvl")) if properties is not None else None
            if outline and outline.isdigit():
                return int(outline) + 1 + self._has_title if int(outline) < 9 else None  # 9 is body text
        return None

    def _is_item(self, paragraph: Any, names: list[str]) -> bool:
        for source in self._chain(paragraph):
            properties = source if source.tag == f"{_W}pPr" else source.find(f"{_W}pPr")
            numbering = properties.find(f"{_W}numPr") if properties is not None else None
            if numbering is not None:
                return _value(numbering.find(f"{_W}numId")) != "0"  # 0 cancels the numbering of the style
        return any(name.startswith("list ") and not name.startswith("list paragraph") for name in names)

    def _table(self, table: Any) -> Iterator[Line]:
        """The table's rows. When a row is too long, the table lays out the page: then the content of its cells."""
        rows = [list(_within(row, f"{_W}tc")) for row in _within(table, f"{_W}tr")]
        texts = [[" ".join(_text(cell).split()) for cell in row] for row in rows]
        if any(len(" | ".join(row)) > ROW_CHARS for row in texts):
            for row in rows:
                for cell in row:
                    yield from self._container(cell)
            return
        yield from table_lines((None, row) for row in texts)
        yield from self._beside(table)


def _within(parent: Any, tag: str) -> Iterator[Any]:
    """The children with this tag, also those inside content controls and insertions."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _within(child, tag)


def _text(element: Any) -> str:
    """The text as Word shows it, with its line breaks."""
    parts: list[str] = []

    def walk(parent: Any) -> None:
        for child in parent:
            if child.tag in (f"{_W}t", f"{_M}t"):
                parts.append(child.text or "")
            elif child.tag in _SIGNS:
                parts.append(_SIGNS[child.tag])
            elif child.tag == f"{_W}sym":
                parts.append(_symbol(child))
            elif _is_left_out(child):
                continue
            elif child.tag in _GROUPED:
                parts.extend((_grouped(child), _EDGE))
            elif child.tag == f"{_M}f":
                parts.append(_EDGE)  # so that 2 1/2 does not become 21/2
                walk(child)
            elif child.tag == f"{_M}rad":
                parts.extend((_root(child), _EDGE))
            elif child.tag in (f"{_M}d", f"{_M}nary"):
                begin, end = _around(child)
                parts.append(begin)
                walk(child)
                parts.append(end)
            else:
                walk(child)
                if child.tag in (f"{_W}p", f"{_W}tc", f"{_M}fName", f"{_M}mr"):
                    parts.append(" ")

    walk(element)
    return re.sub(rf"(?<=\w){_EDGE}+(?=\w)", " ", "".join(parts)).replace(_EDGE, "")


def _grouped(element: Any) -> str:
    """A part of an equation, such as an exponent, with the sign before it and, where needed, in parentheses."""
    inner = _text(element).strip()
    return _BEFORE.get(element.tag, "") + _in_parentheses(inner) if inner else ""


def _root(element: Any) -> str:
    """A root as Word writes it on one line: √2, √(a+b); the cube root of 2 is √(3&2)."""
    degree, inner = ("".join(map(_text, element.iterchildren(f"{_M}{name}"))).strip() for name in ("deg", "e"))
    return f"√({degree}&{inner})" if degree else f"√{_in_parentheses(inner)}"


def _in_parentheses(inner: str) -> str:
    return inner if re.fullmatch(r"[\w.,]+", inner) else f"({inner})"


def _around(element: Any) -> tuple[str, str]:
    """The brackets around an expression, or the sign before it, such as that of a sum or integral."""
    properties = element.find(f"{element.tag}Pr")

    def sign(name: str, default: str) -> str:
        found = None if properties is None else properties.find(f"{_M}{name}")
        return default if found is None else found.get(f"{_M}val") or ""

    return (sign("begChr", "("), sign("endChr", ")")) if element.tag == f"{_M}d" else (sign("chr", "∫"), "")


def _symbol(element: Any) -> str:
    """A character that the document names by font and number; U+FFFD when it is unknown, so that it is not lost."""
    number = element.get(f"{_W}char") or ""
    if (element.get(f"{_W}font") or "").lower() != "symbol" or not re.fullmatch(r"[fF0]0[0-9a-fA-F]{2}", number):
        return "\ufffd"
    return _SYMBOLS.get(int(number[2:], 16), "\ufffd")


def _is_left_out(element: Any) -> bool:
    return element.tag in _SKIPPED or (element.tag in (f"{_W}r", f"{_M}r") and _is_hidden(element))


def _is_hidden(run: Any) -> bool:
    vanish = run.find(f"{_W}rPr/{_W}vanish")
    return vanish is not None and vanish.get(f"{_W}val") not in ("0", "false", "off")


def _shown(element: Any, tag: str) -> Iterator[Any]:
    """The outermost shown elements with this tag, each once: Word writes text boxes a second time for old programs."""
    for child in element:
        if child.tag == tag:
            yield child
        elif not _is_left_out(child):
            yield from _shown(child, tag)


def _value(element: Any) -> str | None:
    return None if element is None else element.get(f"{_W}val")
