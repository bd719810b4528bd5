"""What browsers have sent and no event has taken up yet: bounded in age and in size."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

AGE_S = 3600.0  # an upload that nothing has taken up by then never will be
UPLOADS = 2  # of the largest size have room at a time


class Incoming:
    """The folder that uploads arrive in, which several chats on one store share. Safe to share between threads."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._expected = 0  # bytes of the requests under way
        self._lock = threading.Lock()

    @contextmanager
    def room(self, size: int) -> Iterator[bool]:
        """Whether as many bytes have room beside what is there and under way; they are counted in until the end."""
        with self._lock:
            fits = self.sweep() + self._expected + size <= self.most_bytes
            self._expected += size * fits
        try:
            yield fits
        finally:
            with self._lock:
                self._expected -= size * fits

    def sweep(self, now_s: float | None = None) -> int:
        """Delete what is old, by its age alone, for what is young may be another process's; the bytes that stay."""
        oldest = (time.time() if now_s is None else now_s) - AGE_S
        stay = 0
        for path in sorted(self.folder.rglob("*"), reverse=True):  # what is in a folder before the folder
            with suppress(OSError):  # taken up just now, or a folder that is not empty
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
