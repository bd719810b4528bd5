"""Reads a file in a separate process with limits of time and memory: when it exceeds one, only that process ends."""

import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from qa.errors import DocumentError, UnreadableError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Apart:
    """How a process of its own is started, and its limits."""

    cpu_s: int = 600
    clock_s: float = 3600.0  # where a machine is busy, or knows no limits of a process
    memory_bytes: int = 2_000_000_000  # beside the file itself
    python: str = sys.executable


USUAL = Apart()


def run_apart(arguments: Sequence[str], data: bytes, apart: Apart = USUAL) -> bytes:
    """What `python ARGUMENTS CPU_S MEMORY` says to the file's bytes; raises DocumentError unless it ends well."""
    command = [apart.python, "-P", *arguments, str(apart.cpu_s), str(apart.memory_bytes)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=apart.clock_s, check=False)  # noqa: S603
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
