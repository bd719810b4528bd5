"""Errors of the disk and of SQLite as one-line messages that say what to do next."""

import errno
import os
import sqlite3
from pathlib import Path

from qa.errors import StoreDamaged, StoreError
from qa.text import shorten

WHAT_CHARS = 120  # of what is wrong with a damaged file


def disk_error(error: OSError, place: Path, other: str = "another --store") -> StoreError:
    """What to tell a person whose system cannot read or write in `place`, for which `other` could be passed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(f"the disk that holds {place} is full; free some space and run again, nothing is lost.")
    reason = error.strerror or error
    return StoreError(f"{place} cannot be used ({reason}); check its permissions or pass {other}.")


def sqlite_error(error: sqlite3.Error, path: Path) -> StoreError:
    """What to tell a person when SQLite cannot do its work on the file at `path`."""
    text = str(error)
    if "disk is full" in text:
        return disk_error(OSError(errno.ENOSPC, text), path.parent)
    if "locked" in text or "busy" in text:
        return StoreError(f"{path} is in use by another program; try again when it has finished.")
    if "unable to open" in text or ("readonly" in text and not _may_write(path)):
        return disk_error(OSError(errno.EACCES, text), path)
    if "disk I/O error" in text:
        return disk_error(OSError(errno.EIO, text), path)
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return StoreError(f"{path} cannot be used ({text}); start this program again.")
    return damaged(path, text)  # whatever else SQLite finds wrong with what it once wrote itself


def damaged(path: Path, what: str) -> StoreDamaged:
    """What to tell a person whose file is not what was once written."""
    what = shorten(what.partition(" with text ")[0], WHAT_CHARS)  # SQLite may cite what it cannot decode
    return StoreDamaged(f"{path} is damaged ({what}); run `qa check` to rebuild the store.")


def _may_write(path: Path) -> bool:
    """Whether permissions let this process write there; a damaged header, too, reads as `readonly`."""
    effective = os.access in os.supports_effective_ids
    return all(os.access(place, os.W_OK, effective_ids=effective) for place in (path, path.parent))
