"""Checks a .docx, .pptx or .xlsx file, which is a zip of XML files, before a library unpacks and parses it."""

import io
import zipfile
import zlib

from qa.errors import DocumentError
from qa.formats.decoding import really

MAX_UNPACKED = 500_000_000  # bytes of all parts; in normal files, pictures are the largest
MAX_PARTS = 20_000
MAX_XML = {"wordprocessingml": 60_000_000, "presentationml": 60_000_000, "spreadsheetml": 300_000_000}
NAMES = {
    "wordprocessingml": "a Word document (.docx)",
    "presentationml": "a PowerPoint presentation (.pptx)",
    "spreadsheetml": "an Excel workbook (.xlsx)",
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_EMBEDDED = (".svg", ".htm", ".html", ".xhtml")  # embedded pictures and pages; these may declare a document type
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_DECLARATIONS = tuple(
    mark.encode(code)
    for mark in ("<!DOCTYPE", "<!ENTITY")
    for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
)
_EBCDIC = b"\x4c\x6f\xa7\x94"  # "<?xm" in EBCDIC; no other text starts with these bytes
_BLANK = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"  # byte-order marks and white space, in any encoding


def check_package(data: bytes, schema: str) -> int:
    """Raise DocumentError unless this is a complete, unencrypted package of this schema that can be parsed safely.

    Returns how many bytes of XML it has. The declared sizes can be trusted: Python never unpacks more than declared.
    """
    max_xml = MAX_XML[schema]
    name = NAMES[schema]
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise DocumentError("is encrypted; save a copy without a password")
        raise DocumentError(f"is of an old Office format; save it as {name}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
            if any(part.flag_bits & 1 for part in parts):
                raise DocumentError("is encrypted; save a copy without a password")
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
                raise DocumentError(
                    f"unpacks to more than {MAX_UNPACKED // 1_000_000} MB or {MAX_PARTS:,} parts; split it"
                )
            xml = [part for part in parts if _is_xml(package, part)]
            if (size := sum(part.file_size for part in xml)) > max_xml:
                raise DocumentError(f"unpacks to more than {max_xml // 1_000_000} MB of text and marks; split it")
            _check_schema(package, name, schema)
            for part in xml:
                if not part.filename.lower().endswith(_EMBEDDED):
                    _check_part(package, part)
            return size
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, zlib.error):
        raise DocumentError(f"is broken or not {name}{really(data)}") from None


def _is_xml(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Whether the part is XML, whatever its name is: the package may declare a part of any name as the main one."""
    if part.filename.lower().endswith((".xml", ".rels", ".vml", *_EMBEDDED)):
        return True
    with package.open(part) as file:
        start = b""
        while not start and (block := file.read(1 << 16)):
            start = block.lstrip(_BLANK)
    return start.startswith((b"<", _EBCDIC))


def _check_schema(package: zipfile.ZipFile, name: str, schema: str) -> None:
    try:
        types = package.read("[Content_Types].xml")
    except KeyError:
        raise DocumentError(f"is not {name} but another zip archive") from None
    found = [other for other in NAMES if f"{other}.".encode() in types and b".main+xml" in types]
    if found and schema not in found:
        raise DocumentError(f"is not {name} but {NAMES[found[0]]}")


def _check_part(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Raise DocumentError when a part declares a document type, with which entities can be made to multiply."""
    tail = b""
    with package.open(part) as file:
        while block := file.read(1 << 20):
            if any(mark in tail + block for mark in (_EBCDIC, *_DECLARATIONS)):
                raise DocumentError("holds XML that declares entities or is EBCDIC, which no Office program writes")
            tail = block[-40:]
