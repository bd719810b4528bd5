"""Reads a PDF in a separate process, which `qa.formats.pdf` starts: the file on stdin, a line of JSON a page on stdout.

A hostile PDF can make any PDF library crash, or use hours and all memory. Here that ends only this process. It imports
nothing of the package, so that it starts in a fraction of a second.

The first line is {"pages": …, "title": …} or {"problem": …}. Then each page is the list of its pieces of lines, in the
order of the file: [text, left, top, right, bottom], in points from the top left corner of the page as it is shown. A
page with a picture and no text is null.
"""

import bisect
import contextlib
import ctypes
import itertools
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

PASSWORD = 4  # FPDF_ERR_PASSWORD
DEPTH = 8  # levels of nested objects (forms within forms) in which a picture is looked for
DESCENT = 0.2  # how far a letter's cell reaches below the base line, as a share of its size
MAX_OBJECTS = 10_000  # in which a picture is looked for; a page with more objects is a drawing and counts as one

# The library writes U+0002 or U+FFFE where it joins a word that was hyphenated at a line end.
_WORD = re.compile(r"(?P<letters>[^\s\x00-\x20\ufffe]+)(?P<hyphen>[\x02\ufffe])?")

RAISED, RAISED_END, LOWERED, LOWERED_END = "\x04\x05\x06\x07"  # as in `qa.formats.marks`
FIELD = "\x10"  # begins the line of a form's field
SMALL = 0.85  # the size of raised and lowered signs is at most this share of that of the text
_SIGN = re.compile(r"[\d−–-]{1,4}[.)]?\Z|[*†‡§]{1,3}\Z|[a-z]\Z")  # what stands raised by itself

BOXES, TEXTS = (2, 3), (4, 5, 6)  # the library's kinds of fields: tick and radio boxes; lists and texts
SECRET = 1 << 13  # a field's flag: a password
EMPTY = "____"  # as in `qa.formats.forms`
MAX_FIELDS = 20_000  # of a file with a form, other annotations included
VALUE_BYTES = 20_000  # of a field
LONGEST = 60  # characters of a word in which raised signs are looked for
NEAR = 40  # pieces in which a field's label is looked for
LABEL_REACH, BOX_REACH = 250.0, 40.0  # points from a field to its label

_Word = tuple[str, float, float, float, float]


def main(max_pages: int, max_chars: int, max_pieces: int, cpu_s: int, memory: int) -> None:
    """Read the PDF on stdin within these limits; `memory` is in bytes and does not include the file itself."""
    data = sys.stdin.buffer.read()
    limit(cpu_s, memory + 4 * len(data))
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        pages = len(pdf)
    except pypdfium2.PdfiumError as error:
        return _say({"problem": "encrypted" if getattr(error, "err_code", None) == PASSWORD else "broken"})
    if pages > max_pages:
        return _say({"problem": "pages"})
    _say({"pages": pages, "title": pdf.get_metadata_value("Title")})
    form = _form(pdf)
    chars = count = asked = 0
    for number in range(pages):
        page = pdf[number]
        pieces = list(itertools.islice(_pieces(page_words(page)), max_pieces - count + 1))
        if form is not None:
            asked += annotations(page)
            if asked > MAX_FIELDS:  # the library searches all fields for each one
                return _say({"problem": "fields"})
            pieces = with_fields(pieces, fields(page, form.raw))
        chars += sum(len(piece[0]) for piece in pieces)
        if chars > max_chars:
            return _say({"problem": "characters"})
        count += len(pieces)
        if count > max_pieces:
            return _say({"problem": "pieces"})
        _say(None if not pieces and _has_picture(page) else pieces)
        page.close()
    return None


def limit(cpu_s: int, memory: int) -> None:
    """Limit this process to so many seconds of processor time and bytes of memory."""
    try:
        import resource
    except ImportError:  # Windows: only the time limit of the parent process applies
        return
    for what, wanted in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(what)[1]  # the process may not raise this limit
            allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(what, (allowed, allowed))


def _say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")


def page_words(page: Any) -> Iterator[_Word]:
    import pypdfium2.raw as pdfium

    text = page.get_textpage()
    width, height = page.get_size()
    turn = page.get_rotation()
    box, matrix, x, y = pdfium.FS_RECTF(), pdfium.FS_MATRIX(), ctypes.c_double(), ctypes.c_double()

    def corners(index: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a character's cell on the turned page; the library's boxes are not turned."""
        if not pdfium.FPDFText_GetLooseCharBox(text, index, ctypes.byref(box)):
            return 0.0, 0.0, 0.0, 0.0
        left, right, low, high = box.left, box.right, box.bottom, box.top
        # Some fonts do not state their height; then the box is that of the ink, which differs from letter to letter.
        pdfium.FPDFText_GetMatrix(text, index, matrix)
        pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        upright = abs(matrix.c) < abs(matrix.d)
        size = pdfium.FPDFText_GetFontSize(text, index) * (matrix.d if upright else matrix.c)
        # In fonts made of pictures the size can be in any unit, so it is used only when it is plausible.
        reach = high - low if upright else right - left
        is_meant = 0.5 * reach < abs(size) < 5 * max(high - low, right - left)
        if is_meant and upright:
            low, high = sorted((y.value - DESCENT * size, y.value + (1 - DESCENT) * size))
        elif is_meant:
            left, right = sorted((x.value - DESCENT * size, x.value + (1 - DESCENT) * size))
        if turn == 90:
            return low, left, high, right
        if turn == 180:
            return width - right, low, width - left, high
        if turn == 270:
            return width - high, height - right, width - low, height - left
        return left, height - high, right, height - low

    def base(index: int) -> tuple[float, float]:
        """The size of a character and the height of its base line; (0, 0) where the text is not upright."""
        pdfium.FPDFText_GetMatrix(text, index, matrix)
        if abs(matrix.c) >= abs(matrix.d) or turn:
            return 0.0, 0.0
        pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        return abs(pdfium.FPDFText_GetFontSize(text, index) * matrix.d), y.value

    for match in _WORD.finditer(_characters(text)):
        first, last = match.start(), match.end("letters") - 1
        one = corners(first)
        other = one if first == last else corners(last)
        written = match["letters"]
        if 1 < len(written) <= LONGEST and any(sign.isdigit() for sign in written):
            written, on_line = _with_lifts(written, [base(index) for index in range(first, last + 1)])
            if on_line is not None:  # the height of the line is not that of the raised sign
                level = corners(first + on_line)
                one, other = ((side[0], level[1], side[2], level[3]) for side in (one, other))
        letters = written.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
        if not letters:  # only lone surrogates
            continue
        yield (
            letters + ("\xad" if match["hyphen"] else ""),
            min(one[0], other[0]),
            min(one[1], other[1]),
            max(one[2], other[2]),
            max(one[3], other[3]),
        )
    text.close()


def _with_lifts(word: str, bases: list[tuple[float, float]]) -> tuple[str, int | None]:
    """The word with marks around its raised and lowered signs, and the place of a sign on the line if there are any."""
    size = max(one for one, _ in bases)
    on_line = next(at for at, (one, _) in enumerate(bases) if one > 0.95 * size or one == size)
    line = bases[on_line][1]
    lifts = [
        0 if one > SMALL * size or not size else (height - line > 0.12 * size) - (line - height > 0.04 * size)
        for one, height in bases
    ]
    if not any(lifts):
        return word, None
    around = {0: ("", ""), 1: (RAISED, RAISED_END), -1: (LOWERED, LOWERED_END)}
    parts = []
    for lift, run in itertools.groupby(range(len(word)), key=lifts.__getitem__):
        signs = "".join(word[at] for at in run)
        parts.append(around[lift][0] + signs + around[lift][1])
    return "".join(parts), on_line


def _form(pdf: Any) -> Any:
    """The library's form of the file; None where it has none."""
    if not pdf.get_formtype():
        return None
    pdf.init_forms()
    form, pdf.formenv = pdf.formenv, None  # else each page makes its fields ready to be filled in, in quadratic time
    return form


def annotations(page: Any) -> int:
    """How many annotations the page has; fields are annotations."""
    import pypdfium2.raw as pdfium

    return int(pdfium.FPDFPage_GetAnnotCount(page))


def fields(page: Any, form: Any) -> Iterator[tuple[int, str, str, tuple[float, float, float, float]]]:
    """(kind, name, value, left, top, right and bottom) of each field of the page; a box has the value "☒" or "☐"."""
    import pypdfium2.raw as pdfium

    shown = (*BOXES, *TEXTS)
    height, turn = page.get_height(), page.get_rotation()
    for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
        found = pdfium.FPDFPage_GetAnnot(page, number)
        try:
            if pdfium.FPDFAnnot_GetSubtype(found) != pdfium.FPDF_ANNOT_WIDGET or turn:
                continue
            kind = pdfium.FPDFAnnot_GetFormFieldType(form, found)
            hidden = pdfium.FPDFAnnot_GetFlags(found) & pdfium.FPDF_ANNOT_FLAG_HIDDEN
            secret = (
                kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and pdfium.FPDFAnnot_GetFormFieldFlags(form, found) & SECRET
            )
            if kind not in shown or hidden or secret:
                continue
            box = pdfium.FS_RECTF()
            pdfium.FPDFAnnot_GetRect(found, box)
            name = _said(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, found) or _said(
                pdfium.FPDFAnnot_GetFormFieldName, form, found
            )
            if kind in BOXES:
                # The state that is shown; `IsChecked` would need the page's fields to be made ready.
                state = _said(lambda _, box, *to: pdfium.FPDFAnnot_GetStringValue(box, b"AS", *to), form, found)
                state = state or _said(pdfium.FPDFAnnot_GetFormFieldValue, form, found)
                value = "☐" if state in ("", "Off") else "☒"
            else:
                value = _said(pdfium.FPDFAnnot_GetFormFieldValue, form, found)
            yield kind, name, value, (box.left, height - box.top, box.right, height - box.bottom)
        finally:
            pdfium.FPDFPage_CloseAnnot(found)


def _said(ask: Any, form: Any, found: Any) -> str:
    size = min(ask(form, found, None, 0), VALUE_BYTES)
    buffer = ctypes.create_string_buffer(size + 2)
    ask(form, found, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return " ".join(buffer.raw[:size].decode("utf-16-le", "ignore").replace("\0", " ").split())


def with_fields(
    pieces: list[_Word], found: Iterator[tuple[int, str, str, tuple[float, float, float, float]]]
) -> list[_Word]:
    """The pieces with each field's value behind its label, and each box's sign before its own."""
    order = sorted(range(len(pieces)), key=lambda at: pieces[at][2] + pieces[at][4])
    middles = [(pieces[at][2] + pieces[at][4]) / 2 for at in order]
    made = list(pieces)
    used: set[int] = set()
    for kind, name, value, (left, top, right, bottom) in found:
        first = bisect.bisect_left(middles, top - 2)
        row = order[first : min(bisect.bisect_right(middles, bottom + 2), first + NEAR)]
        behind = [at for at in row if -4 < pieces[at][1] - right < BOX_REACH and at not in used]
        before = [at for at in row if -4 < left - pieces[at][3] < LABEL_REACH and at not in used]
        if kind in BOXES:
            label = min(behind, key=lambda at: pieces[at][1], default=None)
            label = max(before, key=lambda at: pieces[at][3], default=None) if label is None else label
        else:
            label = max(before, key=lambda at: pieces[at][3], default=None)
            if label is None:
                above = order[max(0, bisect.bisect_left(middles, top - 20)) : first][-NEAR:]
                over = [at for at in above if pieces[at][1] < right and pieces[at][3] > left and at not in used]
                label = over[-1] if over else None
        if label is None:
            text = f"{value} {name}" if kind in BOXES else _filled(name, value)
            made.append((FIELD + text, round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)))
            continue
        used.add(label)
        words, *place = made[label]
        text = f"{value} {words}" if kind in BOXES else _filled(words, value)
        place[0], place[2] = min(place[0], round(left, 1)), max(place[2], round(right, 1))
        made[label] = (FIELD + text, *place)  # type: ignore[assignment]
    return made


def _filled(label: str, value: str) -> str:
    label = label.rstrip("_.… ") or label
    return f"{label if label.endswith((':', '?')) or not label else label + ':'} {value or EMPTY}".strip()


def _has_picture(page: Any) -> bool:
    import pypdfium2.raw as pdfium

    for number, found in enumerate(page.get_objects(max_depth=DEPTH)):
        if found.type == pdfium.FPDF_PAGEOBJ_IMAGE or number == MAX_OBJECTS:
            return True
    return False


def _characters(text: Any) -> str:
    """The page's characters in the library's order, one UTF-16 code unit for each index."""
    import pypdfium2.raw as pdfium

    count = pdfium.FPDFText_CountChars(text)
    buffer = (ctypes.c_ushort * (count + 1))()
    if pdfium.FPDFText_GetText(text, 0, count, buffer) == count + 1:
        return "".join(map(chr, buffer[:count]))
    # Some indexes stand for no code unit or for two. Only a call for each index shows which.
    return "".join(chr(min(pdfium.FPDFText_GetUnicode(text, index), 0xFFFF)) for index in range(count))


def _pieces(words: Iterator[_Word]) -> Iterator[_Word]:
    """Join neighbouring words of a line. At a gap as wide as the line is high, a column or cell ends."""
    current: _Word | None = None
    for word in words:
        if current is not None and _is_next(current, word):
            current, word = _lifted(current, word)
            text, left, top, right, bottom = current
            current = (
                f"{text}{'' if word[0].startswith(RAISED) and word[1] - right < 1 else ' '}{word[0]}",
                min(left, word[1]),
                min(top, word[2]),
                max(right, word[3]),
                max(bottom, word[4]),
            )
            continue
        if current is not None:
            yield _rounded(current)
        current = word
    if current is not None:
        yield _rounded(current)


def _lifted(piece: _Word, word: _Word) -> tuple[_Word, _Word]:
    """Both with a mark on the one that stands raised beside the other; it gets the height of the other's line."""
    sizes = piece[4] - piece[2], word[4] - word[2]
    if sizes[1] <= SMALL * sizes[0] and piece[4] - word[4] > 0.1 * sizes[0] and _SIGN.match(word[0]):
        return piece, (f"{RAISED}{word[0]}{RAISED_END}", word[1], piece[2], word[3], piece[4])
    if sizes[0] <= SMALL * sizes[1] and word[4] - piece[4] > 0.1 * sizes[1] and _SIGN.match(piece[0]):
        return (f"{RAISED}{piece[0]}{RAISED_END}", piece[1], word[2], piece[3], word[4]), word
    return piece, word


def _is_next(piece: _Word, word: _Word) -> bool:
    height = max(1.0, min(piece[4] - piece[2], word[4] - word[2]))
    middle = (word[2] + word[4]) / 2
    gap = max(word[1] - piece[3], piece[1] - word[3])  # on the right; on the left in scripts written right to left
    return piece[2] < middle < piece[4] and -height / 2 < gap < height and not piece[0].endswith("\xad")


def _rounded(word: _Word) -> _Word:
    text, *numbers = word
    left, top, right, bottom = (round(one, 1) for one in numbers)
    return text, left, top, right, bottom


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main(*map(int, sys.argv[1:]))
