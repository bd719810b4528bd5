"""A store on disk: what belongs to its folder, who may write there, and how it is made, opened and erased."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from qa.errors import StoreDamaged, StoreError
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
from qa.store.limits import LIMITS, Limits
from qa.store.local import Library
from qa.store.locks import held, hold
from qa.store.vectors import Vectors
from qa.store.versions import Versions
from qa.text import shorten

log = logging.getLogger(__name__)

FIRST_RUN_WAIT_S = 600.0
HELD_WAIT_S = 5.0  # for others that begin to serve the store at the same time, or end erasing it

KEPT = "Uploads and conversations are kept."


class Store:
    """A store on disk: `library.sqlite`, the vectors, two locks; mode 0700.

    `afresh` throws away what is there, but for uploads and conversations. `embedder` is the identity of the embedder,
    by default the packaged one's. Raises StoreError where the store was made with another embedder.
    """

    def __init__(
        self,
        path: Path,
        docs: Path,
        *,
        afresh: bool = False,
        embedder: str | None = None,
        versions: Versions | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.path = path
        self.docs = docs
        self.limits = limits
        self.uploads = path / "uploads"
        raise_unless_store(path, docs)
        make_private(path)
        self._lock = FileLock(path / "writer.lock")
        self.vectors = Vectors(path / "vectors", limits)
        versions = versions or Versions()
        self.versions = versions if embedder is None else replace(versions, embedder=embedder)
        self._prepare(afresh=afresh)
        self.library = Library(path / LIBRARY, limits)

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

    def _prepare(self, *, afresh: bool) -> None:
        """Make, upgrade or rebuild the library where that is needed."""
        try:
            if self._is_usable() and not afresh:
                return
        except StoreDamaged:
            if not afresh:
                raise
        with self.writing(wait_s=FIRST_RUN_WAIT_S):
            if afresh:
                self._start_over()
            elif not (self._is_usable() or self._upgraded()):  # another process may have been faster
                if _facts(self.path).keys() & {"tables", "fingerprint"}:
                    log.warning("Another version wrote the store; it is rebuilt from the folder. %s", KEPT)
                self._start_over()

    def _is_usable(self) -> bool:
        """Whether the library has the tables of this version; raises StoreError where it is another embedder's."""
        facts = _facts(self.path)
        known = Versions.of(facts)
        if known and self.versions.is_of_another_embedder(known):
            raise StoreError(
                f"{self.path} was made with another embedder ({shorten(known.embedder, 60)}); pass another --store,"
                " or erase this one with `qa forget`."
            )
        return known is not None and "fingerprint" not in facts and known.tables == self.versions.tables

    def _upgraded(self) -> bool:
        """Upgrade the tables of an earlier version; False where that is not possible."""
        known = Versions.of(_facts(self.path))
        if known is None:
            return False
        library = Library(self.path / LIBRARY)
        try:
            return library.upgrade(known.rows(), self.versions.tables)
        finally:
            library.close()

    def _start_over(self) -> None:
        for name in LIBRARY_NAMES:
            (self.path / name).unlink(missing_ok=True)
        self.vectors.destroy()
        fresh = Library(self.path / LIBRARY)
        fresh.set_facts({"folder": folder_name(self.docs), **self.versions.rows()})  # last: what has them is whole
        fresh.close()

    def close(self) -> None:
        """Release all files."""
        self.vectors.close()
        self.library.close()


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
        files = [file for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
        return Holdings(
            documents=documents,
            uploads=sum(1 for file in files if file.parent == place / "uploads"),
            conversations=sum(1 for _ in (place / "conversations").glob("*/*.json")),
            bytes=sum(file.stat().st_size for file in files),
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
            for entry in sorted(place.iterdir(), key=lambda entry: entry.name == LIBRARY):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
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


def _facts(path: Path) -> dict[str, str]:
    """The facts of the library in this folder; none where there is no library, or only a half-made one."""
    if not (path / LIBRARY).exists():
        return {}
    library = Library(path / LIBRARY)
    try:
        return library.facts()
    finally:
        library.close()
