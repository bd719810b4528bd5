"""Uploaded files: they are kept in the store under a safe name, and only a person deletes them."""

import hashlib
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from qa.documents import read_document
from qa.errors import DocumentError
from qa.folder import File, signature
from qa.formats import READERS
from qa.store.disk import disk_error
from qa.store.layout import INCOMING, UPLOADERS, UPLOADS
from qa.store.place import Store

WAIT_S = 60.0  # for another indexing run to end
MAX_UPLOADS = 1000
NAME_BYTES = 120
HASH_CHARS = 8


def safe_name(name: str) -> str:
    """A safe file name for the name that a browser sends: letters, digits, spaces and `. _ - ( )`, never hidden.

    A name that had to be changed or shortened ends in a hash of the original, so that different names stay different.
    """
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r"[^\w.() -]+", "_", base.encode("utf-8", "ignore").decode()).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    stem, ending = (stem, dot + ending) if dot and len(ending) < 10 else (plain, "")
    digest = hashlib.sha256(base.encode("utf-8", "surrogatepass")).hexdigest()
    plain = _cut(stem, ending)
    return plain if plain == base else _cut(stem, f"-{digest[:HASH_CHARS]}{ending}")


def _cut(stem: str, ending: str) -> str:
    room = NAME_BYTES - len(ending.encode())
    return (stem.encode()[:room].decode("utf-8", "ignore").strip(" .") or "upload") + ending


class LocalUploads:
    """The uploads of one store, as files in its folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def putting(self, name: str, data: bytes, *, max_file_mb: float, owner: str | None = None) -> Iterator[str]:
        """Store the uploaded file; yields its document path, for indexing inside the context. Writer only.

        When indexing fails, the previous file is restored. The file is first read in a folder that is not indexed, and
        then moved, so that no half-written file is indexed. With an `owner`, only that owner's upload is replaced.
        """
        name = safe_name(name)
        if Path(name).suffix.lower() not in READERS:
            raise DocumentError(f"{name}: this format is not supported (supported: {' '.join(sorted(READERS))})")
        kept = self._store.uploads / name
        unique = secrets.token_hex(8)  # another chat on this store may be uploading a file of the same name
        incoming, before = (self._store.path / INCOMING / f"{unique}-{what}-{name}" for what in ("new", "old"))
        try:
            for folder in (incoming.parent, self._store.uploads):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._raise_unless_own(name, owner)
            if not kept.exists() and len(os.listdir(self._store.uploads)) >= MAX_UPLOADS:
                raise DocumentError(f"{name}: there are {MAX_UPLOADS:,} uploads already; delete some first")
            _write(incoming, data)
            read_document(File(incoming, UPLOADS + name, signature(incoming.stat())), max_file_mb=max_file_mb)
            if kept.exists():
                before.touch(mode=0o600)
                shutil.copyfile(kept, before)  # without its time stamp: any upload deletes old files in this folder
            uploaders = self._uploaders()
            self._note_uploaders({**uploaders, name: owner})  # before the file: nobody could delete one without owner
            os.replace(incoming, kept)
            try:
                yield UPLOADS + name
            except BaseException:
                os.replace(before, kept) if before.exists() else kept.unlink(missing_ok=True)
                self._note_uploaders(uploaders)
                raise
        except DocumentError as error:
            raise error if str(error).startswith(name) else DocumentError(f"{name}: {error}") from None
        except OSError as error:
            raise disk_error(error, self._store.uploads) from None
        finally:
            for left in (incoming, before):
                left.unlink(missing_ok=True)

    def remove(self, path: str, *, owner: str | None = None) -> None:
        """Delete the uploaded file of this path; raises DocumentError when there is none. Writer only."""
        name = path.removeprefix(UPLOADS)
        uploads = self._store.uploads
        if not path.startswith(UPLOADS) or name not in (os.listdir(uploads) if uploads.is_dir() else ()):
            raise DocumentError(f"{path} is not an upload; files of the folder are deleted there")
        self._raise_unless_own(name, owner)
        try:
            (self._store.uploads / name).unlink()
        except OSError as error:
            raise disk_error(error, self._store.uploads) from None
        with suppress(OSError):  # a full disk; the record of a deleted file does no harm, and `qa check` removes it
            self._note_uploaders({**self._uploaders(), name: None})

    def forget_gone(self) -> list[str]:
        """Delete the records of uploads whose file is gone; returns their names, raises StoreError. Writer only."""
        try:
            uploaders = self._uploaders()
            gone = sorted(name for name in uploaders if not (self._store.uploads / name).is_file())
            self._note_uploaders({**uploaders, **dict.fromkeys(gone)})  # writes nothing where nothing is gone
        except OSError as error:
            raise disk_error(error, self._store.path) from None
        return gone

    def _raise_unless_own(self, name: str, owner: str | None) -> None:
        """Raise DocumentError when the upload is another owner's. Without log-in (`owner` is None) nobody owns it."""
        if owner is not None and (self._store.uploads / name).exists() and self._uploaders().get(name) != owner:
            raise DocumentError(f"{name}: somebody else uploaded this; only they can replace or delete it")

    def _uploaders(self) -> dict[str, str]:
        """File name → owner, for files uploaded with log-in. When the record cannot be read, no file has an owner."""
        try:
            known = json.loads((self._store.path / UPLOADERS).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return {str(name): str(owner) for name, owner in known.items()} if isinstance(known, dict) else {}

    def _note_uploaders(self, uploaders: Mapping[str, str | None]) -> None:
        """Replace the record of owners atomically."""
        known = {name: owner for name, owner in uploaders.items() if owner}
        if known == self._uploaders():
            return
        partial = self._store.path / INCOMING / f"{secrets.token_hex(8)}-{UPLOADERS}"
        partial.parent.mkdir(mode=0o700, exist_ok=True)
        _write(partial, json.dumps(known, ensure_ascii=False).encode())
        os.replace(partial, self._store.path / UPLOADERS)


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
