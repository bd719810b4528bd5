"""Detects changes of the folder while a program runs, for `qa index --watch` and the chat.

It polls: it lists the folder again and again. Unlike notifications of the system, that works on every file system,
network file systems included, and continues after the folder was unmounted or moved away and is back.
"""

import math
import threading
import time
from collections.abc import Callable

from qa.errors import QAError, StoreBusy
from qa.folder import File
from qa.indexing import SETTLED_NS, Changes, list_all
from qa.schema import Skipped
from qa.store.place import Store

LOOK_S = 2.0  # between two listings, …
SHARE = 20  # … or so many times as long as a listing takes, in a large folder
AGAIN_S = 60.0  # until an unreadable file is tried again: a listing does not show that it has become readable
SETTLE_S = 0.2  # between the listings that show whether a changing folder has come to rest, …
LOOKS = 25  # … of which there are at most so many; then the folder is indexed as it is

Listing = tuple[list[File], list[Skipped]]


def follow(
    store: Store,
    refresh: Callable[[], Changes],
    *,
    stop: threading.Event,
    refreshed: Callable[[Changes], None],
    failed: Callable[[str], None],
) -> None:
    """Refresh now and whenever the folder or the uploads have changed, until `stop` is set.

    `refreshed` is called after the first refresh and after each one that changed something. After an error it is tried
    again, and `failed` gets the line of each new error. It is no error that another process indexes: it does the same.
    """
    seen: Listing | None = None  # the folder as it was last indexed
    told = ""  # the last error that was reported
    first = True
    again_at = math.inf  # when to refresh because of unreadable files
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
                # Such a refresh reads all left-out files again; SHARE limits the share of time that it may take.
                again_s = max(AGAIN_S, 0 if changes else SHARE * (ended - refreshing))
                again_at = ended + again_s if changes.unreadable else math.inf
                seen = now if _is_settled(now) else None
                if changes or first:
                    refreshed(changes)
                first = False
            told = ""
        except StoreBusy:
            seen = None
        except BrokenPipeError:  # nobody reads the output any more
            raise
        except Exception as error:  # also a defect: in a thread, nobody would notice that this function has ended
            seen = None
            line = str(error) if isinstance(error, QAError) else f"{type(error).__name__}: {error}"
            if line != told:
                told = line
                failed(told)
        stop.wait(pause_s)


def _at_rest(store: Store, listing: Listing, stop: threading.Event) -> Listing:
    """The listing when it no longer changes: a program may delete a file before replacing it, or write it in parts."""
    for _ in range(LOOKS):
        stop.wait(SETTLE_S)
        before, listing = listing, list_all(store)
        if before == listing:
            break
    return listing


def _is_settled(listing: Listing) -> bool:
    """Whether every later change will show in a listing.

    A file that has just changed can change again within one tick of the file system's clock, which a listing misses.
    """
    now_ns = time.time_ns()
    return all(abs(now_ns - file.signature[1]) > SETTLED_NS for file in listing[0])
