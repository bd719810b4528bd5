"""A store on disk: what belongs to its folder, who may write there, and how it is made, opened and erased."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from qa import chunks, embed
from qa.errors import StoreError
from qa.store.database import VERSION as LIBRARY_VERSION
from qa.store.disk import disk_error
from qa.store.layout import (
    HELD,
    LIBRARY,
    LIBRARY_NAMES,
    UPLOADS,
    folder_name,
    foreign_names,
    make_private,
    raise_unless_store,
)
from qa.store.local import Library
from qa.store.locks import held, hold
from qa.store.vectors import Vectors

log = logging.getLogger(__name__)

FIRST_RUN_WAIT_S = 600.0
HELD_WAIT_S = 5.0  # for others that begin to serve the store at the same time, or end erasing it


class Store:
    """A store on disk: `library.sqlite`, the vectors, two locks; mode 0700. `afresh` throws away what is there."""

    def __init__(self, path: Path, docs: Path, *, afresh: bool = False) -> None:
        self.path = path
        self.docs = docs
        self.uploads = path / "uploads"
        raise_unless_store(path, docs)
        make_private(path)
        self._lock = FileLock(path / "writer.lock")
        self.vectors = Vectors(path / "vectors")
        if afresh or _known_fingerprint(path) != fingerprint():
            with self.writing(wait_s=FIRST_RUN_WAIT_S):
                self._start_over(afresh)
        self.library = Library(path / LIBRARY)

    @contextmanager
    def writing(self, *, wait_s: float = 0) -> Iterator[None]:
        """Be the one writer, in this thread and among all processes; raises StoreBusy."""
        busy = f"another process is indexing into {self.path}; wait until it has finished."
        with hold(self._lock, wait_s=wait_s, busy=busy):
            yield

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, `forget_store` refuses to erase the store. The system ends it with the process, kill -9 included."""
        busy = f"{self.path} is being erased; start again when that has ended."
        with held(self.path / HELD, alone=False, wait_s=HELD_WAIT_S, busy=busy):
            yield

    def file(self, name: str) -> Path:
        """Where the document of this path stands: an upload in the store, anything else in the folder."""
        uploaded = self.uploads / name.removeprefix(UPLOADS)
        return uploaded if name.startswith(UPLOADS) and uploaded.is_file() else self.docs.resolve() / name

    def _start_over(self, afresh: bool) -> None:
        known = None if afresh else _known_fingerprint(self.path)
        if known == fingerprint():
            return  # another process was faster
        if known:
            log.warning("The store was written by another version; it is rebuilt from the folder.")
        for name in LIBRARY_NAMES:
            (self.path / name).unlink(missing_ok=True)
        self.vectors.destroy()
        fresh = Library(self.path / LIBRARY)
        fresh.set_meta("folder", folder_name(self.docs))
        fresh.set_meta("fingerprint", fingerprint())  # last: what has one is whole
        fresh.close()

    def close(self) -> None:
        """Release all files."""
        self.vectors.close()
        self.library.close()


def fingerprint() -> str:
    """What a store's vectors and intervals depend on; stores of different fingerprints are never mixed."""
    parts = (LIBRARY_VERSION, chunks.VERSION, embed.VERSION, embed.file_sha256(embed.MODEL / "model.onnx"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What erasing a store would take away; `documents` is None where the library cannot be read."""

    documents: int | None
    uploads: int
    conversations: int
    bytes: int


def holdings(path: Path) -> Holdings | None:
    """What is in a store that could be erased now; None where there is no store.

    Raises StoreBusy where another process uses it, StoreError for a folder that is not a store.
    """
    with _erasable(path) as place:
        if place is None:
            return None
        try:
            library = Library(place / LIBRARY)
            try:
                documents = len(library.signatures())
            finally:
                library.close()
        except StoreError:  # damaged, or of another version
            documents = None
        files = [one for one in place.rglob("*") if one.is_file() and not one.is_symlink()]
        return Holdings(
            documents=documents,
            uploads=sum(1 for one in files if one.parent == place / "uploads"),
            conversations=sum(1 for one in (place / "conversations").glob("*/*.json")),
            bytes=sum(one.stat().st_size for one in files),
        )


def forget_store(path: Path) -> bool:
    """Erase a store; False where there is none. Raises StoreBusy, or StoreError for a folder that is not a store.

    The library goes last: a folder that has one is a store, also after half of this.
    """
    with _erasable(path) as place:
        if place is None:
            return False
        try:
            Vectors(place / "vectors").destroy()  # waits for who reads them
            for one in sorted(place.iterdir(), key=lambda one: one.name == LIBRARY):
                shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
            place.rmdir()
            if path.is_symlink():
                path.unlink()
        except OSError as error:
            raise disk_error(error, path) from None
    return True


@contextmanager
def _erasable(path: Path) -> Iterator[Path | None]:
    """Inside, no other process serves the store or writes to it; gives its real place, None where there is no store."""
    place = Path(os.path.realpath(path))  # `resolve` raises for a loop of links, before Python 3.13
    try:
        there = place.exists()
        foreign = foreign_names(place) if there else []
    except OSError as error:
        raise disk_error(error, path) from None
    if not there:
        yield None
        return
    if foreign or not (place / LIBRARY).exists():
        found = f" (it holds {foreign[0]})" if foreign else ""
        raise StoreError(f"{path} is not a store{found}; nothing was erased.")
    indexing = f"another process is indexing into {path}; nothing was erased."
    serving = f"a chat or `qa index --watch` uses {path}; end it first. Nothing was erased."
    writer = FileLock(place / "writer.lock")
    with held(place / HELD, alone=True, wait_s=0, busy=serving), hold(writer, wait_s=0, busy=indexing):
        yield place


def _known_fingerprint(path: Path) -> str | None:
    """The fingerprint of the library in this folder; None where there is no library, "" for a half-made one."""
    if not (path / LIBRARY).exists():
        return None
    known = Library(path / LIBRARY)
    try:
        return known.meta("fingerprint") or ""
    finally:
        known.close()
