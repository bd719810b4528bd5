"""A part of a Word document → its text on one line: runs, symbols, equations, form fields, struck and raised text."""

import re
from collections.abc import Iterator
from typing import Any

from qa.formats.forms import EMPTY, TICKED, UNTICKED
from qa.formats.marks import guarded, lowered, raised, struck

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
SKIPPED = {f"{W}{name}" for name in ("del", "moveFrom", "pPr", "instrText", "txbxContent")} | {_FALLBACK}
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
_WINGDINGS = {  # the boxes and ticks of these fonts
    "wingdings": {0x6F: "☐", 0x71: "☐", 0xA8: "☐", 0x78: "☒", 0xFD: "☒", 0xFE: "☑", 0xFC: "✓", 0xFB: "✗"},
    "wingdings 2": {0xA3: "☐", 0x51: "☒", 0x53: "☒", 0x54: "☒", 0x52: "☑", 0x50: "✓", 0x4F: "✗"},
}
_MARKS = {"struck": struck, "raised": raised, "lowered": lowered}
_DELETED = {f"{W}del", f"{W}moveFrom"}  # tracked changes that are still shown, struck through
_OFF = ("0", "false", "off", "none")
_SIGNS = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}


def styled(styles: dict[str, Any]) -> dict[str, set[str]]:
    """Style → what it makes of text: "struck", "raised", "lowered"; also by the styles that it is based on."""
    found: dict[str, set[str]] = {}
    for name in styles:
        marks: dict[str, bool] = {}
        style = styles.get(name)
        for _ in range(20):  # limited, because styles can be based on each other in a circle
            if style is None:
                break
            for mark, is_on in _marks(style.find(f"{W}rPr")).items():
                marks.setdefault(mark, is_on)
            style = styles.get(value(style.find(f"{W}basedOn")) or "")
        if any(marks.values()):
            found[name] = {mark for mark, is_on in marks.items() if is_on}
    return found


def text_of(element: Any, styles: dict[str, set[str]] | None = None) -> str:
    """The text as Word shows it, with its line breaks; struck, raised and lowered text is marked."""
    parts: list[str] = []
    in_styles = styles or {}

    def walk_run(run: Any) -> None:
        begin = len(parts)
        walk(run)
        properties = run.find(f"{W}rPr")
        is_note = any(run.find(f"{W}{kind}Reference") is not None for kind in ("footnote", "endnote"))
        if properties is None and not is_note:
            return
        style = value(properties.find(f"{W}rStyle")) if properties is not None else None
        marks = dict.fromkeys(in_styles.get(style or "", ()), True) | _marks(properties)
        text = "".join(parts[begin:])
        if is_note and text:
            text = raised(text, is_note=True)
        for mark, is_on in marks.items():
            if is_on and text and not (is_note and mark == "raised"):
                text = _MARKS[mark](text)
        parts[begin:] = [text]

    def walk(parent: Any) -> None:
        for child in parent:
            if child.tag in (f"{W}t", f"{_M}t"):
                parts.append(guarded(child.text or ""))
            elif child.tag == f"{W}r" and not _is_hidden(child):
                walk_run(child)
            elif child.tag in _DELETED:
                gone = (f"{W}delText", f"{W}t")
                parts.append(struck("".join(one.text or "" for one in child.iter(*gone))))
            elif child.tag == f"{W}fldChar":
                parts.append(_legacy_field(child))
            elif child.tag == f"{W}sdt" and (control := _control(child)) is not None:
                parts.append(control)
            elif child.tag in _SIGNS:
                parts.append(_SIGNS[child.tag])
            elif child.tag == f"{W}sym":
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
                if child.tag in (f"{W}p", f"{W}tc", f"{_M}fName", f"{_M}mr"):
                    parts.append(" ")

    walk_run(element) if element.tag == f"{W}r" else walk(element)
    return re.sub(rf"(?<=\w){_EDGE}+(?=\w)", " ", "".join(parts)).replace(_EDGE, "")


def _grouped(element: Any) -> str:
    """A part of an equation, such as an exponent, with the sign before it and, where needed, in parentheses."""
    inner = text_of(element).strip()
    return _BEFORE.get(element.tag, "") + _in_parentheses(inner) if inner else ""


def _root(element: Any) -> str:
    """A root as Word writes it on one line: √2, √(a+b); the cube root of 2 is √(3&2)."""
    degree, inner = ("".join(map(text_of, element.iterchildren(f"{_M}{name}"))).strip() for name in ("deg", "e"))
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
    number, font = element.get(f"{W}char") or "", (element.get(f"{W}font") or "").lower()
    if not re.fullmatch(r"[fF0]0[0-9a-fA-F]{2}", number) or font not in ("symbol", *_WINGDINGS):
        return "\ufffd"
    if font in _WINGDINGS:
        return _WINGDINGS[font].get(int(number[2:], 16), "\ufffd")
    return _SYMBOLS.get(int(number[2:], 16), "\ufffd")


def _legacy_field(element: Any) -> str:
    """What the beginning of an old form field says: whether a box is ticked, or which entry of a list is chosen."""
    box = element.find(f"{W}ffData/{W}checkBox")
    if box is not None:
        said = next((one for name in ("checked", "default") if (one := box.find(f"{W}{name}")) is not None), None)
        return TICKED if said is not None and said.get(f"{W}val", "1") not in _OFF else UNTICKED
    choices = element.find(f"{W}ffData/{W}ddList")
    if choices is None:
        return ""
    entries = [one.get(f"{W}val") or "" for one in choices.iterchildren(f"{W}listEntry")]
    chosen = next(
        (one for name in ("result", "default") if (one := value(choices.find(f"{W}{name}"))) is not None), "0"
    )
    return entries[int(chosen)] if chosen.isdigit() and len(chosen) < 6 and int(chosen) < len(entries) else ""


def _control(element: Any) -> str | None:
    """What a content control says where its text does not: whether a box is ticked; that nothing was filled in."""
    properties = element.find(f"{W}sdtPr")
    if properties is None:
        return None
    box = properties.find(f"{_W14}checkbox")
    if box is not None:
        said = box.find(f"{_W14}checked")
        return TICKED if said is not None and said.get(f"{_W14}val", "1") not in _OFF else UNTICKED
    hint = properties.find(f"{W}showingPlcHdr")
    return EMPTY if hint is not None and hint.get(f"{W}val", "1") not in _OFF else None


def _marks(properties: Any) -> dict[str, bool]:
    """What run properties make of the text; False where they undo what a style does."""
    if properties is None:
        return {}
    found = {}
    strikes = [one for name in ("strike", "dstrike") if (one := properties.find(f"{W}{name}")) is not None]
    if strikes:
        found["struck"] = any(one.get(f"{W}val", "1") not in _OFF for one in strikes)
    align = value(properties.find(f"{W}vertAlign"))
    if align is not None:
        found |= {"raised": align == "superscript", "lowered": align == "subscript"}
    return found


def _is_left_out(element: Any) -> bool:
    return element.tag in SKIPPED or (element.tag in (f"{W}r", f"{_M}r") and _is_hidden(element))


def _is_hidden(run: Any) -> bool:
    vanish = run.find(f"{W}rPr/{W}vanish")
    return vanish is not None and vanish.get(f"{W}val") not in ("0", "false", "off")


def shown_elements(element: Any, tag: str) -> Iterator[Any]:
    """The outermost shown elements with this tag, each once: Word writes text boxes a second time for old programs."""
    for child in element:
        if child.tag == tag:
            yield child
        elif not _is_left_out(child):
            yield from shown_elements(child, tag)


def value(element: Any) -> str | None:
    return None if element is None else element.get(f"{W}val")
