"""A store on disk: what belongs to its folder, who may write there, and how it is made, opened and erased."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from qa import chunks, embed
from qa.disk import disk_error
from qa.errors import FolderError, StoreError
from qa.library import VERSION as LIBRARY_VERSION
from qa.library import Library
from qa.vectors import Vectors, hold

log = logging.getLogger(__name__)

FIRST_RUN_WAIT_S = 600.0
LIBRARY = "library.sqlite"
LIBRARY_NAMES = (LIBRARY, f"{LIBRARY}-wal", f"{LIBRARY}-shm")
UPLOADS = "uploads/"  # what the path of an uploaded document begins with
INCOMING = "incoming"  # the folder of files on their way in; nothing in it is indexed
UPLOADERS = "uploaders.json"  # who uploaded what
PERSONAL = ("uploads", UPLOADERS, "conversations")  # what nothing else could bring back
VECTOR_NAMES = ("vectors", "vectors.lock", "vectors.state")
STORE_NAMES = frozenset((*LIBRARY_NAMES, *VECTOR_NAMES, *PERSONAL, "writer.lock", INCOMING))


class Store:
    """A store on disk: `library.sqlite`, the vectors, two locks; mode 0700. `afresh` throws away what is there."""

    def __init__(self, path: Path, docs: Path, *, afresh: bool = False) -> None:
        self.path = path
        self.docs = docs
        self.uploads = path / "uploads"
        raise_unless_store(path, docs)
        _make_private(path)
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


def forget_store(path: Path) -> bool:
    """Erase a store; False where there is none. Raises StoreBusy, or StoreError for a folder that is not a store.

    The library goes last: a folder that has one is a store, also after half of this.
    """
    place = Path(os.path.realpath(path))  # `resolve` raises for a loop of links, before Python 3.13
    try:
        if not place.exists():
            return False
        foreign = foreign_names(place)
        if foreign or not (place / LIBRARY).exists():
            held = f" (it holds {foreign[0]})" if foreign else ""
            raise StoreError(f"{path} is not a store{held}; nothing was erased.")
        busy = f"another process is indexing into {path}; nothing was erased."
        with hold(FileLock(place / "writer.lock"), wait_s=0, busy=busy):
            Vectors(place / "vectors").destroy()  # waits for who reads them
            for one in sorted(place.iterdir(), key=lambda one: one.name == LIBRARY):
                shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        place.rmdir()
        if path.is_symlink():
            path.unlink()
    except OSError as error:
        raise disk_error(error, path) from None
    return True


def foreign_names(path: Path) -> list[str]:
    """What is in this folder but belongs to no store."""
    return sorted(one.name for one in path.iterdir() if one.name not in STORE_NAMES)


def _known_fingerprint(path: Path) -> str | None:
    """The fingerprint of the library in this folder; None where there is no library, "" for a half-made one."""
    if not (path / LIBRARY).exists():
        return None
    known = Library(path / LIBRARY)
    try:
        return known.meta("fingerprint") or ""
    finally:
        known.close()


def raise_unless_store(path: Path, docs: Path) -> None:
    """Raises FolderError unless `docs` is a folder, StoreError unless `path` is or can become a store outside of it.

    Whose ever another folder is, neither its mode nor what is in it is ours to change.
    """
    try:
        if not docs.is_dir():
            raise FolderError(
                f"{docs} does not exist or is not a folder; pass the folder that holds your documents with --docs."
            )
    except OSError as error:
        raise FolderError(f"{docs} cannot be read ({error.strerror}); allow reading it and try again.") from None
    try:
        if str(path) != os.fsencode(path).decode("utf-8", "replace"):
            raise StoreError(f"the path {path} is not valid Unicode; pass another --store.")
        if Path(os.path.realpath(path)).is_relative_to(docs.resolve()):
            raise StoreError(f"the store {path} would lie inside the documents folder; pass a --store outside of it.")
        if path.exists() and not (path / LIBRARY).exists() and (foreign := foreign_names(path)):
            raise StoreError(f"{path} is not a store (it holds {foreign[0]}); pass another folder as --store.")
    except OSError as error:
        raise disk_error(error, path) from None


def _make_private(path: Path) -> None:
    """Create the store's folder with mode 0700."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o700)
    except OSError as error:
        raise disk_error(error, path) from None


def folder_name(docs: Path) -> str:
    """The folder as the store remembers it."""
    return os.fsencode(docs.resolve()).decode("utf-8", "replace")
