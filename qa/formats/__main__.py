"""An Office file on stdin → what its reader finds, as JSON on stdout; run by `qa.formats` as a process of its own."""

import json
import sys
from dataclasses import asdict

from qa.errors import DocumentError
from qa.formats import PARSERS, guarded
from qa.formats.pdf_pages import limit


def main(ending: str, cpu_s: str, memory: str) -> None:
    """Read the file within the limits of seconds of processor time and bytes of memory."""
    data = sys.stdin.buffer.read()
    limit(int(cpu_s), int(memory) + 4 * len(data))
    try:
        found = asdict(guarded(PARSERS[ending], data, ending))
    except DocumentError as error:
        found = {"problem": str(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
