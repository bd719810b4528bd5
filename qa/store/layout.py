"""The names of the files in a store's folder, and which folder can be a store."""

import os
from pathlib import Path

from qa.errors import FolderError, StoreError
from qa.store.disk import disk_error

LIBRARY = "library.sqlite"
LIBRARY_NAMES = (LIBRARY, f"{LIBRARY}-wal", f"{LIBRARY}-shm")
UPLOADS = "uploads/"  # what the path of an uploaded document begins with
INCOMING = "incoming"  # the folder of files on their way in; nothing in it is indexed
UPLOADERS = "uploaders.json"  # who uploaded what
PERSONAL = ("uploads", UPLOADERS, "conversations")  # what nothing else could bring back
VECTOR_NAMES = ("vectors", "vectors.lock", "vectors.state")
HELD = "held.lock"  # shared by the processes that serve the store, taken alone by whoever erases it
HELD_NAMES = (HELD, f"{HELD}-journal")
STORE_NAMES = frozenset((*LIBRARY_NAMES, *VECTOR_NAMES, *PERSONAL, "writer.lock", *HELD_NAMES, INCOMING))


def foreign_names(path: Path) -> list[str]:
    """What is in this folder but belongs to no store."""
    return sorted(entry.name for entry in path.iterdir() if entry.name not in STORE_NAMES)


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


def make_private(path: Path) -> None:
    """Create the store's folder with mode 0700."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o700)
    except OSError as error:
        raise disk_error(error, path) from None


def folder_name(docs: Path) -> str:
    """The folder as the store remembers it."""
    return os.fsencode(docs.resolve()).decode("utf-8", "replace")
