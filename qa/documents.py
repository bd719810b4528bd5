"""Folder → files → `Document`: listing, decoding, title; `qa.formats` reads each format's structure."""

import re

from qa.dates import iso_date, stated_date
from qa.errors import DocumentError
from qa.folder import File, read_bytes
from qa.formats import VERSIONS, Extract, extract
from qa.schema import Document
from qa.text import shorten, text_sha256

VERSION = "1"  # of what is read in files of every format, such as title and date: raise it when that changes


def read_document(file: File, *, max_file_mb: float) -> Document:
    """The file's document; raises DocumentError with a reason that a person can act on."""
    data = read_bytes(file.path, max_file_mb, file.root)
    if not data.strip():
        raise DocumentError("is empty")
    found = extract(data, file.path.suffix.lower())
    if not found.text.strip():
        raise DocumentError("holds no text")
    return Document(
        path=file.name,
        text=found.text,
        sha256=text_sha256(found.text),
        title=shorten(found.title or _first_heading(found) or _first_line(found) or file.name),
        date=next(filter(None, map(iso_date, found.dates)), None) or stated_date(found.text[found.body :]),
        pages=found.pages,
        encoding=found.encoding,
        blocks=found.blocks,
        left_out=found.left_out,
        struck=found.struck,
    )


def reading_versions() -> dict[str, str]:
    """By format, the version of all that `read_document` does with a file."""
    return {ending: f"{VERSION}.{number}" for ending, number in VERSIONS.items()}


def _first_heading(extract: Extract) -> str | None:
    """The words of the first heading, without its marks (`# C#` → `C#`)."""
    for block in extract.blocks:
        if block.kind == "heading":
            line = extract.text[block.start : block.end]
            return (
                re.sub(r"^[ \t>]*#{1,6}[ \t]+|[ \t]+#+[ \t]*$|\s*[\r\n][ \t>]*[=-]+[ \t]*$", "", line).strip() or None
            )
    return None


def _first_line(extract: Extract) -> str | None:
    """The first line behind front matter that has words."""
    for block in extract.blocks:
        if block.start >= extract.body and block.kind != "rule":
            return extract.text[block.start : block.end].splitlines()[0].strip()
    return None
