"""What the tests of the store share: an embedder to reckon with, a folder that changes, and the laws of a store."""

import hashlib
import multiprocessing
import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import nupunkt
from chromadb.config import Settings

import qa.assistant  # noqa: F401  # for the fork server
from qa import embed
from qa.config import Config
from qa.indexing import Changes, sync
from qa.store.limits import Limits
from qa.store.local import Library
from qa.store.place import Store
from qa.store.versions import packaged_identity
from tests.invariants import chunk_laws
from tests.reading import file_text

OFTEN = Limits(flush_chunks=8, hnsw={"sync_threshold": 12, "batch_size": 6})
"""Small batches, and index files that Chroma writes every few vectors; by default it does so every thousand."""
WORDS = (
    "harbour bridge council treaty winter archive river engine ferry museum lantern orchard copper signal captain"
    " quarry market tunnel festival garden printer valley station violin granite library meadow compass granary"
).split()
VERBS = "opened closed rebuilt measured painted moved renamed repaired flooded sold".split()

# What a run would load first is loaded before the forks. None of it starts a thread.
embed.token_ends("Warm.")
nupunkt.sentence_spans("Warm. Warmer.")
embed.file_sha256(embed.MODEL / "model.onnx")


class TextEmbedder:
    """An embedder whose vectors tell the text: the same text the same vector, other texts nearly orthogonal ones.

    It passes for the packaged one, so that it can be used with any store.
    """

    identity = packaged_identity()

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return np.array([self.vector(text) for text in texts], np.float32).reshape(len(texts), embed.DIMENSIONS)

    def embed_question(self, question: str) -> np.ndarray:
        return self.embed([question])[0]

    @staticmethod
    def vector(text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        vector = np.random.default_rng(seed).normal(size=embed.DIMENSIONS)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class Folder:
    """A documents folder and what may happen to it, at random but by seed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.path.mkdir(parents=True, exist_ok=True)
        self._rng = random.Random(seed)
        self._made = 0
        self._thrown: list[bytes] = []

    def text(self, sentences: int | None = None) -> str:
        """Facts that no other text of this folder holds."""
        rng = self._rng
        paragraphs = []
        for _ in range(-(-(sentences or rng.randrange(4, 24)) // 4)):
            lines = []
            for _ in range(4):
                self._made += 1
                one, other, third = rng.sample(WORDS, 3)
                what = f"In {rng.randrange(1500, 2000)} the {one} number {self._made} near the {other}"
                lines.append(f"{what} was {rng.choice(VERBS)} by the {third}.")
            paragraphs.append(" ".join(lines))
        return "\n\n".join(paragraphs) + "\n"

    def names(self) -> list[str]:
        return sorted(one.name for one in self.path.iterdir())

    def write(self, name: str, text: str | bytes) -> None:
        (self.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def change(self) -> str:
        """Do one thing to one file; says what."""
        rng, names = self._rng, self.names()
        kinds = ["add", "replace", "delete", "rename", "copy", "restore", "touch", "swap"]
        kind = rng.choice(kinds) if len(names) > 4 else "add"
        some, other = rng.sample(names, 2) if len(names) > 1 else ("", "")
        fresh = f"{rng.choice(WORDS)}-{rng.randrange(10**6)}{rng.choice(['.txt', '.md'])}"
        if kind == "add" or (kind == "restore" and not self._thrown):
            self.write(fresh, self.text())
        elif kind == "replace":
            self._thrown.append((self.path / some).read_bytes())
            self.write(some, self.text())
        elif kind == "delete":
            self._thrown.append((self.path / some).read_bytes())
            (self.path / some).unlink()
        elif kind == "rename":
            (self.path / some).rename(self.path / fresh)
        elif kind == "copy":
            self.write(fresh, (self.path / some).read_bytes())
        elif kind == "restore":
            self.write(fresh, rng.choice(self._thrown))
        elif kind == "touch":
            os.utime(self.path / some)
        else:
            one, two = (self.path / some).read_bytes(), (self.path / other).read_bytes()
            self.write(some, two)
            self.write(other, one)
        return kind


def forks() -> Any:
    """Processes forked from a server that has imported everything and opened nothing."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else importing numpy starts threads before the forks
    context = multiprocessing.get_context("forkserver")
    tests = [f"tests.{name}" for name in ("stores", "test_kill", "test_vectors", "test_indexing")]
    context.set_forkserver_preload(["pytest", *tests])
    return context


_ONE_AT_A_TIME = threading.Lock()  # `start` asks after all children, and a status can be read only once


class Child:
    """A process that reports by `report.send`; `said` waits for its end and gives all that it reported."""

    def __init__(self, target: Any, *args: Any) -> None:
        context = forks()
        self.reading, writing = context.Pipe(duplex=False)
        self.process = context.Process(target=target, args=(*args, writing))
        with _ONE_AT_A_TIME:
            self.process.start()
        writing.close()

    def next(self) -> Any:
        assert self.reading.poll(60), "the process reports nothing"
        return self.reading.recv()

    def said(self) -> list[Any]:
        said = []
        with suppress(EOFError):
            while self.reading.poll(180):  # a check asks, indexes and compares, beside others
                said.append(self.reading.recv())
        self.kill()
        self.reading.close()
        return said

    def kill(self) -> None:
        """Kill -9, unless it has ended, and wait for the end."""
        with _ONE_AT_A_TIME:
            self.process.kill()
            self.process.join()


def fill(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files into the folder, which is made if need be."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def run(store: Store, embedder: Any = None, **overrides: Any) -> Changes:
    """`sync` with a TextEmbedder."""
    return sync(store, embedder or TextEmbedder(), Config(data_dir=store.path, threads=1, **overrides))


def statements(library: Library, action: Callable[[], Any]) -> list[str]:
    """The SQL that the action runs in the library in this thread, with its values; not what SQLite's indexes run."""
    said: list[str] = []
    with library.read() as db:
        db.set_trace_callback(said.append)
        try:
            action()
        finally:
            db.set_trace_callback(None)
    return [one for one in said if not one.startswith("--")]


def stored_vectors(store: Path) -> dict[str, np.ndarray]:
    """Id → vector as they stand in Chroma, read with Chroma alone. Only while nobody writes."""
    client = chromadb.PersistentClient(str(store / "vectors") + "/.//", Settings(anonymized_telemetry=False))
    try:
        collection = client.get_or_create_collection("chunks", embedding_function=None)
        found = collection.get(include=["embeddings", "documents"])
        assert not any(found["documents"]), "text in Chroma"
        return dict(zip(found["ids"], np.asarray(found["embeddings"]), strict=True))
    finally:
        client.close()


def published_is_complete(store: Store) -> None:
    """Promise 6 at any moment: what a question can see is whole, and its vectors are those of its texts."""
    store.library.verify()
    passages = store.library.passages(store.library.chunk_ids())
    assert len(passages) == store.library.count_chunks()
    vectors = stored_vectors(store.path)
    for one in passages:
        assert hashlib.sha256(store.library.text(one.content).encode()).hexdigest() == one.sha256
        assert store.library.text(one.content)[one.start : one.end] == one.text
        if one.chunk not in vectors:
            assert store.library.meta("rebuilding"), f"{one.document}:{one.start} has no vector"
            continue
        wanted = TextEmbedder.vector(embed.passage_text(one.title, one.text))
        assert np.allclose(vectors[one.chunk], wanted, atol=1e-5), f"{one.document}:{one.start} has another's vector"


def equals_folder(store: Store, folder: Path) -> None:
    """After a run: exactly the folder's documents and uploads, each its file's text, lawfully cut, no vector beside."""
    published_is_complete(store)
    documents = {one.path: one for one in store.library.documents()}
    files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    files |= {f"uploads/{one.name}": one for one in store.uploads.glob("*")}
    assert sorted(documents) == sorted(files)
    for name, file in files.items():
        text = file_text(file)
        assert documents[name].sha256 == hashlib.sha256(text.encode()).hexdigest(), f"{name} is not the file's text"
        content = store.library.passages(store.library.chunk_ids([name]))[0].content
        chunk_laws(text, store.library.chunks_of(content))
    assert sorted(stored_vectors(store.path)) == sorted(store.library.chunk_ids()), "vectors of nothing"
    with store.library.read() as db:
        unused = "SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM documents)"
        assert db.execute(unused).fetchone()[0] == 0
        assert db.execute("SELECT count(*) FROM doomed").fetchone()[0] == 0
        stored = db.execute("SELECT count(*), count(DISTINCT key) FROM contents").fetchone()
        assert stored[0] == stored[1], "a text is stored twice"
