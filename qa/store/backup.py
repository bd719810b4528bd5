"""Copies a store to a folder that is a store itself. Others can ask and index meanwhile."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from qa.errors import StoreDamaged, StoreError
from qa.store.disk import disk_error
from qa.store.layout import PERSONAL, foreign_names
from qa.store.local import Library
from qa.store.locks import hold
from qa.store.vectors import Vectors

UNFINISHED = ".partial"  # ending of a backup's name until it is complete
LOCK = "writer.lock"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds. `vectors` is False when the store's were damaged; whoever opens the backup embeds again."""

    documents: int
    vectors: bool


def back_up(place: Path, target: Path, docs: Path | None = None) -> Backup:
    """Copy the store in `place` to `target`, which must not exist or be empty; raises StoreError or StoreBusy.

    `target` must not lie in the folder that was indexed last, or in `docs`: the next run would index the conversations.
    Text and vectors are those of one moment. The copy is made under another name, and renamed when it is complete and
    verified.
    """
    if not (place / "library.sqlite").is_file():
        raise StoreError(f"there is no store at {place}; make one with `qa index`.")
    try:
        real = Path(os.path.realpath(target))  # `resolve` raises for a loop of links, before Python 3.13
        _refuse_unfit(place.resolve(), real, docs)
        partial = real.with_name(real.name + UNFINISHED)
        partial.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(partial)
        with hold(FileLock(partial / LOCK), wait_s=0, busy=f"another backup into {target} is under way."):
            os.chmod(partial, 0o700)
            _clear(partial)
            try:
                made = _copy(place, partial)
                if hasattr(os, "sync"):
                    os.sync()  # after a power cut, the final name must not stand for data that was never written
                os.rename(partial, real)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        return made
    except OSError as error:
        raise disk_error(error, target, "another folder") from error


def _refuse_unfit(place: Path, target: Path, docs: Path | None) -> None:
    if target.is_relative_to(place):
        raise StoreError(f"{target} lies inside the store; pass a folder outside of it.")
    folders = (_folder_of(place), os.path.realpath(docs) if docs else None)
    if any(folder and target.is_relative_to(folder) for folder in folders):
        raise StoreError(f"{target} lies inside the documents folder; pass a folder outside of it.")
    if os.path.ismount(target):  # the copy would be made on another disk and could not be renamed
        raise StoreError(f"{target} is where a disk is mounted; pass a folder inside it.")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there and not empty; pass a folder that is new or empty.")


def _folder_of(place: Path) -> str | None:
    library = Library(place / "library.sqlite")
    try:
        return library.meta("folder")
    finally:
        library.close()


def _refuse_foreign(partial: Path) -> None:
    if foreign := foreign_names(partial):
        raise StoreError(f"{partial} is not an unfinished backup (it holds {foreign[0]}); move it away.")


def _clear(partial: Path) -> None:
    """Delete what a stopped backup left."""
    for path in partial.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _copy(place: Path, partial: Path) -> Backup:
    library = Library(place / "library.sqlite")
    try:
        # Questions wait while the vectors must not change, so the library, which is large, is copied before. A vector
        # is deleted only after its text was dropped, or while all vectors are rebuilt. If neither has been recorded
        # since, every text that the copy publishes still has its vectors. Vectors of texts added meanwhile are too
        # many; the copy's next run deletes them. (Vectors that `qa check` is making again are too few in either order
        # of copying; the next run makes them.)
        noted = _noted(library)
        library.copy_to(partial / "library.sqlite")
        with Vectors(place / "vectors").still() as sound:
            if _noted(library) != noted:  # copied again now, while every published text keeps its vectors
                (partial / "library.sqlite").unlink()
                library.copy_to(partial / "library.sqlite")
            if sound:
                _copy_tree(place, partial, "vectors")
                _copy_tree(place, partial, "vectors.state")
    finally:
        library.close()
    for name in PERSONAL:
        _copy_tree(place, partial, name)
    copied = Library(partial / "library.sqlite")
    try:
        copied.verify()
        return Backup(documents=len(copied.documents()), vectors=sound)
    except StoreDamaged:
        raise StoreDamaged(f"the store {place} is damaged; run `qa check`, then make the backup.") from None
    finally:
        copied.close()


def _noted(library: Library) -> tuple[int, str]:
    """Values that differ after a change that can affect an answer, or while the vectors are rebuilt."""
    with library.read():
        return library.generation(), library.meta("rebuilding") or ""


def _copy_tree(place: Path, partial: Path, name: str) -> None:
    """Copy a file or a folder with times and modes. Files that disappear meanwhile or are half written are left out."""
    for folder, _, files in os.walk(place / name):
        to = partial / Path(folder).relative_to(place)
        to.mkdir(mode=0o700, exist_ok=True)
        for file in files:
            if not file.endswith(UNFINISHED):
                _unless_gone(shutil.copy2, Path(folder) / file, to / file)
    if (place / name).is_file():
        _unless_gone(shutil.copy2, place / name, partial / name)


def _unless_gone(copy: Callable[..., object], source: Path, to: Path) -> None:
    try:
        copy(source, to, follow_symlinks=False)
    except FileNotFoundError:
        to.unlink(missing_ok=True)
