"""Locks between processes, as files. The operating system releases each when its process ends, kill -9 included."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, ReadWriteLock, Timeout

from qa.errors import StoreBusy
from qa.store.disk import disk_error, sqlite_error

POLL_S = 0.005  # how often a waiting process checks whether the lock is free


@contextmanager
def hold(lock: FileLock, *, wait_s: float, busy: str) -> Iterator[None]:
    """Hold a lock between processes; raises StoreBusy(busy), or StoreError when the lock file cannot be used."""
    try:
        lock.acquire(timeout=wait_s, poll_interval=POLL_S)
    except Timeout:
        raise StoreBusy(busy) from None
    except OSError as error:
        raise disk_error(error, Path(lock.lock_file).parent) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held(file: Path, *, alone: bool, wait_s: float, busy: str) -> Iterator[None]:
    """Hold a lock among all processes, shared or `alone`, which ends with the process; raises StoreBusy(busy)."""
    try:
        lock = ReadWriteLock(file, is_singleton=False)
        try:
            lock.acquire_write(wait_s) if alone else lock.acquire_read(wait_s)
        except BaseException:
            lock.close()
            raise
    except Timeout:
        raise StoreBusy(busy) from None
    except OSError as error:
        raise disk_error(error, file.parent) from None
    except sqlite3.Error as error:
        raise sqlite_error(error, file) from None
    try:
        yield
    finally:
        lock.release()
        lock.close()
