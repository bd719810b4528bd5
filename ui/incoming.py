"""Uploads that have arrived and are not indexed yet: their age and their total size are limited."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

AGE_S = 3600.0  # an upload that is not indexed within this time is deleted
UPLOADS = 2  # uploads of the largest size for which there is room at a time


class Incoming:
    """The folder in which uploads arrive; all chats on one store share it. Safe to share between threads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._expected = 0  # bytes of the requests that are being received
        self._lock = threading.Lock()

    @contextmanager
    def room(self, size: int) -> Iterator[bool]:
        """Whether there is room for so many more bytes. If so, they are reserved until the end of the block."""
        with self._lock:
            fits = self.sweep() + self._expected + size <= self.max_bytes
            self._expected += size * fits
        try:
            yield fits
        finally:
            with self._lock:
                self._expected -= size * fits

    def sweep(self, now_s: float | None = None) -> int:
        """Delete uploads older than AGE_S; returns the bytes of the others.

        Only the age decides: a younger upload may belong to another process.
        """
        oldest = (time.time() if now_s is None else now_s) - AGE_S
        stay = 0
        for path in sorted(self.folder.rglob("*"), reverse=True):  # the files of a folder come before the folder
            with suppress(OSError):  # the file was just moved away, or the folder is not empty
                info = path.lstat()
                old = info.st_mtime < oldest
                if path.is_dir() and not path.is_symlink():
                    if old:
                        path.rmdir()
                elif old:
                    path.unlink()
                else:
                    stay += info.st_size
        return stay
