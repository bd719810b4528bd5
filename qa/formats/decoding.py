"""Bytes → text. The encoding is that of a byte-order mark, else UTF-8, else the declared one, else a detected one."""

import codecs
import contextlib
import re

from charset_normalizer import from_bytes

from qa.errors import DocumentError

_MARKS = (  # longest first: the mark of UTF-32 starts with that of UTF-16, both little-endian
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_ENCODINGS = (  # the library chooses among these; when it finds a rarer one, it is more often wrong than right
    "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp866 cp874 cp932 cp949 big5 gb18030 euc_jp koi8_r koi8_u"
    " iso8859_2 iso8859_5 iso8859_7 iso8859_9 iso8859_15 latin_1 mac_roman mac_cyrillic"
).split()
NO_TEXT = {"idna", "punycode", "unicode_escape", "raw_unicode_escape"}  # for names and source code; slow on long text
_DECLARED = re.compile(
    rb"<meta\b[^>]*?[\s;\"'/]charset\s*=\s*[\"']?\s*([\w.:-]+)|\A\s*<\?xml\b[^>]*?\sencoding\s*=\s*[\"']([\w.:-]+)",
    re.IGNORECASE,
)
_DECLARED_BYTES = 1024  # the part of a page in which browsers look for the encoding
_MEANT = {  # declared encoding → the one that browsers use for it
    **dict.fromkeys(("ascii", "iso8859_1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("tis_620", "iso8859_11"), "cp874"),
    **{"iso8859_9": "cp1254", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"},
}
_STARTS = {  # first bytes of formats that are often given a wrong ending
    b"%PDF-": "a PDF (.pdf)",
    b"{\\rtf": "rich text: save it as .docx",
    b"<!doctype html": "a web page (.html)",
    b"<html": "a web page (.html)",
    b"PK\x03\x04": "a zip archive or an Office file (.docx, .pptx, .xlsx)",
}
SCARCE = 8  # with so few bytes beyond ASCII, detection is a guess
# Rare in words of western languages, but frequent when text of another encoding is read as Windows-1252.
_NOT_WESTERN = re.compile(r"[^\W\d_][¡-©«¬®-³µ¶¸¹»-¿×÷][^\W\d_]|£[^\W\d_]|[a-zß-ÿ][À-ÞŠŒŽŸ]|[ÐðÝýÞþ]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """The text of the bytes, and the name of their encoding; raises DocumentError for what is not text."""
    if data.startswith(b"%PDF-"):  # much of a PDF is ASCII, but none of it is for readers
        raise DocumentError(f"is not text{really(data)}")
    mark, encoding = next((known for known in _MARKS if data.startswith(known[0])), (b"", "utf-8"))
    if not mark and b"\0" in data:
        raise DocumentError("is binary, not text (if it is UTF-16, save it as UTF-8)")
    try:
        text = data.decode(encoding).removeprefix("\ufeff" if encoding == "utf-8" and mark else "")
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise DocumentError(f"is marked as {encoding} but is not; save it as UTF-8") from None
        text, encoding = _detect(data.removeprefix(mark), None if mark else declared)
    if "\0" in text or 50 * len(_CONTROL.findall(text)) > len(text):
        raise DocumentError("is binary, not text")
    return text, encoding


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a page declares, by Python's name; None when it declares none, or one that cannot be right."""
    match = _DECLARED.search(re.sub(rb"<!--.*?-->", b"", data[:_DECLARED_BYTES], flags=re.DOTALL))
    try:
        name = codecs.lookup((match[1] or match[2]).decode()).name.replace("-", "_") if match else "utf_8"
        readable = name not in NO_TEXT and b"<meta>".decode(name) == "<meta>"  # the declaration itself was ASCII
    except (LookupError, UnicodeError):
        return None
    return _MEANT.get(name, name) if readable and name != "utf_8" else None


def really(data: bytes) -> str:
    """What a file with the wrong ending really is, as the end of a sentence; "" when that is unknown."""
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((f" but {name}" for mark, name in _STARTS.items() if start.startswith(mark.lower())), "")


def _detect(data: bytes, declared: str | None) -> tuple[str, str]:
    """Decode text that is not valid UTF-8: as damaged UTF-8, as declared, as Windows-1252, or as a library detects."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    beyond_ascii = len(text) - len(text.encode("ascii", errors="ignore"))
    if beyond_ascii > 10 * broken:
        return text, f"utf-8 (broken characters replaced: {broken})"
    with contextlib.suppress(UnicodeDecodeError):
        if declared:
            return data.decode(declared), declared
    matches = from_bytes(data, cp_isolation=list(_ENCODINGS))
    best = matches.best()
    with contextlib.suppress(UnicodeDecodeError):
        western = data.decode("cp1252")
        high = len(data) - len(data.decode("ascii", errors="ignore"))
        tied = best is not None and any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in matches)
        if 3 * high < len(data) and (high <= SCARCE or tied) and not _NOT_WESTERN.search(western):
            return western, "cp1252"
    try:
        if best is not None:
            return data.decode(best.encoding), best.encoding
    except UnicodeDecodeError:  # the library looked only at samples of a large file
        pass
    raise DocumentError("is not text in any known encoding; save it as UTF-8")
