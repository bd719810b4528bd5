"""Reads a PDF in a separate process, which `qa.formats.pdf` starts: the file on stdin, a line of JSON a page on stdout.

A hostile PDF can make any PDF library crash, or use hours and all memory. Here that ends only this process. It imports
nothing of the package, so that it starts in a fraction of a second.

The first line is {"pages": …, "title": …} or {"problem": …}. Then each page is the list of its pieces of lines, in the
order of the file: [text, left, top, right, bottom], in points from the top left corner of the page as it is shown. A
page with a picture and no text is null.
"""

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
    chars = count = 0
    for number in range(pages):
        page = pdf[number]
        pieces = list(itertools.islice(_pieces(page_words(page)), max_pieces - count + 1))
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

    for match in _WORD.finditer(_characters(text)):
        first, last = match.start(), match.end("letters") - 1
        one = corners(first)
        other = one if first == last else corners(last)
        letters = match["letters"].encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
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
            text, left, top, right, bottom = current
            current = (
                f"{text} {word[0]}",
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
