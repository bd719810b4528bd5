"""A file's bytes → `Extract`: one reader per format, the parsing done by libraries.

A library is imported when the first file of its format is read. Whatever a library raises for a broken or hostile
file, `extract` returns an `Extract` or raises DocumentError.
"""

import io
import itertools
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from qa.errors import DocumentError
from qa.formats.apart import USUAL, Apart, run_apart
from qa.formats.blocks import Extract
from qa.formats.decoding import declared_encoding, decode
from qa.formats.delimited import read_csv, read_tsv
from qa.formats.docx import read_docx
from qa.formats.mail import read_eml
from qa.formats.markdown import read_markdown
from qa.formats.objects import read_json, read_jsonl
from qa.formats.office import check_package
from qa.formats.pdf import read_pdf
from qa.formats.plain import read_plain
from qa.formats.pptx import read_pptx
from qa.formats.web import read_html
from qa.formats.xlsx import read_xlsx
from qa.schema import Block, Struck

__all__ = ["READERS", "Extract", "decode", "extract", "read_html", "read_markdown", "read_plain"]

LARGE_XML = 4_000_000  # bytes of XML in an Office file; reading them takes about as long as starting a process
_LIMITED = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from qa.formats.limited import main; main(*sys.argv[2:])"
)

Reader = Callable[[bytes], Extract]


def extract(data: bytes, ending: str) -> Extract:
    """Read a file's bytes with the reader for its ending (".pdf"); raises DocumentError and nothing else."""
    return guarded(READERS[ending], data, ending)


def guarded(read: Reader, data: bytes, ending: str) -> Extract:
    """Read the bytes with this reader; every error that it raises becomes a DocumentError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn of what they do not support; no person can act on that
            return read(data)
    except DocumentError:
        raise
    except Exception as error:  # a broken file can make a library raise anything, from KeyError to RecursionError
        too_large, kind = _is_out_of_memory(error), type(error).__name__
    # Raised outside of the `except` block: only there is the memory free again that the reader held.
    if too_large:
        raise DocumentError("takes too much memory to read; split it or save it again")
    raise DocumentError(f"is broken or not a {ending} file ({kind}); save it again")


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out. XML parsers report that as a syntax error: lxml with code 2, Python's own with code 1."""
    code = 1 if isinstance(error, ParseError) else 2 if type(error).__module__.startswith("lxml") else None
    return isinstance(error, MemoryError) or (code is not None and getattr(error, "code", None) == code)


SCHEMAS = {".docx": "wordprocessingml", ".pptx": "presentationml", ".xlsx": "spreadsheetml"}


def package_reader(ending: str, *, large_xml: int = LARGE_XML, apart: Apart = USUAL) -> Reader:
    """A reader of Office files that has large ones read apart: of each byte of XML a library may make hundreds."""

    def read_bytes(data: bytes) -> Extract:
        large = check_package(data, SCHEMAS[ending]) > large_xml
        return _read_apart(ending, data, apart) if large else PARSERS[ending](data)

    return read_bytes


def _read_apart(ending: str, data: bytes, apart: Apart) -> Extract:
    here = [*filter(None, sys.path), str(Path(__file__).parents[2])]  # where this process finds what it imports
    said = io.BytesIO(run_apart(["-c", _LIMITED, json.dumps(here), ending], data, apart))
    found, *_ = _said(said, 1)
    if "problem" in found:
        raise DocumentError(found["problem"])
    blocks = tuple(Block(**one | {"columns": tuple(one["columns"])}) for one in _said(said))
    struck = tuple(Struck(**one) for one in found["struck"])
    return Extract(**found | {"blocks": blocks, "dates": tuple(found["dates"]), "struck": struck})


def _said(lines: io.BytesIO, most: int | None = None) -> Iterator[Any]:
    return (json.loads(line.decode("utf-8", "surrogatepass")) for line in itertools.islice(lines, most))


def _text(read: Callable[[str], Extract], declared: Callable[[bytes], str | None] = lambda data: None) -> Reader:
    """A reader of bytes from a reader of text; `declared` finds the encoding that the bytes name."""

    def read_bytes(data: bytes) -> Extract:
        text, encoding = decode(data, declared(data))
        return replace(read(text), encoding=encoding)

    return read_bytes


PARSERS: dict[str, Reader] = {".docx": read_docx, ".pptx": read_pptx, ".xlsx": read_xlsx}  # packages already checked
READERS: dict[str, Reader] = {
    ".txt": _text(read_plain),
    ".md": _text(read_markdown),
    ".markdown": _text(read_markdown),
    ".html": _text(read_html, declared_encoding),
    ".htm": _text(read_html, declared_encoding),
    ".csv": _text(read_csv),
    ".tsv": _text(read_tsv),
    ".json": _text(read_json),
    ".jsonl": _text(read_jsonl),
    ".eml": read_eml,
    **{ending: package_reader(ending) for ending in PARSERS},
    ".pdf": read_pdf,
}
VERSIONS: dict[str, int] = dict.fromkeys(READERS, 2)
"""By format: raise a format's number when its files are read differently, so that stores read them again."""
