"""Measures time, memory and disk, beside their floors and beside plain LlamaIndex with Chroma's default embedding.

Every measurement runs in a separate process, so that it has a peak memory of its own. The measurements take turns, and
a figure is the median of the rounds. The floors: indexing cannot be faster than embedding the same texts, a question
not faster than the models' runs for it, and no process smaller than one that has only opened an empty folder.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from eval import metrics
from qa.errors import QAError

STAGES = ("conversation", "search", "read", "decide", "quote")
CHROMA_FILES = (  # when one of them is missing, Chroma's default embedding function downloads all of them
    "config.json", "model.onnx", "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt"
)  # fmt: skip
Figures = dict[str, float]
Table = dict[str, Figures]


def one_part(name: str, docs: Path, store: Path, questions: Sequence[str], home: Path | None = None) -> Figures:
    """One measurement of this module in a new process; `process s` is all of it, seen from outside."""
    start = time.perf_counter()
    found: Figures = own_process("eval.load.speed", name, docs, store, given=list(questions), home=home)
    return {**found, "process s": time.perf_counter() - start}


def measure(
    docs: Path,
    questions: Sequence[str],
    *,
    rounds: int,
    plain: Path | None,
    show: Callable[[str], None],
    part: Callable[..., Figures] = one_part,
) -> Table:
    """All tables, name → figure → median over the rounds. `plain`: the folder with Chroma's six files, None without.

    `part` measures one part once, as `one_part` does.
    """
    check_plain(plain)
    found: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "empty").mkdir()
        part("fresh", docs, place / "kept", questions[:1])  # a first indexing is not part of it
        for turn in range(1, rounds + 1):
            jobs = [
                ("fresh", docs, place / "kept", questions[:1]),
                ("empty", place / "empty", place / f"empty{turn}", questions[:1]),
                ("index", docs, place / f"index{turn}", []),
                ("ask", docs, place / "kept", questions),
                *([("plain", docs, place / f"plain{turn}", questions)] if plain else []),
            ]
            for name, folder, store, asked in jobs:
                show(f"{name}, round {turn} of {rounds}")
                found.setdefault(name, []).append(part(name, folder, store, asked, home=chroma_home(place, plain)))
    tables = {name: {key: median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    return tables | {"ratios": _ratios(tables)}


def check_plain(plain: Path | None) -> None:
    """Raise QAError when a file is missing that Chroma's default embedding function would download."""
    if plain and (gone := [name for name in CHROMA_FILES if not (plain / name).is_file()]):
        raise QAError(f"{plain} has no {gone[0]}; make it with `python -m eval.training.export_embedder … --chroma`.")


def _ratios(tables: Table) -> Figures:
    index, ask, empty = tables["index"], tables["ask"], tables["empty"]
    ratios = {
        "indexing time over embedding alone": index["embedded alone a second"] / index["passages a second"],
        "question time over the models' runs alone": ask["p50 ms"] / ask["p50 ms of the models alone"],
        "memory of indexing over an empty folder": index["peak memory MB"] / empty["peak memory MB"],
        "memory of asking over an empty folder": ask["peak memory MB"] / empty["peak memory MB"],
    }
    if plain := tables.get("plain"):
        ratios |= {
            "indexing speed over plain": index["passages a second"] / plain["passages a second"],
            "search time over plain": ask["p50 ms search"] / plain["p50 ms search"],
            "question time over plain search": ask["p50 ms"] / plain["p50 ms search"],
            "memory of indexing over plain": index["peak memory MB"] / plain["peak memory MB"],
            "disk over plain": index["bytes a passage"] / plain["bytes a passage"],
        }
    return ratios


def own_process(module: str, name: str, docs: Path, store: Path, *, given: Any, home: Path | None = None) -> Any:
    """Run `python -m MODULE NAME DOCS STORE` with `given` as JSON on stdin; returns the JSON that it prints.

    Raises QAError when the process fails.
    """
    environment = {**os.environ, **({"HOME": str(home)} if home else {})}
    done = subprocess.run(  # noqa: S603  # itself
        [sys.executable, "-m", module, name, str(docs), str(store)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise QAError(f"the measurement {name!r} failed: {last[0]}")
    return json.loads(done.stdout)


def chroma_home(place: Path, plain: Path | None) -> Path | None:
    """A home folder in which Chroma's default embedding function finds its files, so that it downloads nothing."""
    if plain is None:
        return None
    cache = place / "home" / ".cache" / "chroma" / "onnx_models" / "all-MiniLM-L6-v2"
    if not cache.exists():
        cache.mkdir(parents=True)
        (cache / "onnx").symlink_to(plain.resolve())
    return place / "home"


def fresh(docs: Path, store: Path, questions: Sequence[str]) -> Figures:
    """Time of imports, of opening an index that is up to date, and of one question, in a new process."""
    start = time.perf_counter()
    from qa.assistant import Assistant

    imported = time.perf_counter()
    with closing(Assistant.open(docs, store=store)) as assistant:
        opened = time.perf_counter()
        assistant.ask(questions[0])
        asked = time.perf_counter()
    return {"import s": imported - start, "open s": opened - imported, "ask s": asked - opened}


def empty(docs: Path, store: Path, questions: Sequence[str]) -> Figures:
    """The same over an empty folder, with the peak memory: the floor of every process."""
    return {**fresh(docs, store, questions), "peak memory MB": peak_memory_mb()}


def index(docs: Path, store: Path, questions: Sequence[str]) -> Figures:
    """A first indexing, and then embedding the same passages alone."""
    from qa.config import from_environment
    from qa.embed import PackagedEmbedding, passage_text
    from qa.indexing import sync
    from qa.store.place import Store

    config = from_environment()
    embedder = PackagedEmbedding(threads=config.threads)
    with closing(Store(store, docs)) as opened:
        start = time.perf_counter()
        changes = sync(opened, embedder, config)
        indexed = time.perf_counter() - start
        memory = peak_memory_mb()
        passages = opened.library.passages(opened.library.chunk_ids())
    if not passages:
        raise SystemExit(f"{docs} holds no document; pass a folder that does.")
    texts = [passage_text(passage.title, passage.text) for passage in passages]
    start = time.perf_counter()
    embedder.embed(texts)
    alone = time.perf_counter() - start
    return {
        "passages": float(changes.embedded),
        "passages a second": changes.embedded / indexed,
        "embedded alone a second": len(texts) / alone,
        "bytes a passage": bytes_under(store) / max(changes.embedded, 1),
        "peak memory MB": memory,
    }


def ask(docs: Path, store: Path, questions: Sequence[str]) -> Figures:
    """Questions one after another; after each, the models' runs that it needed are repeated alone."""
    from qa import embed
    from qa.assistant import Assistant
    from qa.config import from_environment

    runs: list[ModelRun] = []
    open_session = embed.open_session

    def recorded(path: Path, **options: Any) -> Any:
        return Recorded(open_session(path, **options), path, runs)

    embed.open_session = recorded
    config = from_environment()
    traces: list[Any] = []
    seconds, alone = [], []
    threads = ThreadPoolExecutor(config.threads)
    with threads, closing(Assistant.open(docs, store=store, config=config)) as assistant:
        assistant.ask(questions[0])
        for question in questions:
            runs.clear()
            start = time.perf_counter()
            traces.append(assistant.ask(question).trace)
            seconds.append(time.perf_counter() - start)
            taken = list(runs)
            start = time.perf_counter()
            list(threads.map(lambda run: run.session.run(run.outputs, run.feed), taken))
            alone.append(time.perf_counter() - start)
    embed.open_session = open_session
    products = matrix_share(taken)
    found = {"questions": float(len(questions)), "a second": len(questions) / sum(seconds)}
    for share in (0.5, 0.95):
        name = f"p{share * 100:.0f} ms"
        found[name] = 1000 * (metrics.percentile(seconds, share) or 0.0)
        found[f"{name} of the models alone"] = 1000 * (metrics.percentile(alone, share) or 0.0)
        found[f"{name} of their matrix products alone"] = products * found[f"{name} of the models alone"]
        for stage in STAGES:
            values = [trace.timings_ms[stage] for trace in traces if stage in trace.timings_ms]
            found[f"{name} {stage}"] = metrics.percentile(values, share) or 0.0
    return {**found, "peak memory MB": peak_memory_mb()}


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One run of a model, recorded so that it can be repeated."""

    session: Any
    path: Path
    outputs: Any
    feed: Any


class Recorded:
    """An inference session that records each run."""

    def __init__(self, session: Any, path: Path, runs: list[ModelRun]) -> None:
        self._session, self._path, self._runs = session, path, runs

    def run(self, outputs: Any, feed: Any) -> Any:
        """Record the run and return the session's result."""
        self._runs.append(ModelRun(self._session, self._path, outputs, feed))
        return self._session.run(outputs, feed)


def matrix_share(runs: Sequence[ModelRun]) -> float:
    """The share (0–1) of these runs' time that is spent in matrix products, as ONNX Runtime measures it."""
    from qa import embed

    spent = {True: 0, False: 0}
    with tempfile.TemporaryDirectory() as scratch:
        for path in {run.path for run in runs}:
            session = embed.open_session(path, threads=1, profile=Path(scratch, path.parent.name))
            for run in runs:
                if run.path == path:
                    session.run(run.outputs, run.feed)
            for event in json.loads(Path(session.end_profiling()).read_text("utf-8")):
                operator = event.get("args", {}).get("op_name")
                if event.get("cat") == "Node" and operator:
                    spent["MatMul" in operator] += event["dur"]
    return spent[True] / max(1, sum(spent.values()))


def plain(docs: Path, store: Path, questions: Sequence[str]) -> Figures:
    """Plain LlamaIndex and Chroma over the same passages: a first indexing, then its search."""
    from eval.load import plain

    with tempfile.TemporaryDirectory() as scratch:
        passages = _passages(docs, Path(scratch))
    plain.embed(["warm"])
    start = time.perf_counter()
    retriever = plain.index(passages, store)
    indexed = time.perf_counter() - start
    retriever.retrieve(questions[0])
    seconds = []
    for question in questions:
        start = time.perf_counter()
        retriever.retrieve(question)
        seconds.append(time.perf_counter() - start)
    return {
        "passages": float(len(passages)),
        "passages a second": len(passages) / indexed,
        "bytes a passage": bytes_under(store) / max(len(passages), 1),
        "p50 ms search": 1000 * (metrics.percentile(seconds, 0.5) or 0.0),
        "p95 ms search": 1000 * (metrics.percentile(seconds, 0.95) or 0.0),
        "peak memory MB": peak_memory_mb(),
    }


def _passages(docs: Path, scratch: Path) -> list[tuple[str, str]]:
    """(id, text) of each passage into which the product cuts the documents."""
    from qa.chunks import split_document, split_sentences
    from qa.documents import read_document
    from qa.embed import passage_text, token_ends
    from qa.folder import list_files

    found = []
    for number, file in enumerate(list_files(docs)[0]):
        document = read_document(file, max_file_mb=50)
        for chunk in split_document(document.text, split_sentences(document), token_ends, key=str(number)):
            found.append((chunk.id, passage_text(document.title, document.text[chunk.start : chunk.end])))
    return found


def bytes_under(folder: Path) -> int:
    """The total size of all files under the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def peak_memory_mb() -> float:
    """The peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    jobs = {"fresh": fresh, "empty": empty, "index": index, "ask": ask, "plain": plain}
    print(json.dumps(jobs[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), json.load(sys.stdin))))
