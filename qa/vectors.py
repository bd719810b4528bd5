"""Chroma through LlamaIndex's `ChromaVectorStore`: chunk ids and vectors; derived, rebuildable.

Chroma is not made for several processes. A client misses what another one writes, and any call, a query too,
may rewrite the index files in place: two at a time tear them, and torn files can crash whoever opens them. So
calls take turns among all processes. `vectors.state` holds how often the vectors were written, by which a client
knows that it must open them anew, and whether a call is under way: whoever finds it so takes the turn of a
process that died amid its call, and looks at the vectors before it uses them.
"""

import errno
import itertools
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock, Timeout
from llama_index.core.vector_stores.types import VectorStoreQuery
from numpy.typing import NDArray
from pydantic import BaseModel
from pydantic_settings import BaseSettings

from qa.disk import disk_error
from qa.errors import StoreBusy, StoreDamaged, StoreError


@contextmanager
def _settings_as_given() -> Iterator[None]:
    """Settings made inside have the values that are passed and the defaults, whatever is set around this process.

    Chroma reads its settings from the environment and from an `.env` in the working directory, which may be the
    documents folder: whoever writes there could name a server that all vectors go to.
    """
    reads_around = BaseSettings.__init__
    BaseSettings.__init__ = BaseModel.__init__  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        BaseSettings.__init__ = reads_around  # type: ignore[method-assign]


with _settings_as_given():  # only here, where Chroma makes its own: whoever imports this may have settings to be read
    import chromadb
    from chromadb.config import Settings
    from llama_index.vector_stores.chroma import ChromaVectorStore

    SETTINGS = Settings(anonymized_telemetry=False)

BATCH = 1000  # ids or vectors a call
HNSW: dict[str, Any] = {"space": "cosine"}
TURN_WAIT_S = 60.0
POLL_S = 0.005  # who waits for a turn looks this often whether it is free
PROBES = 16  # how many vectors the index is asked for to see whether it is whole, …
REACH = 500  # … each among so many neighbours, which a search for fewer may not come by in a large index, …
SHARE_FOUND = 1 / 8  # … and how many of them must be found

IDLE, BUSY, TORN = "idle", "busy", "torn"

_spellings: set[int] = set()
_spellings_lock = threading.Lock()
T = TypeVar("T")


class Vectors:
    """The vectors of one store. Calls from several threads and processes take turns; each sees all earlier writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._turns = FileLock(folder.with_name("vectors.lock"), thread_local=False)
        self._state = folder.with_name("vectors.state")
        self._seen = -1  # how many writes the open client knows of
        self._spelling = 0
        self._client: Any = None
        self._store: ChromaVectorStore | None = None

    def close(self) -> None:
        """Release the client; the next call opens another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                _spellings.discard(self._spelling)
            self._client = self._store = None

    def add(self, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Write vectors [len(ids), dimensions]; ids that are there are overwritten."""
        for first in range(0, len(ids), BATCH):
            self._call(_add, ids[first : first + BATCH], vectors[first : first + BATCH], writes=True)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the vectors of these ids; ids that are not there are fine."""
        for some in _batches(ids):
            self._call(_delete, some, writes=True)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Which of these ids have no vector, in order."""
        there = {one for some in _batches(ids) for one in self._call(_ids, some)}
        return [one for one in ids if one not in there]

    def all_ids(self) -> list[str]:
        """Every id that has a vector."""
        return self._call(_ids, None)

    def count(self) -> int:
        """How many vectors there are."""
        return self._call(_count)

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of about the nearest vectors (HNSW), nearest first."""
        return self._call(_nearest, vector, limit)

    def exact(self, vector: NDArray[np.float32], ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the nearest among these ids, nearest first, by scoring each."""
        scored: list[tuple[str, float]] = []
        for some in _batches(ids):
            there, vectors = self._call(_get, some)
            if there:
                scored += zip(there, (vectors @ vector).tolist(), strict=True)
        return sorted(scored, key=lambda one: (-one[1], one[0]))[:limit]

    def are_sound(self, ids: Sequence[str] | None = None) -> bool:
        """Whether those of these ids (None: of all) that have a vector have a whole one, which the index finds."""
        try:
            return self._call(_are_sound, ids)
        except StoreDamaged:
            return False

    def destroy(self) -> None:
        """Throw all vectors away; they are rebuilt from the library."""
        with self._turn():
            self.close()
            writes, _ = self._read_state()
            self._write_state(writes + 1, TORN)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self._write_state(writes + 1, IDLE)

    @contextmanager
    def still(self) -> Iterator[bool]:
        """No call is under way inside, so that the files can be copied; False where they are not fit for it."""
        with self._turn():
            self.close()
            yield self._read_state()[1] == IDLE

    # -- taking turns --------------------------------------------------------------------------

    def _call(self, action: Callable[..., T], *args: Any, writes: bool = False) -> T:
        with self._turn():
            count, state = self._read_state()
            if state == BUSY:
                state = self._look(count)
            if state != IDLE:
                raise StoreDamaged(f"the vectors in {self.folder} are damaged; run `qa check` to rebuild them.")
            if count != self._seen:
                self.close()
            count += writes
            self._write_state(count, BUSY)  # which it stays if the call fails or this process ends in it
            result = self._attempt(action, *args)
            self._seen = count
            self._write_state(count, IDLE)
        if writes:
            time.sleep(2 * POLL_S)  # else who writes one batch after the other leaves no turn to anybody
        return result

    def _look(self, count: int) -> str:
        """The state of vectors amid a write to which a process died."""
        self._write_state(count, TORN)  # should looking end this process too, nobody looks again
        self.close()
        try:
            return IDLE if self._attempt(_are_sound, None) else TORN
        except StoreDamaged:
            return TORN
        except StoreError:  # a full disk says nothing about the vectors
            self._write_state(count, BUSY)
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        busy = f"another process does not let go of {self.folder}; end it, or wait and try again."
        with self._lock, hold(self._turns, wait_s=TURN_WAIT_S, busy=busy):
            try:
                yield
            except OSError as error:
                raise disk_error(error, self.folder.parent) from error

    def _read_state(self) -> tuple[int, str]:
        """How often the vectors were written, and how the last call left them."""
        try:
            count, state = self._state.read_text("ascii").split()
            return int(count), state
        except FileNotFoundError:
            return 0, IDLE
        except ValueError:  # a power cut may leave anything
            return time.time_ns(), BUSY

    def _write_state(self, count: int, state: str) -> None:
        # In place and always as long, so that neither a kill nor a full disk leaves half of it.
        with open(os.open(self._state, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(f"{count:020} {state}\n".encode("ascii"))

    def _attempt(self, action: Callable[..., T], *args: Any) -> T:
        try:
            return action(self._opened(), *args)
        except Exception as error:  # Chroma's Rust core raises bare and internal errors alike
            self.close()
            text = " ".join(str(error).split())
            if any(sign in text for sign in ("disk is full", "No space left", "File too large")):
                raise disk_error(OSError(errno.ENOSPC, text), self.folder.parent) from error
            if isinstance(error, OSError):
                raise
            raise StoreDamaged(
                f"the vectors in {self.folder} cannot be used ({text}); run `qa check` to rebuild them."
            ) from error

    def _opened(self) -> ChromaVectorStore:
        if self._store is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Chroma keeps one system per spelling of a path. Were it shared, closing ours would not let go of the
            # files; and one that failed to open is kept too, so its spelling stays taken.
            with _spellings_lock:
                self._spelling = next(number for number in itertools.count() if number not in _spellings)
                _spellings.add(self._spelling)
            path = str(self.folder) + "/." * self._spelling
            self._client = chromadb.PersistentClient(path, SETTINGS.model_copy())
            collection = self._client.get_or_create_collection(
                "chunks", embedding_function=None, configuration={"hnsw": HNSW}
            )
            self._store = ChromaVectorStore(chroma_collection=collection)
        return self._store


@contextmanager
def hold(lock: FileLock, *, wait_s: float, busy: str) -> Iterator[None]:
    """Hold a lock among all processes; raises StoreBusy(busy), or StoreError where there can be no lock."""
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


# What is asked of Chroma, one turn each.


def _add(store: ChromaVectorStore, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    content_keys = [{"document_id": one.rsplit("-", 2)[0]} for one in ids]
    store.client.upsert(ids=list(ids), embeddings=vectors, metadatas=content_keys)


def _delete(store: ChromaVectorStore, ids: list[str]) -> None:
    store.client.delete(ids=ids)


def _ids(store: ChromaVectorStore, ids: list[str] | None) -> list[str]:
    return list(store.client.get(ids=ids, include=[])["ids"])


def _count(store: ChromaVectorStore) -> int:
    return int(store.client.count())


def _get(store: ChromaVectorStore, ids: list[str]) -> tuple[list[str], NDArray[np.float32]]:
    found = store.client.get(ids=ids, include=["embeddings"])
    return found["ids"], np.asarray(found["embeddings"], np.float32)


def _nearest(store: ChromaVectorStore, vector: NDArray[np.float32], limit: int) -> list[tuple[str, float]]:
    result = store.query(VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=limit))
    # ChromaVectorStore's similarity is exp(-distance), and the distance 1 - cosine.
    pairs = zip(result.ids or [], result.similarities or [], strict=True)
    return [(one, 1 + math.log(similarity)) for one, similarity in pairs]


def _are_sound(store: ChromaVectorStore, ids: Sequence[str] | None) -> bool:
    """See `Vectors.are_sound`. A broken graph misses nearly all that is asked for.

    A sound one misses more the larger it is (within REACH half of a million vectors with much noise), and is not made
    anew for that.
    """
    there: list[str] = []
    for some in _batches(_ids(store, None) if ids is None else ids):
        found, vectors = _get(store, some)
        with np.errstate(all="ignore"):
            if found and not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
                return False
        there += found
    if not there:
        return True
    probes = _get(store, there[:: max(1, len(there) // PROBES)][:PROBES])[1]
    reached = store.client.query(probes, n_results=min(REACH, _count(store)), include=["distances"])["distances"] or []
    found_again = sum(1 for distances in reached if distances and distances[0] < 0.001)
    return SHARE_FOUND * len(probes) <= found_again


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), BATCH):
        yield list(ids[first : first + BATCH])
