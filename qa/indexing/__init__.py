"""Makes the store equal to the folder: adds, replaces and drops documents, and repairs missing vectors.

The order of writes keeps promise 6. A new text is stored unpublished, its vectors are written, and then one SQLite
transaction publishes it in place of the old text. Deleted files are dropped before anything is added; their vectors
are deleted last. Whenever a run is stopped, the store is usable and the next run does the rest.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from qa import embed
from qa.config import Config
from qa.documents import read_document
from qa.embed import Embedder
from qa.errors import DocumentError, FolderError, UnreadableError
from qa.folder import File, list_files
from qa.indexing.batches import Batches
from qa.schema import Skipped
from qa.store.layout import UPLOADS, folder_name
from qa.store.place import Store
from qa.store.vectors import PROBES
from qa.store.versions import Versions

log = logging.getLogger(__name__)

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
    store: Store,
    embedder: Embedder,
    config: Config,
    progress: Progress | None = None,
    *,
    wait_s: float = 0,
) -> Changes:
    """Make the store equal to the folder; raises FolderError (then nothing is changed), StoreBusy or StoreError."""
    with store.writing(wait_s=wait_s):
        files, skipped = list_all(store)
        library = store.library
        _adopt_versions(store)
        before = library.signatures()
        _raise_if_unmounted(store, files, before)
        _note(store, "folder", folder_name(store.docs))  # moved since, or the store restored beside another
        gone = sorted(before.keys() - {file.name for file in files})
        library.drop(gone)
        if not store.vectors.are_sound(library.chunk_ids()[:: max(1, library.count_chunks() // PROBES)]):
            log.warning("The vectors are damaged; they are rebuilt.")
            library.set_meta("rebuilding", "1")  # until they are rebuilt, passages are found by their words only
            store.vectors.destroy()
        again = library.to_read_again()
        to_do = [file for file in files if before.get(file.name) != file.signature or file.name in again]
        now_ns = time.time_ns()
        done = 0
        unreadable = []

        def tell(embedded: int) -> None:
            if progress:
                progress(done, len(to_do), embedded, "files")

        with Batches(store, embedder, tell) as batch:
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
            if not library.meta("rebuilding"):
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


def _adopt_versions(store: Store) -> None:
    """Mark what must be done again because an earlier version did it otherwise, and record this version's."""
    library, now = store.library, store.versions
    then = Versions.of(library.facts()) or now
    formats = now.formats_read_otherwise(then)
    if formats or now.cutting != then.cutting:
        rows = {name: value for name, value in now.rows().items() if name in ("reading", "cutting")}
        if count := library.adopt(rows, reread=formats if now.cutting == then.cutting else None):
            log.warning("This version may read or cut %s files differently; they are read again.", f"{count:,}")
    if now.embeds_otherwise(then):
        if library.count_chunks():
            log.warning("This version embeds differently; all passages are embedded again.")
        library.set_meta("rebuilding", "1")  # until they are rebuilt, passages are found by their words only
        store.vectors.destroy()
        library.adopt(now.rows())


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


def reconcile_vectors(store: Store, embedder: Embedder, progress: Progress | None = None) -> tuple[int, int]:
    """Add missing vectors and delete superfluous ones; returns how many were (added, deleted). Writer only."""
    library, vectors = store.library, store.vectors
    wanted = library.chunk_ids()
    there = frozenset(vectors.all_ids())
    extra = sorted(there.difference(wanted))
    vectors.delete(extra)
    missing = [chunk for chunk in wanted if chunk not in there]
    began, size = time.monotonic(), store.limits.flush_chunks
    for first in range(0, len(missing), size):
        passages = library.passages(missing[first : first + size])
        texts = [embed.passage_text(passage.title, passage.text) for passage in passages]
        vectors.add([passage.chunk for passage in passages], embed.embedded(embedder, texts))
        if not first:
            left_s = (time.monotonic() - began) * (len(missing) - len(passages)) / len(passages)
            if left_s > store.limits.long_s:
                log.warning("%s passages are embedded; that takes about %s.", f"{len(missing):,}", _duration(left_s))
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


def _duration(seconds: float) -> str:
    """Rounded up, for people."""
    minutes = math.ceil(seconds / 60)
    if minutes == 1:
        return "a minute"
    return f"{minutes} minutes" if minutes < 120 else f"{math.ceil(minutes / 60)} hours"
