"""Struck, raised and lowered text: control characters stand around it until `shown` writes it as plain characters.

A reader wraps what the file marks (`struck`, `raised`, `lowered`) in the text that it gathers. The marks survive the
joining of runs, cells and lines. `qa.formats.blocks.assemble` calls `shown` on every line: struck text is taken out and
its place kept, exponents and indices become characters such as ⁶ and ₂, and the mark of a note is parted from a number.
"""

import re
from collections.abc import Iterable

STRUCK, STRUCK_END, RAISED, RAISED_END, LOWERED, LOWERED_END, NOTE = "\x02\x03\x04\x05\x06\x07\x0e"

_ALL = re.compile("[\x01-\x07\x0e\x10]")
_MARKED = re.compile("\x02[^\x03]*\x03|\x04[^\x05]*\x05|\x06[^\x07]*\x07")
_ADJACENT = re.compile("\x03\x02|\x05\x04|\x07\x06")  # neighbouring runs of one kind are one
_UP = dict(zip("0123456789+-−–=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_DOWN = dict(zip("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎", strict=True))
_LETTERS = dict(zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_NOTE_SIGN = re.compile(r"\[[^\[\]]{1,5}\]|[*†‡§]+|\d{1,3}(?:[,;–-] ?\d{1,3})+")  # never an exponent, unless after 10
_NOTE_TEXT = re.compile(r"\s*(?:- )?\x04\x0e?\s*(?P<sign>\d{1,3}|[a-z]|[*†‡§]+)[.)]?\s*\x05(?=\s*\w)")
_POWER = re.compile(r"(?:\A|\D)10\Z|[×·⋅*]\s?\d+\Z")  # a base that is raised to a power
_ORDINAL = frozenset("st nd rd th er re e ème eme o a os as º ª te ter nde de".split())
_FEW = 12  # characters before a mark that tell what it means


def guarded(text: str) -> str:
    """Text of a file without the characters that this module uses as marks."""
    return _ALL.sub("", text)


def struck(text: str) -> str:
    """Mark text as struck through. Blank text stays as it is."""
    inner = " ".join(guarded(text).split())
    return f"{STRUCK}{inner}{STRUCK_END}" if inner else text


def raised(text: str, *, is_note: bool = False) -> str:
    """Mark text as raised; `is_note` where the file says that it refers to a note."""
    inner = _plain(text)
    return f"{RAISED}{NOTE if is_note else ''}{inner}{RAISED_END}" if inner.strip() else inner


def lowered(text: str) -> str:
    """Mark text as lowered."""
    inner = _plain(text)
    return f"{LOWERED}{inner}{LOWERED_END}" if inner.strip() else inner


def _plain(text: str) -> str:
    """Text to be marked as raised or lowered, without the marks inside it and without what is struck in it."""
    return _ALL.sub("", _MARKED.sub(lambda found: "" if found[0][0] == STRUCK else found[0], text))


def has_text(text: str) -> bool:
    """Whether anything remains when struck text is taken out."""
    return bool(text.strip()) and (STRUCK not in text or bool(re.sub("\x02[^\x03]*\x03", "", text).strip()))


def note_signs(texts: Iterable[str]) -> frozenset[str]:
    """The signs of the notes whose own text begins with a raised sign."""
    return frozenset(found["sign"] for text in texts if (found := _NOTE_TEXT.match(text)))


def shown(text: str, notes: frozenset[str] = frozenset()) -> tuple[str, list[tuple[int, str]]]:
    """The text as a person reads it, and (offset, text) for each place where struck text stood.

    A raised number is an exponent (⁶), unless the file calls it a reference to a note or one of `notes` has its sign.
    """
    if not _ALL.search(text):
        return text, []
    text = _ADJACENT.sub("", text)
    out, places = _Out(), []
    at = 0
    for found in _MARKED.finditer(text):
        out.add(text[at : found.start()])
        at = found.end()
        inner = found[0][1:-1]
        if found[0][0] == STRUCK:
            places.append((out.size, inner))
            out.leave_gap(" " in inner)
        elif found[0][0] == RAISED:
            begins = not out.tail.strip(" -")
            out.add(_raised(inner, out.tail, notes))
            out.opens_note = begins
        else:
            out.add(_lowered(inner, out.tail))
    out.add(text[at:])
    whole = guarded("".join(out.parts)).rstrip()
    return whole, [(min(place, len(whole)), inner) for place, inner in places]


class _Out:
    """The text so far, with its size and its last characters."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.tail = ""
        self.opens_note = False  # the sign of a note stands at the beginning: a space must follow
        self._gap: bool | None = None  # after struck text; True where it held several words

    def leave_gap(self, wide: bool) -> None:
        self._gap = wide or bool(self._gap)

    def add(self, piece: str) -> None:
        piece = guarded(piece)
        if self._gap is not None and piece:
            if (not self.tail or self.tail[-1].isspace()) and not piece.startswith(" |"):
                piece = piece.lstrip()
            elif self._meets(piece) and (self._gap or (self.tail[-1].isdigit() and piece[0].isdigit())):
                piece = f" {piece}"
        if self.opens_note and piece:
            piece, self.opens_note = (piece if piece[0].isspace() else f" {piece}"), False
        if piece:
            self.parts.append(piece)
            self.size += len(piece)
            self.tail = (self.tail + piece)[-_FEW:]
            self._gap = None

    def _meets(self, piece: str) -> bool:
        return self.tail[-1:].isalnum() and piece[0].isalnum()


def _raised(inner: str, before: str, notes: frozenset[str]) -> str:
    sign = inner.replace(NOTE, "").strip()
    is_power = bool(_POWER.search(before))
    is_note = NOTE in inner or (not is_power and (sign.rstrip(".)") in notes or _NOTE_SIGN.fullmatch(sign) is not None))
    up = "".join(_UP.get(one, one if one in ",;" else "\0") for one in sign)
    if is_note:
        single = _LETTERS.get(sign, sign) if before[-1:].isalnum() else sign
        return (" " if before[-1:].isnumeric() else "") + (single if "\0" in up else up)
    if "\0" not in up and "," not in up and ";" not in up:
        return up
    follows_base = before[-1:].isdigit() or re.search(r"(?:\A|[^\w])[^\W\d_]\Z", before) is not None
    if not follows_base or sign.lower() in _ORDINAL or (sign.isalpha() and not before[-1:].isdigit() and len(sign) > 1):
        return sign
    return f"^{sign}" if re.fullmatch(r"[\w.,]+", sign) else f"^({sign})"


def _lowered(inner: str, before: str) -> str:
    sign = inner.strip()
    if all(one in _DOWN for one in sign):
        return "".join(_DOWN[one] for one in sign)
    return f"_{sign}" if before[-1:].isalnum() and re.fullmatch(r"[\w.,]+", sign) else sign
