"""`Assistant`: a folder's documents with their store, kept equal, and the pipeline that answers from them."""

import asyncio
import importlib.metadata
import logging
import platform
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from qa import __version__, indexing, uploads
from qa.config import PACKAGED, Config, default_docs, from_environment
from qa.documents import read_document
from qa.embed import Embedder, PackagedEmbedding
from qa.errors import DocumentError, EmbedderError, QuestionError, ReplayError, StoreBusy
from qa.folder import File, signature
from qa.indexing import Changes, Progress
from qa.pipeline import Pipeline
from qa.reader.base import Reader, checked_reader
from qa.reader.packaged import CrossEncoder
from qa.schema import Answered, DocumentInfo, Quote, Refused, Skipped, Stage, Trace, Turn
from qa.search import Search, Searcher
from qa.stages import Hit
from qa.store.place import FIRST_RUN_WAIT_S, Store
from qa.text import shorten

log = logging.getLogger(__name__)

REMEMBERED = 1000  # files that are not as they were indexed, and what they hold


class Assistant:
    """Answers from one folder's documents, by quotes or by a typed refusal. Safe to share between threads."""

    def __init__(
        self, store: Store, config: Config, reader: Reader | None = None, *, embedder: Embedder | None = None
    ) -> None:
        """`reader` and `embedder` replace the packaged ones; raises ReaderError or EmbedderError for unfit ones."""
        self.config = config
        self.store = store
        self.changes = Changes()  # what the last `refresh` did
        self.embedder = embedder or PackagedEmbedding(threads=config.threads)
        if self.embedder.identity != store.versions.embedder:
            raise EmbedderError(
                f"{store.path} is a store of the embedder {shorten(store.versions.embedder, 60)}, not of"
                f" {shorten(self.embedder.identity, 60)}; open the store with `embedder=` that identity."
            )
        self.reader = CrossEncoder(threads=config.threads) if reader is None else checked_reader(reader)
        self.searcher: Searcher = Search(store.library, store.vectors, self.embedder, config)
        # Reading some files takes a process: not at each question, for one that was touched since it was indexed.
        self._remembered_sha256 = lru_cache(REMEMBERED)(_sha256_of)

    @property
    def threshold(self) -> float:
        """The probability from which on the documents count as covering a question: the reader's, if none is set."""
        return self.reader.threshold if self.config.threshold is None else self.config.threshold

    @classmethod
    def open(
        cls,
        docs: str | Path | None = None,
        *,
        store: str | Path | None = None,
        config: Config | None = None,
        progress: Progress | None = None,
        reader: Reader | None = None,
        embedder: Embedder | None = None,
    ) -> "Assistant":
        """Make the store equal to the folder, then be ready to answer; raises FolderError or StoreError.

        While another process indexes, answers come from what is complete; a first indexing is waited for.
        """
        config = config or from_environment()
        folder = Path(docs) if docs is not None else default_docs()
        embedder = embedder or PackagedEmbedding(threads=config.threads)
        place = Path(store) if store is not None else config.store_for(folder, embedder.identity)
        assistant = cls(Store(place, folder, embedder=embedder.identity), config, reader, embedder=embedder)
        try:
            assistant.refresh(progress)
        except StoreBusy:
            log.warning("Another process is indexing; answers come from what is complete.")
        return assistant

    def refresh(self, progress: Progress | None = None) -> Changes:
        """Make the store equal to the folder again; raises StoreBusy while another process does so."""
        wait_s = 0.0 if self.store.library.meta("complete") else FIRST_RUN_WAIT_S
        self.changes = indexing.sync(self.store, self.embedder, self.config, progress, wait_s=wait_s)
        return self.changes

    def documents(self) -> list[DocumentInfo]:
        """The indexed documents in order of path."""
        return self.store.library.documents()

    def skipped(self) -> list[Skipped]:
        """The files that are not indexed, or only in part, and why."""
        return self.store.library.skipped()

    def text(self, document: str) -> str | None:
        """The text that quotes of this document are slices of; None where it is not indexed as it is now."""
        return self.store.library.text_of(document) if self.current([document]) else None

    def add_upload(self, name: str, data: bytes, *, owner: str | None = None) -> DocumentInfo:
        """Keep a file a person uploaded, under a safe form of its name, and index it; the same name is replaced.

        With an `owner`, only an upload of the same owner is. Raises DocumentError where the file cannot be indexed or
        replaced, FolderError, StoreBusy or StoreError; then all is as it was.
        """
        path = ""
        with self.store.writing(wait_s=uploads.WAIT_S):
            try:
                with uploads.LocalUploads(self.store).putting(
                    name, data, max_file_mb=self.config.max_file_mb, owner=owner
                ) as path:
                    self.refresh()
                    return self._indexed(path)
            except DocumentError:
                if path:  # what could be read alone could not be indexed: the index, too, gets back what was there
                    self.refresh()
                raise

    def _indexed(self, path: str) -> DocumentInfo:
        """The document of this path; raises DocumentError, saying why it was left out, where it is not indexed."""
        for one in self.documents():
            if one.path == path:
                return one
        reasons = {one.path: one.reason for one in self.skipped()}
        raise DocumentError(reasons.get(path, "was gone before it was indexed"))

    def delete_upload(self, path: str, *, owner: str | None = None) -> None:
        """Forget a file a person uploaded; raises DocumentError where there is no such upload (of this `owner`)."""
        with self.store.writing(wait_s=uploads.WAIT_S):
            uploads.LocalUploads(self.store).remove(path, owner=owner)
            self.refresh()

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    # -- asking --------------------------------------------------------------------------------

    def ask(
        self, question: str, *, history: Sequence[Turn] = (), documents: Sequence[str] | None = None
    ) -> Answered | Refused:
        """Answer by quotes or refuse; raises QuestionError for an unknown document or an over-long question."""
        for event in self.stream(question, history=history, documents=documents):
            if not isinstance(event, Stage):
                return event
        raise AssertionError("a stream ends with its answer")

    async def aask(
        self, question: str, *, history: Sequence[Turn] = (), documents: Sequence[str] | None = None
    ) -> Answered | Refused:
        """`ask` without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, history=history, documents=documents)

    def stream(
        self, question: str, *, history: Sequence[Turn] = (), documents: Sequence[str] | None = None
    ) -> Iterator[Stage | Answered | Refused]:
        """The stages as they begin, then the answer; raises QuestionError as `ask` does."""
        if len(question) > (limit := self.config.question_chars):
            raise QuestionError(f"the question has {len(question):,} characters; ask in at most {limit:,}.")
        if unknown := sorted(set(documents or ()) - self.store.library.known(documents or ()).keys()):
            raise QuestionError(f"{unknown[0]!r} is not an indexed document; `qa documents` lists them.")
        question = question.encode("utf-8", "replace").decode()  # a lone surrogate is no text
        yield from self.pipeline.stream(question, history, documents)

    @property
    def pipeline(self) -> Pipeline:
        """What each question is put through."""
        return Pipeline(
            texts=self.store.library,
            search=self.search,
            reader=self.reader,
            threshold=self.threshold,
            read_hits=self.config.read_hits,
            current=self.current,
            refresh=self.refresh,
            trace=self._trace,
        )

    def search(self, question: str, documents: Sequence[str] | None = None) -> list[Hit]:
        """The hits for one question, best first."""
        return self.searcher.hits(question, documents)

    def _trace(self, **of_the_question: Any) -> Trace:
        found = {hit.document for hit in of_the_question["hits"]}
        skipped, count = self.store.library.skipped_about(of_the_question["question"], found)
        return Trace(**of_the_question, **self.facts(), skipped=tuple(skipped), skipped_count=count)

    def replay(self, trace: Trace) -> Answered | Refused:
        """Ask the trace's question again; raises ReplayError, naming what has changed, unless all is as it was."""
        then = {"versions": trace.versions, "models": trace.models, "store": trace.store, "threshold": trace.threshold}
        self._raise_if_changed(then)
        answer = self.ask(trace.question, history=trace.history, documents=trace.documents)
        self._raise_if_changed(then)  # asking may have noticed a change in the folder
        return answer

    def _raise_if_changed(self, then: dict[str, Any]) -> None:
        now = self.facts()
        changed = [name for name, value in then.items() if now[name] != value]
        if changed:
            raise ReplayError(f"the answer cannot be replayed, changed since: {', '.join(changed)}; ask again instead.")

    def as_query_engine(self) -> Any:
        """The whole pipeline as a LlamaIndex query engine; `source_nodes` are the quotes with their offsets."""
        from qa.llamaindex import QuotingQueryEngine

        return QuotingQueryEngine(self)

    def current(self, names: Sequence[str]) -> dict[str, str]:
        """Name → sha256 of its text, for those of these documents that are in the folder as they are indexed."""
        known = self.store.library.known(names)
        return {name: sha256 for name, (sha256, at) in known.items() if self._is_current(name, sha256, at)}

    def _is_current(self, name: str, sha256: str, known: tuple[int, int, int]) -> bool:
        path = self.store.file(name)
        try:
            now = signature(path.stat())
            if now == known:
                return True
            settled = abs(time.time_ns() - now[1]) > indexing.SETTLED_NS  # else it may change within this tick
            read = self._remembered_sha256 if settled else _sha256_of
            return read(path, name, now, self.config.max_file_mb) == sha256
        except (OSError, DocumentError):
            return False

    def read_differently(self, quote: Quote) -> bool:
        """Whether the file is unchanged since this was quoted, and only this version reads another text from it."""
        document = quote.document
        return bool(self.current([document])) and self.store.library.was_read_as(document, quote.document_sha256)

    def facts(self) -> dict[str, Any]:
        """What an answer depends on beside the question: versions, models, the store's fingerprint, the threshold."""
        return {
            "versions": versions(),
            "models": {
                "embedder": self.embedder.identity.removeprefix(PACKAGED),
                "reader": self.reader.identity,
            },
            "store": self.store.library.fingerprint(),
            "threshold": self.threshold,
        }


def _sha256_of(path: Path, name: str, known: tuple[int, int, int], max_file_mb: float) -> str:
    """Of the text that the file with this signature holds; raises DocumentError."""
    return read_document(File(path, name, known), max_file_mb=max_file_mb).sha256


@cache
def versions() -> dict[str, str]:
    """The versions that an answer may depend on."""
    packages = ("llama-index-core", "chromadb", "onnxruntime", "tokenizers", "nupunkt", "py3langid")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"qa": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, **found}
