"""Verifies every promise of a store and rebuilds what can be derived again."""

import json
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qa import indexing, uploads
from qa.config import Config
from qa.disk import disk_error
from qa.embed import PackagedEmbedding, passage_text
from qa.errors import StoreDamaged
from qa.indexing import Progress
from qa.store import FIRST_RUN_WAIT_S, PERSONAL, Store, raise_unless_store

SAMPLE = 64
LEFT_S = 3600.0  # whatever writes a file has long ended by then
SAME_COSINE = 0.999  # less than this apart is rounding of another processor


@dataclass(frozen=True, slots=True)
class Report:
    """What is in order, and what had to be repaired, a line each."""

    documents: int
    chunks: int
    repaired: tuple[str, ...]
    unreadable: tuple[str, ...] = ()  # what nothing can bring back: conversations, left as they are


def check_store(
    place: Path,
    docs: Path,
    config: Config,
    progress: Progress | None = None,
    *,
    embedder: PackagedEmbedding | None = None,
) -> Report:
    """Read, hash and compare everything; raises FolderError or StoreError where that or a repair is impossible."""
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
            repaired += [f"{name} was noted as uploaded, but is gone." for name in uploads.forget_gone(store)]
            store.library.distrust_signatures()
            changes = indexing.sync(store, embedder, config, progress)
        for what in ("added", "replaced", "dropped"):
            repaired += [f"{path} was {what} to match the folder." for path in getattr(changes, what)]
        unreadable = tuple(_unreadable_conversations(place / "conversations"))
        return Report(len(store.library.documents()), store.library.count_chunks(), tuple(repaired), unreadable)
    finally:
        store.close()


def _mend_modes(place: Path) -> Iterator[Path]:
    """Close what others may read: the store is private as a whole, and what people made of it each by itself."""
    made = [path for name in PERSONAL for path in (place / name, *(place / name).rglob("*"))]
    for path in (place, *made):
        if path.exists() and not path.is_symlink():
            info = path.stat()
            wanted = 0o700 if path.is_dir() else 0o600
            if stat.S_IMODE(info.st_mode) & 0o077:
                path.chmod(wanted)
                yield path


def _clear_half_written(folder: Path) -> Iterator[Path]:
    """What a chat left that was killed amid keeping an answer; not what one is just keeping."""
    for path in folder.glob("*/*.partial"):
        if path.stat().st_mtime < time.time() - LEFT_S:
            path.unlink()
            yield path


def _unreadable_conversations(folder: Path) -> Iterator[str]:
    """The conversations that are not what was written, a line each."""
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
    """Whether a sample of the vectors are those that the embedder gives for their passages."""
    ids = store.library.chunk_ids()
    passages = store.library.passages(ids[:: max(1, len(ids) // SAMPLE)])
    vectors = embedder.embed([passage_text(one.title, one.text) for one in passages])
    cosines = [store.vectors.exact(vector, [one.chunk], 1) for one, vector in zip(passages, vectors, strict=True)]
    return all(found[0][1] > SAME_COSINE for found in cosines if found)
