"""Chunk ids and vectors in Chroma, through LlamaIndex's `ChromaVectorStore`. They can be rebuilt from the library.

Chroma does not support several processes. A client does not see what another one writes. Any call, even a query, may
rewrite the index files in place: two calls at a time damage the files, and damaged files can crash the process that
opens them. Therefore the processes take turns. The file `vectors.state` holds a count of writes, from which a client
knows that it must reopen the files, and whether a call is under way. A process that finds a call under way, although
it has the turn, knows that another process died during the call; it checks the vectors before it uses them.
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
from filelock import FileLock
from llama_index.core.vector_stores.types import VectorStoreQuery
from numpy.typing import NDArray
from pydantic import BaseModel
from pydantic_settings import BaseSettings

from qa.errors import StoreDamaged, StoreError
from qa.store.disk import disk_error
from qa.store.limits import LIMITS, Limits
from qa.store.locks import POLL_S, hold


@contextmanager
def _settings_as_given() -> Iterator[None]:
    """Inside, settings have only the values that are passed and the defaults.

    Otherwise Chroma reads its settings from the environment and from an `.env` file in the working directory. That may
    be the documents folder, where somebody could write the name of a server to which all vectors would be sent.
    """
    reads_around = BaseSettings.__init__
    BaseSettings.__init__ = BaseModel.__init__  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        BaseSettings.__init__ = reads_around  # type: ignore[method-assign]


with _settings_as_given():  # only around these imports: the importing program may have settings of its own
    import chromadb
    from chromadb.config import Settings
    from llama_index.vector_stores.chroma import ChromaVectorStore

    SETTINGS = Settings(anonymized_telemetry=False)

PROBES = 16  # vectors that are searched for to test the index, …
REACH = 500  # … each among so many neighbours (in a large index a search for fewer may miss it); …
SHARE_FOUND = 1 / 8  # … at least this share of them must be found

IDLE, BUSY, TORN = "idle", "busy", "torn"

_spellings: set[int] = set()
_spellings_lock = threading.Lock()
T = TypeVar("T")


class Vectors:
    """The vectors of one store. Calls from several threads and processes take turns; each sees all earlier writes."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.folder = folder
        self._limits = limits
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
        """Write vectors [len(ids), dimensions]; existing vectors of these ids are replaced."""
        size = self._limits.vector_batch
        for first in range(0, len(ids), size):
            self._call(_add, ids[first : first + size], vectors[first : first + size], writes=True)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the vectors of these ids; unknown ids are ignored."""
        for some in _batches(ids, self._limits.vector_batch):
            self._call(_delete, some, writes=True)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """The ids that have no vector, in order."""
        there = {known for some in _batches(ids, self._limits.vector_batch) for known in self._call(_ids, some)}
        return [chunk for chunk in ids if chunk not in there]

    def all_ids(self) -> list[str]:
        """Every id that has a vector."""
        return self._call(_ids, None)

    def count(self) -> int:
        """How many vectors there are."""
        return self._call(_count)

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of approximately the nearest vectors (HNSW), nearest first."""
        return self._call(_nearest, vector, limit)

    def exact(self, vector: NDArray[np.float32], ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the nearest among these ids, nearest first; every one of them is scored."""
        scored: list[tuple[str, float]] = []
        for some in _batches(ids, self._limits.vector_batch):
            there, vectors = self._call(_get, some)
            if there:
                scored += zip(there, (vectors @ vector).tolist(), strict=True)
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def get(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Id → vector, of those that are there."""
        found: dict[str, NDArray[np.float32]] = {}
        for some in _batches(ids, self._limits.vector_batch):
            found.update(zip(*self._call(_get, some), strict=True))
        return found

    def are_sound(self, ids: Sequence[str] | None = None) -> bool:
        """Whether the vectors of these ids (None: all) are undamaged and can be found through the index."""
        try:
            return self._call(_are_sound, ids, self._limits.vector_batch)
        except StoreDamaged:
            return False

    def destroy(self) -> None:
        """Delete all vectors, so that they are rebuilt from the library."""
        with self._turn():
            self.close()
            writes, _ = self._read_state()
            self._write_state(writes + 1, TORN)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self._write_state(writes + 1, IDLE)

    @contextmanager
    def still(self) -> Iterator[bool]:
        """Inside, no call runs, so that the files can be copied. Yields False when the files may be damaged."""
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
            self._write_state(count, BUSY)  # it stays so if the call fails or the process dies
            result = self._attempt(action, *args)
            self._seen = count
            self._write_state(count, IDLE)
        if writes:
            time.sleep(2 * POLL_S)  # otherwise a process that writes many batches would leave no turn to others
        return result

    def _look(self, count: int) -> str:
        """Check the vectors after a process died during a call; returns their state."""
        self._write_state(count, TORN)  # if the check crashes this process too, it is not repeated
        self.close()
        try:
            return IDLE if self._attempt(_are_sound, None, self._limits.vector_batch) else TORN
        except StoreDamaged:
            return TORN
        except StoreError:  # a full disk says nothing about the vectors
            self._write_state(count, BUSY)
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        busy = f"another process does not let go of {self.folder}; end it, or wait and try again."
        with self._lock, hold(self._turns, wait_s=self._limits.turn_wait_s, busy=busy):
            try:
                yield
            except OSError as error:
                raise disk_error(error, self.folder.parent) from error

    def _read_state(self) -> tuple[int, str]:
        """(how often the vectors were written, the state in which the last call left them)."""
        try:
            count, state = self._state.read_text("ascii").split()
            return int(count), state
        except FileNotFoundError:
            return 0, IDLE
        except ValueError:  # a power cut can leave any content
            return time.time_ns(), BUSY

    def _write_state(self, count: int, state: str) -> None:
        # Written in place and with a fixed length, so that neither a kill nor a full disk leaves half of it.
        with open(os.open(self._state, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(f"{count:020} {state}\n".encode("ascii"))

    def _attempt(self, action: Callable[..., T], *args: Any) -> T:
        try:
            return action(self._opened(), *args)
        except Exception as error:  # Chroma's Rust core raises errors of any type
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
            # Chroma shares one client system for each spelling of a path. Closing a shared one would not release the
            # files, so each `Vectors` uses its own spelling. A system that failed to open keeps its spelling too.
            with _spellings_lock:
                self._spelling = next(number for number in itertools.count() if number not in _spellings)
                _spellings.add(self._spelling)
            path = str(self.folder) + "/." * self._spelling
            self._client = chromadb.PersistentClient(path, SETTINGS.model_copy())
            collection = self._client.get_or_create_collection(
                "chunks", embedding_function=None, configuration={"hnsw": {"space": "cosine", **self._limits.hnsw}}
            )
            self._store = ChromaVectorStore(chroma_collection=collection)
        return self._store


# The calls of Chroma; each takes one turn.


def _add(store: ChromaVectorStore, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    content_keys = [{"document_id": chunk.rsplit("-", 2)[0]} for chunk in ids]
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
    return [(chunk, 1 + math.log(similarity)) for chunk, similarity in pairs]


def _are_sound(store: ChromaVectorStore, ids: Sequence[str] | None, size: int) -> bool:
    """See `Vectors.are_sound`. A search in a damaged index misses nearly all vectors.

    A search in an undamaged one misses more the larger it is (within REACH, half of a million noisy vectors); that is
    no reason to rebuild it.
    """
    there: list[str] = []
    for some in _batches(_ids(store, None) if ids is None else ids, size):
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


def _batches(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(ids), size):
        yield list(ids[first : first + size])
