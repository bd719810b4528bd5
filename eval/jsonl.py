"""Reads files of JSON lines: one JSON object on each line, in UTF-8, gzipped when the name ends in `.gz`."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qa.errors import QAError


def read_lines(path: Path, *, skip_broken: bool = False) -> Iterator[dict[str, Any]]:
    """The file's objects in order; raises QAError when the file cannot be read or a line is not JSON.

    `skip_broken` leaves out lines that are not JSON: an interrupted run cuts off the line that it was writing.
    """
    for number, line in numbered_lines(path):
        try:
            yield json.loads(line)
        except ValueError:
            if not skip_broken:
                raise QAError(f"{path}, line {number}, is not JSON in UTF-8; check the file.") from None


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number counted from 1; raises QAError when the file cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        told = getattr(error, "strerror", None) or error
        raise QAError(f"{path} cannot be read ({told}); check that it is the right file or folder.") from None
