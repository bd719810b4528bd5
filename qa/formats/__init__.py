"""A file's bytes → `Extract`: one reader per format, the parsing done by libraries.

Libraries are imported when the first file needs them. Whatever a library does with a broken or
hostile file, `extract` gives an extract or raises DocumentError.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace

from qa.errors import DocumentError
from qa.formats.blocks import Extract
from qa.formats.decoding import declared_encoding, decode
from qa.formats.delimited import read_csv, read_tsv
from qa.formats.docx import read_docx
from qa.formats.mail import read_eml
from qa.formats.markdown import read_markdown
from qa.formats.objects import read_json, read_jsonl
from qa.formats.pdf import read_pdf
from qa.formats.plain import read_plain
from qa.formats.pptx import read_pptx
from qa.formats.web import read_html
from qa.formats.xlsx import read_xlsx

__all__ = ["READERS", "Extract", "decode", "extract", "read_html", "read_markdown", "read_plain"]

Reader = Callable[[bytes], Extract]


def extract(data: bytes, ending: str) -> Extract:
    """What the reader of this ending (".pdf") finds in a file's bytes; raises DocumentError and nothing else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a library does not support: nothing that a person can act on
            return READERS[ending](data)
    except DocumentError:
        raise
    except (
        Exception
    ) as error:  # libraries raise whatever a broken file makes them trip over, KeyError to RecursionError
        raise DocumentError(f"is broken or not a {ending} file ({type(error).__name__}); save it again") from None


def _text(read: Callable[[str], Extract], declared: Callable[[bytes], str | None] = lambda data: None) -> Reader:
    """A reader of decoded text as one of bytes, in the encoding that they declare."""

    def read_bytes(data: bytes) -> Extract:
        text, encoding = decode(data, declared(data))
        return replace(read(text), encoding=encoding)

    return read_bytes


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
    ".docx": read_docx,
    ".pptx": read_pptx,
    ".xlsx": read_xlsx,
    ".pdf": read_pdf,
}
