"""`Assistant`: the pipeline on one screen."""

import asyncio
import contextlib
import importlib.metadata
import logging
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from qa import __version__, answers, decide, embed, indexing, language, quotes, uploads
from qa.config import Config, default_docs, from_environment
from qa.conflicts import find_conflicts, later_first, renumbered
from qa.conversation import Asked, standalone
from qa.decide import Calibration, Decision
from qa.documents import File, read_document, signature
from qa.embed import PackagedEmbedding
from qa.errors import DocumentError, QuestionError, ReplayError, StoreBusy
from qa.indexing import Changes, Progress
from qa.reader.reader import CrossEncoder, load_calibration, model_sha256
from qa.schema import Answered, DocumentInfo, Hit, Quote, Reason, Refused, Skipped, Stage, Trace, Turn, Verdict
from qa.search import DenseRetriever, HybridRetriever, KeywordRetriever
from qa.store.place import FIRST_RUN_WAIT_S, Store
from qa.wording import answer_text

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_QUOTES = 3
MAX_QUOTES_OF_PARTS = 6
MAX_NAMES = 50  # of one text: at each question every file that is named is looked at
REMEMBERED = 1000  # files that are not as they were indexed, and what they hold


class Assistant:
    """Answers from one folder's documents, by quotes or by a typed refusal. Safe to share between threads."""

    def __init__(self, store: Store, config: Config, reader: BaseNodePostprocessor | None = None) -> None:
        self.config = config
        self.store = store
        self.changes = Changes()  # what the last `refresh` did
        self.embedder = PackagedEmbedding(threads=config.threads)
        self.reader = reader or CrossEncoder(threads=config.threads)
        fitted = load_calibration()
        self.calibration = Calibration(fitted["slope"], fitted["intercept"])
        self.threshold = fitted["threshold"] if config.threshold is None else config.threshold
        # Reading some files takes a process: not at each question, for one that was touched since it was indexed.
        self._remembered_sha256 = lru_cache(REMEMBERED)(_sha256_of)

    @classmethod
    def open(
        cls,
        docs: str | Path | None = None,
        *,
        store: str | Path | None = None,
        config: Config | None = None,
        progress: Progress | None = None,
    ) -> "Assistant":
        """Make the store equal to the folder, then be ready to answer; raises FolderError or StoreError.

        While another process indexes, answers come from what is complete; a first indexing is waited for.
        """
        config = config or from_environment()
        folder = Path(docs) if docs is not None else default_docs()
        place = Path(store) if store is not None else config.store_for(folder)
        assistant = cls(Store(place, folder), config)
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
        most = self.config.max_file_mb
        path = ""
        with self.store.writing(wait_s=uploads.WAIT_S):
            try:
                with uploads.LocalUploads(self.store).putting(name, data, max_file_mb=most, owner=owner) as path:
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
        """The stages as they begin, then the answer."""
        run = _Run(self, question, history, documents)
        asked = run.timed("conversation", lambda: standalone(run.question, run.history))
        if refused := run.refused_at_once(asked):
            yield refused
            return
        yield Stage(name="searching")
        hits = run.timed("search", lambda: run.search(asked))
        yield Stage(name="reading", passages=sum(len(one[: self.config.read_hits]) for one in hits))
        read = run.timed("read", lambda: [self.read(*pair) for pair in zip(asked.parts, hits, strict=True)])
        run.timed("decide", lambda: run.decide(asked, read))
        made = run.timed("quote", lambda: run.answer(asked))
        timed = made.trace.model_copy(update={"timings_ms": dict(run.timings)})  # now with the last one
        yield made.model_copy(update={"trace": timed})

    def search(self, part: str, documents: Sequence[str] | None = None) -> list[NodeWithScore]:
        """The fused hits for one question, best first."""
        return self.retriever(documents).retrieve(part)

    def retriever(self, documents: Sequence[str] | None = None) -> HybridRetriever:
        """What finds passages for a question, in all documents or only in these."""
        library, vectors, config = self.store.library, self.store.vectors, self.config
        return HybridRetriever(
            DenseRetriever(library, vectors, self.embedder, limit=config.dense_hits, documents=documents),
            KeywordRetriever(library, limit=config.keyword_hits, documents=documents),
            limit=config.fused_hits,
            read=config.read_hits,
        )

    def read(self, part: str, hits: list[NodeWithScore]) -> list[NodeWithScore]:
        """The first hits with what the reader makes of them, best first."""
        first = hits[: self.config.read_hits]
        for hit in first:
            hit.node.metadata["heading"] = self._heading(hit)
        read = self.reader.postprocess_nodes(first, QueryBundle(part))
        for hit in read:
            answers.correct_row(self.store.library, part, hit)
        return read

    def _heading(self, hit: NodeWithScore) -> str | None:
        """What the passage stands under: the headings of its first sentence that is none itself."""
        metadata = hit.node.metadata
        starts = [start for start, _, kind in metadata["sentences"] if kind != "heading"]
        return self.store.library.heading(metadata["content"], starts[0]) if starts else None

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
        from qa.engine import QuotingQueryEngine

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
        own = isinstance(self.reader, CrossEncoder)
        models = {
            "embedder": embed.file_sha256(embed.MODEL / "model.onnx"),
            "reader": model_sha256() if own else type(self.reader).__qualname__,
        }
        return {
            "versions": versions(),
            "models": models,
            "store": self.store.library.fingerprint(),
            "threshold": self.threshold,
        }


class _Run:
    """One question on its way: the steps that fill its trace."""

    def __init__(
        self, assistant: Assistant, question: str, history: Sequence[Turn], documents: Sequence[str] | None
    ) -> None:
        limit = assistant.config.question_chars
        if len(question) > limit:
            raise QuestionError(f"the question has {len(question):,} characters; ask in at most {limit:,}.")
        self.assistant = assistant
        self.question = question.encode("utf-8", "replace").decode()  # a lone surrogate is no text
        self.history = tuple(history)
        self.documents = None if documents is None else tuple(documents)
        self.hits: list[list[NodeWithScore]] = []
        self.decisions: list[Decision] = []
        self.timings: dict[str, float] = {}
        unknown = sorted(set(documents or ()) - assistant.store.library.known(documents or ()).keys())
        if unknown:
            raise QuestionError(f"{unknown[0]!r} is not an indexed document; `qa documents` lists them.")

    def timed(self, stage: str, step: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return step()
        finally:
            self.timings[stage] = self.timings.get(stage, 0.0) + round(1000 * (time.perf_counter() - start), 3)

    def refused_at_once(self, asked: Asked) -> Refused | None:
        """The refusal that needs no search, if there is one."""
        if not asked.text:
            return self.refused(asked, "empty_question")
        if not self.assistant.store.library.count_chunks(self.documents, max_count=1):
            return self.refused(asked, "no_documents")
        return self.refused(asked, "unsupported_request") if asked.request else None

    def search(self, asked: Asked) -> list[list[NodeWithScore]]:
        """Hits for each part, none from a document that is gone from the folder or changed since it was indexed."""
        assistant = self.assistant
        for attempt in ("as indexed", "refreshed"):
            self.hits = [assistant.search(part, self.documents) for part in asked.parts]
            for hit in (hit for hits in self.hits for hit in hits):
                hit.node.metadata["also_in"] = hit.node.metadata["also_in"][: MAX_NAMES - 1]
            found = [hit for hits in self.hits for hit in hits]
            current = assistant.current(sorted({name for hit in found for name in _names(hit)}))
            if all(_current_names(hit, current) == _names(hit) for hit in found):
                break
            if attempt == "as indexed":
                with contextlib.suppress(StoreBusy):
                    assistant.refresh()
        self.hits = [[hit for hit in hits if _keep_current(hit, current)] for hits in self.hits]
        return self.hits

    def decide(self, asked: Asked, read: Sequence[Sequence[NodeWithScore]]) -> list[Decision]:
        most = MAX_QUOTES if len(asked.parts) == 1 else max(1, MAX_QUOTES_OF_PARTS // len(asked.parts))
        threshold, calibration = self.assistant.threshold, self.assistant.calibration
        self.decisions = [
            decide.decide(part, hits, calibration, threshold, most=most)
            for part, hits in zip(asked.parts, read, strict=True)
        ]
        return self.decisions

    def answer(self, asked: Asked) -> Answered | Refused:
        library = self.assistant.store.library
        chosen = [one for decision in self.decisions for one in decision.chosen]
        made = quotes.make_quotes(library, chosen)
        if not made:
            near = [hit for decision in self.decisions for hit in decision.near]
            reason: Reason = "unverified" if chosen else "not_covered" if near else "nothing_relevant"
            calibration = self.assistant.calibration
            nearest = quotes.make_quotes(
                library, [(hit, calibration(hit.score or 0.0)) for hit in near[: 2 * MAX_QUOTES]]
            )
            found = [hit.node.get_content() for hits in self.hits for hit in hits]
            languages = None if chosen else language.foreign(self.question, found)
            return self.refused(asked, reason, nearest[:MAX_QUOTES], languages)
        spans = [answers.answer_in(quote, self.decisions) for quote in made]
        conflicts = find_conflicts(asked.text, made, spans)
        order = later_first(made, conflicts)
        made, spans = [made[at] for at in order], [spans[at] for at in order]
        conflicts = renumbered(conflicts, order)
        covered = [one for one in self.decisions if answers.probability(one, made) is not None]
        not_covered = tuple(decision.part for decision in self.decisions if decision not in covered)
        confidence = min(answers.probability(one, made) or 0.0 for one in covered)
        disputed = any(one for one, _ in conflicts)
        large = spans[0] if decide.level(confidence) and not disputed else None
        return Answered(
            question=self.question,
            asked=asked.text,
            text=answer_text(made, conflicts, not_covered),
            confidence=confidence,
            short_answer=large.short if large else None,
            quotes=tuple(made),
            conflicts=conflicts,
            not_covered=not_covered,
            trace=self.trace(),
        )

    def refused(
        self,
        asked: Asked,
        reason: Reason,
        nearest: Sequence[Quote] = (),
        languages: tuple[str, str] | None = None,
    ) -> Refused:
        return Refused(
            question=self.question,
            asked=asked.text,
            text=decide.refusal_text(reason, asked.request, len(nearest), languages),
            confidence=max((decision.probability for decision in self.decisions), default=0.0),
            reason=reason,
            nearest=tuple(nearest),
            trace=self.trace(),
        )

    def trace(self) -> Trace:
        found = {name for hits in self.hits for hit in hits for name in _names(hit)}
        skipped, skipped_count = self.assistant.store.library.skipped_about(self.question, found)
        return Trace(
            question=self.question,
            history=self.history,
            documents=self.documents,
            hits=tuple(_hit(hit, part) for part, hits in enumerate(self.hits) for hit in hits),
            verdicts=tuple(
                Verdict(part=one.part, covered=one.covered, probability=one.probability, why=one.why)
                for one in self.decisions
            ),
            timings_ms=self.timings,
            skipped=tuple(skipped),
            skipped_count=skipped_count,
            **self.assistant.facts(),
        )


def _sha256_of(path: Path, name: str, known: tuple[int, int, int], max_file_mb: float) -> str:
    """Of the text that the file with this signature holds; raises DocumentError."""
    return read_document(File(path, name, known), max_file_mb=max_file_mb).sha256


def _names(hit: NodeWithScore) -> tuple[str, ...]:
    """All documents that a quote of this passage would name."""
    return (hit.node.metadata["document"], *hit.node.metadata["also_in"])


def _current_names(hit: NodeWithScore, current: Mapping[str, str]) -> tuple[str, ...]:
    """Those that have this very text now: since the search another text may have been indexed under one of them."""
    return tuple(name for name in _names(hit) if current.get(name) == hit.node.metadata["sha256"])


def _keep_current(hit: NodeWithScore, current: Mapping[str, str]) -> bool:
    """Leave the hit only its current names, the first as its document; whether there is one."""
    if names := _current_names(hit, current):
        hit.node.metadata["document"], *hit.node.metadata["also_in"] = names
    return bool(names)


def _hit(hit: NodeWithScore, part: int) -> Hit:
    node: Any = hit.node
    scores = dict(node.metadata["scores"])
    return Hit(
        document=node.metadata["document"], start=node.start_char_idx, end=node.end_char_idx, part=part, scores=scores
    )


@cache
def versions() -> dict[str, str]:
    """The versions that an answer may depend on."""
    packages = ("llama-index-core", "chromadb", "onnxruntime", "tokenizers", "nupunkt", "py3langid")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"qa": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version, **found}
