"""Makes the store equal to the folder: adds, replaces and drops documents, and repairs missing vectors.

The order of writes keeps promise 6. A new text is stored unpublished, its vectors are written, and then one SQLite
transaction publishes it in place of the old text. Deleted files are dropped before anything is added; their vectors
are deleted last. Whenever a run is stopped, the store is usable and the next run does the rest.
"""

import hashlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Self

from qa import chunks, embed
from qa.config import Config
from qa.documents import File, list_files, read_document
from qa.embed import PackagedEmbedding
from qa.errors import DocumentError, FolderError, UnreadableError
from qa.schema import Document, Skipped
from qa.store import UPLOADS, Store, folder_name
from qa.vectors import PROBES

log = logging.getLogger(__name__)

FLUSH_CHUNKS = 256  # embedded and written together
AT_A_TIME = (
    2  # batches: one is embedded while the one before is written; an interrupted run may have to embed both again
)
SETTLED_NS = 2_000_000_000  # a file that changed later than this ago may change again within one tick of its clock
Progress = Callable[[int, int, int, str], None]
"""Called with (number done, number to do, chunks embedded so far, what is counted: "files" or repaired "vectors").

Several threads may call it at the same time."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run changed: paths, and the number of chunks that were embedded."""

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unreadable: tuple[str, ...] = ()  # skipped files that a later run may be able to read
    embedded: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.replaced or self.dropped)


def sync(
    store: Store, embedder: PackagedEmbedding, config: Config, progress: Progress | None = None, *, wait_s: float = 0
) -> Changes:
    """Make the store equal to the folder; raises FolderError (then nothing is changed), StoreBusy or StoreError."""
    with store.writing(wait_s=wait_s):
        files, skipped = list_all(store)
        library = store.library
        before = library.signatures()
        _raise_if_unmounted(store, files, before)
        _note(store, "folder", folder_name(store.docs))  # moved since, or the store restored beside another
        gone = sorted(before.keys() - {file.name for file in files})
        library.drop(gone)
        if not store.vectors.are_sound(library.chunk_ids()[:: max(1, library.count_chunks() // PROBES)]):
            log.warning("The vectors are damaged; they are rebuilt.")
            library.set_meta("rebuilding", "1")  # until they are rebuilt, passages are found by their words only
            store.vectors.destroy()
        to_do = [file for file in files if before.get(file.name) != file.signature]
        now_ns = time.time_ns()
        done = 0
        unreadable = []

        def tell(embedded: int) -> None:
            if progress:
                progress(done, len(to_do), embedded, "files")

        with _Batch(store, embedder, tell) as batch:
            for number, file in enumerate(to_do):
                done = number
                tell(batch.embedded)
                try:
                    document = read_document(file, max_file_mb=config.max_file_mb)
                    batch.add(_settled(file, now_ns), document)
                except DocumentError as error:
                    if not store.docs.is_dir():  # the whole folder is gone
                        raise FolderError(f"{store.docs} does not exist any more; put it back and try again.") from None
                    skipped.append(Skipped(path=file.name, reason=str(error)))
                    if isinstance(error, UnreadableError):
                        unreadable.append(file.name)
                    library.drop([file.name])
        skipped = _merged([*skipped, *library.partly_read()])
        if skipped != library.skipped():
            library.set_skipped(skipped)
        doomed = library.purge()
        if doomed:
            store.vectors.delete(doomed)
            library.forget_doomed(doomed)
        if store.vectors.count() != library.count_chunks():
            log.warning("The vectors are not those of the library; they are repaired.")
            reconcile_vectors(store, embedder, progress)
        if library.meta("rebuilding"):
            library.set_meta("rebuilding", "")
        if library.meta("complete") is None:
            library.set_meta("complete", "1")
        _note(store, "device", _device(store))
        if done := len(to_do):
            tell(batch.embedded)
        return Changes(
            added=tuple(sorted(name for name in batch.published if name not in before)),
            replaced=tuple(sorted(name for name in batch.published if name in before)),
            dropped=tuple(gone),
            skipped=tuple(skipped),
            unreadable=tuple(unreadable),
            embedded=batch.embedded,
        )


def list_all(store: Store) -> tuple[list[File], list[Skipped]]:
    """The folder's files and the uploads, in order of name. An upload hides a file of the folder with its name."""
    files, skipped = list_files(store.docs)
    if not store.uploads.is_dir():
        return files, skipped
    uploaded, left_out = list_files(store.uploads)
    uploads = {UPLOADS + file.name: replace(file, name=UPLOADS + file.name) for file in uploaded}
    skipped += [Skipped(path=UPLOADS + item.path, reason=item.reason) for item in left_out]
    skipped += [
        Skipped(path=file.name, reason="the folder's file is hidden by the upload of this name")
        for file in files
        if file.name in uploads
    ]
    kept = [file for file in files if file.name not in uploads]
    return sorted([*kept, *uploads.values()], key=lambda file: file.name), skipped


def _raise_if_unmounted(store: Store, files: Sequence[File], before: Iterable[str]) -> None:
    """Raise FolderError when the folder looks like a mount point without its disk: empty, and on another device."""
    if any(not file.name.startswith(UPLOADS) for file in files) or all(name.startswith(UPLOADS) for name in before):
        return
    if store.library.meta("device") not in (None, _device(store)):
        raise FolderError(
            f"{store.docs} is empty and on another disk than when it was indexed; mount that one again, or erase the"
            " index with `qa forget`."
        )


def _note(store: Store, name: str, value: str) -> None:
    if store.library.meta(name) != value:
        store.library.set_meta(name, value)


def _device(store: Store) -> str:
    try:
        return str(store.docs.stat().st_dev)
    except OSError:  # gone just now
        return ""


def reconcile_vectors(store: Store, embedder: PackagedEmbedding, progress: Progress | None = None) -> tuple[int, int]:
    """Add missing vectors and delete superfluous ones; returns how many were (added, deleted). Writer only."""
    library, vectors = store.library, store.vectors
    wanted = library.chunk_ids()
    there = frozenset(vectors.all_ids())
    extra = sorted(there.difference(wanted))
    vectors.delete(extra)
    missing = [chunk for chunk in wanted if chunk not in there]
    for first in range(0, len(missing), FLUSH_CHUNKS):
        passages = library.passages(missing[first : first + FLUSH_CHUNKS])
        texts = [embed.passage_text(passage.title, passage.text) for passage in passages]
        vectors.add([passage.chunk for passage in passages], embedder.embed(texts))
        if progress:
            done = first + len(passages)
            progress(done, len(missing), done, "vectors")
    return len(missing), len(extra)


def _merged(skipped: Iterable[Skipped]) -> list[Skipped]:
    """One entry for each path, in order of path, with all reasons joined."""
    reasons: dict[str, list[str]] = {}
    for item in skipped:
        reasons.setdefault(item.path, []).append(item.reason)
    return [Skipped(path=path, reason="; ".join(found)) for path, found in sorted(reasons.items())]


def _settled(file: File, now_ns: int) -> File:
    """`file` with the signature to store. A file that changed just now gets one that the next run takes for changed."""
    size, mtime_ns, inode = file.signature
    return file if abs(now_ns - mtime_ns) > SETTLED_NS else File(file.path, file.name, (size, -1, inode))


_Waiting = tuple[File, int, str, list[tuple[str, str]]]
"""(file, content id, content key, [(chunk id, text)] of the passages to embed)."""


class _Batch:
    """Stores, embeds and publishes documents in batches of FLUSH_CHUNKS passages.

    While the documents of one batch are read, one thread embeds the batch before, and another writes and publishes the
    batch before that, so that all cores are used. Leaving the context waits until everything that was added is
    published. After an error it waits only until the threads have stopped; the next run does the rest.
    """

    def __init__(self, store: Store, embedder: PackagedEmbedding, tell: Callable[[int], None]) -> None:
        self._store = store
        self._embedder = embedder
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
                _rest([one for _, one in self._given])
            finally:
                self._threads.shutdown()

    def add(self, file: File, document: Document) -> None:
        """Add a document; raises the error that an earlier document caused in a thread."""
        while self._given and self._given[0][1].done():
            self._wait(len(self._given) - 1)
        document = replace(document, title=embed.encodable(document.title))  # YAML can spell what UTF-8 cannot
        key = content_key(document, file.path.suffix.lower())
        under_way = itertools.chain(self._waiting, *(batch for batch, _ in self._given))
        if any(key == one[2] for one in under_way):  # the same content twice in one run
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
        texts = [
            (part.id, embed.passage_text(document.title, document.text[part.start : part.end]))
            for part in parts
            if part.id in missing
        ]
        self._waiting.append((file, content, key, texts))
        if sum(len(texts) for *_, texts in self._waiting) >= FLUSH_CHUNKS:
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
        passages = [passage for *_, texts in batch for passage in texts]
        for first in range(0, len(passages), FLUSH_CHUNKS):
            some = passages[first : first + FLUSH_CHUNKS]
            with self._turn_to_embed():
                if self._stopped:
                    return
                vectors = self._embedder.embed([text for _, text in some])
            if before:
                before.result()
            if self._stopped:
                return
            self._store.vectors.add([chunk for chunk, _ in some], vectors)
            self.embedded += len(some)
            self._tell(self.embedded)
        if before:
            before.result()
        for file, content, _, _ in batch:
            if self._stopped:
                return
            self._publish(file, content)

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


def content_key(document: Document, format_name: str) -> str:
    """The key of a content: equal for equal text, title, date, format and blocks, whatever the file's name is.

    Blocks are included with all fields, since headings, rows and places are stored with the content.
    """
    facts = (document.sha256, document.title, document.date or "", document.left_out or "", format_name)
    digest = hashlib.sha256("\0".join(facts).encode())
    for block in document.blocks:  # hashed one at a time: there may be millions
        about = (block.start, block.end, block.kind, block.level, block.page, block.locator, *block.columns)
        digest.update(f"\0{about!r}".encode())
    for one in document.struck:
        digest.update(f"\0{(one.start, one.end, one.text)!r}".encode())
    return digest.hexdigest()[:32]
