"""Files that a person uploaded: kept in the store under a safe name, dropped only by a person."""

import os
import re
import unicodedata
from pathlib import Path

from qa.documents import File, read_document, signature
from qa.errors import DocumentError
from qa.formats import READERS
from qa.indexing import UPLOADS, Store
from qa.library import disk_error

WAIT_S = 60.0  # for another run of indexing to end
MAX_UPLOADS = 1000
NAME_BYTES = 120


def safe_name(name: str) -> str:
    """A plain file name for whatever a browser calls its file: letters, digits and `. _ - ( )`, never hidden."""
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r"[^\w.() -]+", "_", base.encode("utf-8", "ignore").decode()).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    stem, ending = (stem, dot + ending) if dot and len(ending) < 10 else (plain, "")
    room = NAME_BYTES - len(ending.encode())
    return (stem.encode()[:room].decode("utf-8", "ignore").strip(" .") or "upload") + ending


def put(store: Store, name: str, data: bytes, *, max_file_mb: float) -> str:
    """Keep the file if it can be indexed; returns its path among the documents. Writer only.

    It is read first in a place that is not indexed, then moved: indexing never meets half a file.
    """
    name = safe_name(name)
    if Path(name).suffix.lower() not in READERS:
        raise DocumentError(f"{name}: this format is not supported (supported: {' '.join(sorted(READERS))})")
    incoming = store.path / "incoming" / name
    try:
        for folder in (incoming.parent, store.uploads):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not (store.uploads / name).exists() and len(os.listdir(store.uploads)) >= MAX_UPLOADS:
            raise DocumentError(f"{name}: there are {MAX_UPLOADS:,} uploads already; delete some first")
        with open(incoming, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        read_document(File(incoming, UPLOADS + name, signature(incoming.stat())), max_file_mb=max_file_mb)
        os.replace(incoming, store.uploads / name)
    except DocumentError as error:
        raise error if str(error).startswith(name) else DocumentError(f"{name}: {error}") from None
    except OSError as error:
        raise disk_error(error, store.uploads) from None
    finally:
        incoming.unlink(missing_ok=True)
    return UPLOADS + name


def remove(store: Store, path: str) -> None:
    """Delete the uploaded file of this path; raises DocumentError where there is none. Writer only."""
    name = path.removeprefix(UPLOADS)
    if not path.startswith(UPLOADS) or name not in (os.listdir(store.uploads) if store.uploads.is_dir() else ()):
        raise DocumentError(f"{path} is not an upload; files of the folder are deleted there")
    (store.uploads / name).unlink()
