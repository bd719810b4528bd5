"""Stores, embeds and publishes documents in batches, with all cores in use."""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qa import chunks, embed
from qa.embed import Embedder
from qa.folder import File
from qa.schema import Document
from qa.store.place import Store

AT_A_TIME = 2
"""Batches: one is embedded while the one before is written. An interrupted run may have to embed both again."""
FIRST_CUTTING = "2"
"""Keys of this version of cutting do not name it: they are those of stores that were made before keys named it."""


@dataclass(frozen=True, slots=True)
class _ToWrite:
    """A chunk whose vector is to be written, the text that is embedded for it, and a chunk of the same text."""

    chunk: str
    text: str
    same: str | None = None  # of the file's earlier content


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A document that is published when its vectors are written."""

    file: File
    content: int
    key: str
    to_write: Sequence[_ToWrite]


class Batches:
    """Stores, embeds and publishes documents in batches of `flush_chunks` passages.

    While the documents of one batch are read, one thread embeds the batch before, and another writes and publishes the
    batch before that, so that all cores are used. Leaving the context waits until everything that was added is
    published. After an error it waits only until the threads have stopped; the next run does the rest.
    """

    def __init__(self, store: Store, embedder: Embedder, tell: Callable[[int], None]) -> None:
        self._store = store
        self._embedder = embedder
        self._flush_chunks = store.limits.flush_chunks
        self._tell = tell  # how many passages are embedded so far
        self._waiting: list[_Waiting] = []
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="indexing")
        self._given: list[tuple[list[_Waiting], Future[None]]] = []  # to the threads, in order
        self._embedding = Lock()
        self._stopped = False
        self.published: list[str] = []
        self.embedded = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._stopped = True
            try:
                _rest([running for _, running in self._given])
            finally:
                self._threads.shutdown()

    def add(self, file: File, document: Document) -> None:
        """Add a document; raises the error that an earlier document caused in a thread."""
        while self._given and self._given[0][1].done():
            self._wait(len(self._given) - 1)
        document = replace(document, title=embed.encodable(document.title))  # YAML can spell what UTF-8 cannot
        key = content_key(document, file.path.suffix.lower(), self._store.versions.cutting)
        under_way = itertools.chain(self._waiting, *(batch for batch, _ in self._given))
        if any(key == waiting.key for waiting in under_way):  # the same content twice in one run
            self.finish()
        state = self._store.library.content_state(key)
        if state and state[1]:
            if not self._store.library.resign(file, state[0]):  # else it was only touched
                self._publish(file, state[0])
            return
        if state:  # an earlier run was stopped while it added this content
            content, parts = state[0], self._store.library.chunks_of(state[0])
            missing = set(self._store.vectors.missing([part.id for part in parts]))
        else:
            sentences = chunks.split_sentences(document)
            parts = chunks.split_document(document.text, sentences, embed.token_ends, key=key)
            content = self._store.library.add_pending(key, document, sentences, parts)
            missing = {part.id for part in parts}
        embedded = self._store.library.embedded_texts(file.name)
        to_write = []
        for part in parts:
            if part.id in missing:
                text = embed.passage_text(document.title, document.text[part.start : part.end])
                to_write.append(_ToWrite(part.id, text, embedded.get(text)))
        self._waiting.append(_Waiting(file, content, key, to_write))
        if sum(len(waiting.to_write) for waiting in self._waiting) >= self._flush_chunks:
            self._hand_over()

    def finish(self) -> None:
        """Wait until everything that was added is published."""
        self._hand_over()
        self._wait(0)

    def _hand_over(self) -> None:
        """Pass the waiting documents to a thread, as soon as one is free."""
        self._wait(AT_A_TIME - 1)
        if self._waiting:
            before = self._given[-1][1] if self._given else None
            self._given.append((self._waiting, self._threads.submit(self._process, self._waiting, before)))
            self._waiting = []

    def _wait(self, max_given: int) -> None:
        """Wait until the threads have at most so many batches; raises the error of a batch that failed."""
        while len(self._given) > max_given:
            self._given[0][1].result()
            del self._given[0]

    def _process(self, batch: list[_Waiting], before: Future[None] | None) -> None:
        """Write the vectors of the whole batch, then publish it. After a failure of the run, start nothing more.

        Only one thread embeds at a time. Writing starts when the batch `before` is published.
        """
        all_to_write = [to_write for waiting in batch for to_write in waiting.to_write]
        for first in range(0, len(all_to_write), self._flush_chunks):
            some = all_to_write[first : first + self._flush_chunks]
            with self._turn_to_embed():
                if self._stopped:
                    return
                vectors, embedded = self._vectors_of(some)
            if before:
                before.result()
            if self._stopped:
                return
            self._store.vectors.add([to_write.chunk for to_write in some], vectors)
            self.embedded += embedded
            self._tell(self.embedded)
        if before:
            before.result()
        for waiting in batch:
            if self._stopped:
                return
            self._publish(waiting.file, waiting.content)

    def _vectors_of(self, some: Sequence[_ToWrite]) -> tuple[NDArray[np.float32], int]:
        """Their vectors, and how many were embedded: a text that the file held before keeps its vector."""
        wanted = [to_write.same for to_write in some if to_write.same]
        known = self._store.vectors.get(wanted) if wanted else {}
        fresh = [to_write.text for to_write in some if to_write.same not in known]
        embedded = iter(embed.embedded(self._embedder, fresh)) if fresh else iter(())
        rows = [known[to_write.same] if to_write.same in known else next(embedded) for to_write in some]
        return np.asarray(rows, np.float32), len(fresh)

    @contextmanager
    def _turn_to_embed(self) -> Iterator[None]:
        """Let only one thread embed at a time. An error inside stops the run before the other thread starts."""
        with self._embedding:
            try:
                yield
            except BaseException:
                self._stopped = True
                raise

    def _publish(self, file: File, content: int) -> None:
        self._store.library.publish(content, file)
        self.published.append(file.name)


def _rest(running: Sequence[Future[None]]) -> None:
    """Wait until all of them are done, even when interrupted: they write, and the store must stay locked until then.

    `Thread.join` cannot be used: before Python 3.13, after an interrupt it takes a running thread for finished.
    """
    interrupted: BaseException | None = None
    while True:
        try:
            wait(running)
            break
        except (KeyboardInterrupt, SystemExit) as error:
            interrupted = error
    if interrupted:
        raise interrupted


def content_key(document: Document, format_name: str, cutting: str = chunks.VERSION) -> str:
    """The key of a content: equal for equal text, title, date, format, blocks and version of cutting.

    Blocks are included with all fields, since headings, rows and places are stored with the content.
    """
    facts = (document.sha256, document.title, document.date or "", document.left_out or "", format_name)
    digest = hashlib.sha256("\0".join(facts).encode())
    if cutting != FIRST_CUTTING:
        digest.update(f"\0cutting {cutting}".encode())
    for block in document.blocks:  # hashed one at a time: there may be millions
        about = (block.start, block.end, block.kind, block.level, block.page, block.locator, *block.columns)
        digest.update(f"\0{about!r}".encode())
    for struck in document.struck:
        digest.update(f"\0{(struck.start, struck.end, struck.text)!r}".encode())
    return digest.hexdigest()[:32]
