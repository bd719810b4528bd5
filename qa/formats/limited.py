"""Reads an Office file in a separate process, which `qa.formats` starts: the file on stdin, the result on stdout.

The first line is {"problem": …}, or the fields of the `Extract` without its blocks. Each further line holds the fields
of one block.
"""

import json
import os
import sys
from dataclasses import asdict, fields
from typing import Any

# A library imports NumPy, which would reserve memory for each processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from qa.errors import DocumentError
from qa.formats import PARSERS, Extract, guarded
from qa.formats.pdf_pages import limit


def main(ending: str, cpu_s: str, memory: str) -> None:
    """Read the file on stdin, with at most `cpu_s` seconds of processor time and `memory` bytes beside the file."""
    data = sys.stdin.buffer.read()
    limit(int(cpu_s), int(memory) + 4 * len(data))
    try:
        found = guarded(PARSERS[ending], data, ending)
    except DocumentError as error:
        return _say({"problem": str(error)})
    about = {field.name: getattr(found, field.name) for field in fields(Extract) if field.name != "blocks"}
    _say(about | {"struck": [asdict(one) for one in found.struck]})
    for block in found.blocks:
        _say(asdict(block))
    return None


def _say(what: Any) -> None:
    sys.stdout.buffer.write(json.dumps(what, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
