"""Reads a file in a separate process with limits of time and memory: when it exceeds one, only that process ends."""

import logging
import signal
import subprocess
import sys
from collections.abc import Sequence

from qa.errors import DocumentError, UnreadableError

log = logging.getLogger(__name__)

CPU_S = 600
CLOCK_S = 3600.0  # where a machine is busy, or knows no limits of a process
MEMORY = 2_000_000_000  # bytes, beside the file itself


def run_apart(arguments: Sequence[str], data: bytes) -> bytes:
    """What `python ARGUMENTS CPU_S MEMORY` says to the file's bytes; raises DocumentError unless it ends well."""
    command = [sys.executable, "-P", *arguments, str(CPU_S), str(MEMORY)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=CLOCK_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise DocumentError("takes too long to read; split it or save it again") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: no process could be started for it ({error.strerror})") from None
    if done.returncode in (-signal.SIGINT, -signal.SIGTERM):
        raise UnreadableError("was not read to its end; index again")
    if done.returncode or not done.stdout:
        log.info("The reading process ended with %s: %s", done.returncode, done.stderr.decode(errors="replace")[-1000:])
        raise DocumentError(
            "cannot be read: it takes too long, too much memory, or is broken; split it or save it again"
        )
    return done.stdout
