"""Verifies a store against its promises and rebuilds everything that can be derived from the documents."""

import json
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qa import indexing, uploads
from qa.config import Config
from qa.embed import PackagedEmbedding, embedded, passage_text
from qa.errors import StoreDamaged
from qa.indexing import Progress
from qa.store.disk import disk_error
from qa.store.layout import PERSONAL, raise_unless_store
from qa.store.place import FIRST_RUN_WAIT_S, Store

SAMPLE = 64  # vectors that are compared with newly embedded ones
LEFT_S = 3600.0  # a half-written file of this age is left over: its writer has ended
SAME_COSINE = 0.999  # a higher cosine is a difference of rounding between processors


@dataclass(frozen=True, slots=True)
class Report:
    """How much was checked, and one line for each repair."""

    documents: int
    chunks: int
    repaired: tuple[str, ...]
    unreadable: tuple[str, ...] = ()  # conversations that cannot be read or restored; they are left as they are


def check_store(
    place: Path,
    docs: Path,
    config: Config,
    progress: Progress | None = None,
    *,
    embedder: PackagedEmbedding | None = None,
) -> Report:
    """Read, hash and compare everything; raises FolderError or StoreError when that or a repair is impossible."""
    raise_unless_store(place, docs)
    try:
        repaired = [f"{path.name} was open to others." for path in _mend_modes(place)]
        repaired += [f"{path.name} was left half written." for path in _clear_half_written(place / "conversations")]
    except OSError as error:
        raise disk_error(error, place) from None
    store = _sound_store(place, docs, repaired)
    try:
        embedder = embedder or PackagedEmbedding(threads=config.threads)
        with store.writing(wait_s=FIRST_RUN_WAIT_S):
            if not (store.vectors.are_sound() and _are_of_their_passages(store, embedder)):
                store.vectors.destroy()
                repaired.append("the vectors were damaged; they were made anew.")
            added, deleted = indexing.reconcile_vectors(store, embedder, progress)
            repaired += [f"{added} vectors were missing."] * bool(added)
            repaired += [f"{deleted} vectors were left over."] * bool(deleted)
            repaired += [f"{name} had an uploader, but is gone." for name in uploads.LocalUploads(store).forget_gone()]
            store.library.distrust_signatures()
            changes = indexing.sync(store, embedder, config, progress)
        for what in ("added", "replaced", "dropped"):
            repaired += [f"{path} was {what} to match the folder." for path in getattr(changes, what)]
        unreadable = tuple(_unreadable_conversations(place / "conversations"))
        return Report(len(store.library.documents()), store.library.count_chunks(), tuple(repaired), unreadable)
    finally:
        store.close()


def _mend_modes(place: Path) -> Iterator[Path]:
    """Remove other users' access to the store, and to each upload and conversation in it; yields what was changed."""
    made = [path for name in PERSONAL for path in (place / name, *(place / name).rglob("*"))]
    for path in (place, *made):
        if path.exists() and not path.is_symlink():
            info = path.stat()
            wanted = 0o700 if path.is_dir() else 0o600
            if stat.S_IMODE(info.st_mode) & 0o077:
                path.chmod(wanted)
                yield path


def _clear_half_written(folder: Path) -> Iterator[Path]:
    """Delete half-written files that a killed chat left; a file that is being written now is younger and stays."""
    for path in folder.glob("*/*.partial"):
        if path.stat().st_mtime < time.time() - LEFT_S:
            path.unlink()
            yield path


def _unreadable_conversations(folder: Path) -> Iterator[str]:
    """The names of the conversations whose file is damaged."""
    for path in sorted(folder.glob("*/*.json")):
        try:
            kept = json.loads(path.read_bytes())
            sound = isinstance(kept, dict) and kept.get("id") == path.stem
        except (OSError, ValueError):
            sound = False
        if not sound:
            yield f"conversations/{path.parent.name}/{path.name}"


def _sound_store(place: Path, docs: Path, repaired: list[str]) -> Store:
    store: Store | None = None
    try:
        store = Store(place, docs)
        with store.writing(wait_s=FIRST_RUN_WAIT_S):
            store.library.verify()
        return store
    except StoreDamaged as error:
        if store:
            store.close()
        repaired.append(f"{error} It was rebuilt from the folder.")
        return Store(place, docs, afresh=True)


def _are_of_their_passages(store: Store, embedder: PackagedEmbedding) -> bool:
    """Whether a sample of the vectors equals what the embedder returns for their passages."""
    ids = store.library.chunk_ids()
    passages = store.library.passages(ids[:: max(1, len(ids) // SAMPLE)])
    vectors = embedded(embedder, [passage_text(passage.title, passage.text) for passage in passages])
    pairs = zip(passages, vectors, strict=True)
    cosines = [store.vectors.exact(vector, [passage.chunk], 1) for passage, vector in pairs]
    return all(found[0][1] > SAME_COSINE for found in cosines if found)
