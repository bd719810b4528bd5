"""What the programs have in common in a terminal: what may be shown there, how far indexing is, how Ctrl-C ends it."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

INTERRUPTED = 130  # the exit code that shells give

# What a terminal obeys instead of showing it, what turns the direction of what stands behind it, and what is no text.
_UNSEEN = re.compile(
    r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """`text` without the characters by which it can look like another: each is a U+FFFD. Line ends and tabs stay."""
    return _UNSEEN.sub("\ufffd", text)


def visible_name(name: object) -> str:
    """The same for what stands in one line: a line end or a tab, too, could begin what looks like something else."""
    return re.sub(r"[\t\r\n]", "\ufffd", visible(str(name)))


def visible_json(data: str) -> str:
    """The same JSON with these characters escaped: a terminal shows them, a parser reads what was there."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", data)


def end_on_interrupt() -> None:
    """Ctrl-C ends the process at once, in one line.

    A store is made for being left at any moment (kill -9 included), so there is nothing to tidy up, and nothing that
    a second Ctrl-C could break off; an exception could come out anywhere, also where Python only prints it.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        os.write(2, b"\nInterrupted; nothing is lost, the next run goes on.\n")
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, end)


def progress_line(done: int, to_do: int, passages: int, seconds: float, what: str = "files") -> str:
    """How far indexing is: "Indexing 120/400 files, 2,310 passages, 210 a second, about 25 s left"."""
    parts = [f"Indexing {done:,}/{to_do:,} {what}", f"{passages:,} passages"]
    if seconds >= 1 and passages:
        parts.append(f"{passages / seconds:,.0f} a second" if passages >= seconds else "less than one a second")
    if seconds >= 1 and 0 < done < to_do:
        parts.append(f"about {_duration(seconds * (to_do - done) / done)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def measured(
    show: Callable[[str, bool], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int, int, str], None]:
    """A `Progress` that shows lines, each with whether it is the last. What is counted next has a time of its own."""
    began = now = clock()
    counted = ""

    def progress(done: int, to_do: int, embedded: int, what: str) -> None:
        nonlocal began, now, counted
        if counted not in ("", what):
            began = now
        counted, now = what, clock()
        show(progress_line(done, to_do, embedded, now - began, what), done == to_do)

    return progress


def terminal_progress() -> Callable[[int, int, int, str], None] | None:
    """A line that is rewritten while files are indexed; None where nobody would see it."""
    if not (sys.stderr and sys.stderr.isatty()):  # None where the process was started without
        return None

    def show(line: str, last: bool) -> None:
        print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)

    return measured(show)
