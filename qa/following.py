"""Notices that the folder has changed while a program runs: for `qa index --watch` and for the chat.

It lists the folder now and then instead of asking the system to tell: that works on every file system, network ones
included, and outlives a folder that is unmounted, moved away and put back.
"""

import math
import threading
import time
from collections.abc import Callable

from qa.documents import File
from qa.errors import QAError, StoreBusy
from qa.indexing import SETTLED_NS, Changes, list_all
from qa.schema import Skipped
from qa.store import Store

LOOK_S = 2.0  # between two looks …
SHARE = 20  # … or so many times as long as a look takes, in a large folder
AGAIN_S = 60.0  # until a file that could not be read is tried again: no listing shows that it can be …
SETTLE_S = 0.2  # until a folder that changes just now is looked at once more
LOOKS = 25  # then it is indexed as it is

Listing = tuple[list[File], list[Skipped]]


def follow(
    store: Store,
    refresh: Callable[[], Changes],
    *,
    stop: threading.Event,
    refreshed: Callable[[Changes], None],
    failed: Callable[[str], None],
) -> None:
    """Refresh at once and whenever the folder or the uploads have changed, until `stop` is set.

    `refreshed` is called after the first time and whenever something has changed. What fails is tried again; `failed`
    is told the line of each new error, except that another process indexes: it does the same work.
    """
    seen: Listing | None = None
    told = ""
    first = True
    again_at = math.inf
    while not stop.is_set():
        began = time.monotonic()
        pause_s = LOOK_S
        try:
            now = list_all(store)
            pause_s = max(LOOK_S, SHARE * (time.monotonic() - began))
            if now != seen or time.monotonic() >= again_at:
                now = _at_rest(store, now, stop)
                refreshing = time.monotonic()
                changes = refresh()
                ended = time.monotonic()
                # … and so many times as long as that takes by itself: all that was left out is looked at again.
                again_s = max(AGAIN_S, 0 if changes else SHARE * (ended - refreshing))
                again_at = ended + again_s if changes.unreadable else math.inf
                seen = now if _is_settled(now) else None
                if changes or first:
                    refreshed(changes)
                first = False
            told = ""
        except StoreBusy:
            seen = None
        except BrokenPipeError:  # nobody reads any more what is told
            raise
        except Exception as error:  # a defect, too, is told: where this ends in a thread, nobody would notice
            seen = None
            line = str(error) if isinstance(error, QAError) else f"{type(error).__name__}: {error}"
            if line != told:
                told = line
                failed(told)
        stop.wait(pause_s)


def _at_rest(store: Store, listing: Listing, stop: threading.Event) -> Listing:
    """The listing once it no longer changes: who replaces a file may delete it first, and write it in parts."""
    for _ in range(LOOKS):
        stop.wait(SETTLE_S)
        before, listing = listing, list_all(store)
        if before == listing:
            break
    return listing


def _is_settled(listing: Listing) -> bool:
    """Whether every change from now on would show: not where a file may change again within one tick of its clock."""
    now_ns = time.time_ns()
    return all(abs(now_ns - file.signature[1]) > SETTLED_NS for file in listing[0])
