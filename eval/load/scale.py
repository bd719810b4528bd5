"""Measures how cost grows with the size of the collection: made text (`eval/load/corpus.py`) is indexed and asked.

Every measurement runs in a separate process. Indexing and its floor, embedding the same texts alone, are measured one
after the other in one process, as in `eval/load/speed.py`.
"""

import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import metrics
from eval.load import corpus, speed
from eval.load.speed import Figures

QUESTIONS = 200
SPECIAL_QUESTIONS = 11  # of each special kind: of frequent words, long, with a filter
LONG_WORDS = 3000
FILTER_DOCUMENTS = 20_000
RECORDED_TEXTS = 10_000  # texts that are embedded when vectors are recorded; the others get these vectors with noise
RECORDED_SYNC = 20_000
NOISE = 0.5  # length of the noise; vectors have length 1, so the cosine of a vector with and without noise is about 0.9
PLAIN_QUESTIONS = 50
RECORDED = ", vectors recorded"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which sizes are measured, and how."""

    chunks: tuple[int, ...]
    recorded: int | None = None  # chunks of one more collection, most of whose vectors are recorded
    plain: Path | None = None
    questions: int = QUESTIONS
    special_questions: int = SPECIAL_QUESTIONS
    filter_documents: int = FILTER_DOCUMENTS
    recorded_texts: int = RECORDED_TEXTS
    seed: int = corpus.SEED


def measure(plan: Plan, show: Callable[[str], None]) -> dict[str, Figures]:
    """Column → figure → value, with a column for each size. A size may lack some figures."""
    speed.check_plain(plan.plain)
    found = {f"{chunks:,}": _measure_size(plan, chunks, show) for chunks in plan.chunks}
    if plan.recorded:
        found[f"{plan.recorded:,}{RECORDED}"] = _measure_size(plan, plan.recorded, show, recorded=True)
    return found


def _measure_size(plan: Plan, chunks: int, show: Callable[[str], None], *, recorded: bool = False) -> Figures:
    documents = corpus.documents_for(chunks)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        docs, store = place / "docs", place / "store"
        show(f"{chunks:,} chunks: writing {documents:,} documents")
        corpus.write(docs, documents, plan.seed)
        show(f"{chunks:,} chunks: indexing")
        if recorded:
            figures = speed.own_process("eval.load.scale", "record", docs, store, given={"texts": plan.recorded_texts})
        else:
            figures = speed.own_process("eval.load.speed", "index", docs, store, given=[])
            figures["index s"] = figures["passages"] / figures["passages a second"]
            figures["embedded alone s"] = figures["passages"] / figures["embedded alone a second"]
        figures["peak memory MB of indexing"] = figures.pop("peak memory MB")
        show(f"{chunks:,} chunks: asking")
        given = {"documents": documents, "questions": plan.questions, "seed": plan.seed}
        given |= {"filter_documents": plan.filter_documents, "special_questions": plan.special_questions}
        figures |= speed.own_process("eval.load.scale", "ask", docs, store, given=given)
        if plan.plain and not recorded:
            show(f"{chunks:,} chunks: plain LlamaIndex and Chroma")
            asked = [planted.question for planted in corpus.questions(documents, PLAIN_QUESTIONS, plan.seed)]
            home = speed.chroma_home(place, plan.plain)
            plain = speed.own_process("eval.load.speed", "plain", docs, place / "plain", given=asked, home=home)
            figures |= {f"{name} of plain": value for name, value in plain.items()}
    return dict(figures)


# -- in a separate process ----------------------------------------------------------------------


class RecordedEmbedding:
    """Embeds the first texts. Later texts get the vectors of these in turn, with noise, normalised to length 1."""

    def __init__(self, embedder: Any, texts: int, seed: int = corpus.SEED) -> None:
        self._embedder, self._texts = embedder, texts
        self._recorded: NDArray[np.float32] | None = None
        self._rng = np.random.default_rng(seed)
        self._given = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [len(texts), dimensions], as `PackagedEmbedding` returns them."""
        room = max(0, self._texts - (0 if self._recorded is None else len(self._recorded)))
        vectors: NDArray[np.float32] = self._embedder.embed(texts[:room])
        if room:
            self._recorded = vectors if self._recorded is None else np.concatenate([self._recorded, vectors])
        later = len(texts) - len(vectors)
        if not later or self._recorded is None:
            return vectors
        rows = (self._given + np.arange(later)) % len(self._recorded)
        self._given += later
        noise = self._rng.normal(size=(later, self._recorded.shape[1]))
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        moved = self._recorded[rows] + noise
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        return np.concatenate([vectors, moved.astype(np.float32)])


def record(docs: Path, store: Path, given: dict[str, int]) -> Figures:
    """Make an index most of whose vectors are not embedded. Its time is not meaningful and is left out."""
    from qa.config import from_environment
    from qa.embed import PackagedEmbedding
    from qa.indexing import sync
    from qa.store.limits import Limits
    from qa.store.place import Store

    # Chroma writes its whole index after every so many vectors, by default 1,000. That time is not measured here.
    limits = Limits(hnsw={"sync_threshold": RECORDED_SYNC})
    config = from_environment()
    embedder: Any = RecordedEmbedding(PackagedEmbedding(threads=config.threads), given["texts"])
    with closing(Store(store, docs, limits=limits)) as opened:
        passages = sync(opened, embedder, config).embedded
    memory = speed.peak_memory_mb()
    return {"passages": passages, "bytes a passage": speed.bytes_under(store) / passages, "peak memory MB": memory}


class Clocks:
    """Adds up the time that is spent in watched methods, in milliseconds by name."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = defaultdict(float)

    def watch(self, owner: Any, method: str, name: str) -> None:
        """From now on, count the time of each call of the method, also of calls that fail."""
        original = getattr(owner, method)

        def watched(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(*args, **options)
            finally:
                self.ms[name] += 1000 * (time.perf_counter() - start)

        setattr(owner, method, watched)


def ask(docs: Path, store: Path, given: dict[str, int]) -> Figures:
    """Ask one question after another over an existing index, measured by stage; then some of each special kind."""
    from qa.assistant import Assistant
    from qa.schema import Answered

    start = time.perf_counter()
    with closing(Assistant.open(docs, store=store)) as assistant:
        found = {"open s": time.perf_counter() - start}
        asked = corpus.questions(given["documents"], given["questions"], given["seed"])
        assistant.ask(asked[0].question)
        clocks = Clocks()
        clocks.watch(type(assistant.embedder), "embed", "search: embedding the question")
        clocks.watch(type(assistant.store.vectors), "nearest", "search: nearest vectors")
        clocks.watch(type(assistant.store.library), "search", "search: words")
        clocks.watch(type(assistant.store.library), "passages", "search: reading the passages")
        times: dict[str, list[float]] = defaultdict(list)
        right = []
        for planted in asked:
            clocks.ms.clear()
            start = time.perf_counter()
            answer = assistant.ask(planted.question)
            times["all"].append(1000 * (time.perf_counter() - start))
            for name, value in (answer.trace.timings_ms | clocks.ms).items():
                times[name].append(value)
            quotes = answer.quotes if isinstance(answer, Answered) else ()
            quoted = any(planted.fact and planted.fact in quote.text for quote in quotes)
            right.append(quoted if planted.fact else not isinstance(answer, Answered))
        found |= percentiles(times)
        found["planted facts quoted"] = metrics.mean(right[::2]) or 0.0
        found["unanswerable refused"] = metrics.mean(right[1::2]) or 0.0

        def p50(questions: Sequence[str], documents: Sequence[str] | None = None) -> float:
            seconds = []
            for question in questions:
                start = time.perf_counter()
                assistant.ask(question, documents=documents)
                seconds.append(time.perf_counter() - start)
            return 1000 * (metrics.percentile(seconds, 0.5) or 0.0)

        numbers = range(given["special_questions"])
        found["p50 ms of the commonest words"] = p50([corpus.common_question(number) for number in numbers])
        found["p50 ms of a long question"] = p50([corpus.long_question(number, LONG_WORDS) for number in numbers])
        if (some := given["filter_documents"]) <= given["documents"]:
            draw = random.Random(given["seed"])  # noqa: S311  # measurements, not secrets
            allowed = [corpus.page(number, given["seed"]) for number in draw.sample(range(given["documents"]), some)]
            names = [page.name for page in allowed]
            found["p50 ms under a filter"] = p50([page.question for page in allowed[: len(numbers)]], names)
    return {**found, "peak memory MB of asking": speed.peak_memory_mb()}


def percentiles(times: dict[str, list[float]]) -> Figures:
    """`p50 ms NAME` and `p95 ms NAME` for each list; for the list `all`, whole questions, `p50 ms` and `p95 ms`."""
    return {
        f"p{share * 100:.0f} ms {name}".removesuffix(" all"): metrics.percentile(values, share) or 0.0
        for name, values in times.items()
        for share in (0.5, 0.95)
    }


if __name__ == "__main__":
    jobs = {"record": record, "ask": ask}
    print(json.dumps(jobs[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), json.load(sys.stdin))))
