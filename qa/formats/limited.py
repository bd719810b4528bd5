"""An Office file on stdin → what its reader finds, on stdout; run by `qa.formats` as a process of its own.

First line: {"problem"}, or the fields of the `Extract` without its blocks. Then a list of each block's fields.
"""

import json
import os
import sys
from dataclasses import astuple, fields
from typing import Any

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # NumPy, which a library imports, else takes memory for each processor

from qa.errors import DocumentError
from qa.formats import PARSERS, Extract, guarded
from qa.formats.pdf_pages import limit


def main(ending: str, cpu_s: str, memory: str) -> None:
    """Read the file within the limits of seconds of processor time and bytes of memory."""
    data = sys.stdin.buffer.read()
    limit(int(cpu_s), int(memory) + 4 * len(data))
    try:
        found = guarded(PARSERS[ending], data, ending)
    except DocumentError as error:
        return _say({"problem": str(error)})
    _say({one.name: getattr(found, one.name) for one in fields(Extract) if one.name != "blocks"})
    for block in found.blocks:
        _say(astuple(block))
    return None


def _say(what: Any) -> None:
    sys.stdout.buffer.write(json.dumps(what, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
