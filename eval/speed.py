"""Where the time goes: a fresh process asked one question, indexing beside bare embedding, and questions in a row.

Every figure of one table comes from one run on one machine; what is compared is measured in turn, and shown as a ratio.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from eval import metrics
from qa.assistant import Assistant
from qa.config import Config
from qa.embed import PackagedEmbedding, passage_text
from qa.indexing import Store, sync

FRESH_RUNS = 5
STAGES = ("conversation", "search", "read", "decide", "quote")

_FRESH = """
import json, sys, time
start = time.perf_counter()
from qa.assistant import Assistant
imported = time.perf_counter()
assistant = Assistant.open(sys.argv[1], store=sys.argv[2])
opened = time.perf_counter()
answer = assistant.ask(sys.argv[3])
asked = time.perf_counter()
print(json.dumps({
    "import": imported - start, "open": opened - imported, "ask": asked - opened,
    "embedded": assistant.changes.embedded, **{f"ask: {k}": v / 1000 for k, v in answer.trace.timings_ms.items()},
}))
"""


def fresh_process(docs: Path, question: str) -> dict[str, float]:
    """Median seconds by step of a new process over an up-to-date index; `process` is all of it, from outside."""
    with tempfile.TemporaryDirectory() as scratch:
        runs = [_fresh_run(docs, Path(scratch, "store"), question) for _ in range(FRESH_RUNS + 1)]
    if any(run["embedded"] for run in runs[1:]):
        raise AssertionError("a second run embedded something")
    return {step: median(run[step] for run in runs[1:]) for step in runs[1] if step != "embedded"}


def _fresh_run(docs: Path, store: Path, question: str) -> dict[str, float]:
    start = time.perf_counter()
    command = [sys.executable, "-c", _FRESH, str(docs), str(store), question]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout)
    return {"process": time.perf_counter() - start, **found}


def indexing(docs: Path, config: Config) -> dict[str, float]:
    """Passages a second of a first indexing, of embedding the same passages alone, and their ratio."""
    embedder = PackagedEmbedding(threads=config.threads)
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch, "store"), docs)
        start = time.perf_counter()
        changes = sync(store, embedder, config)
        indexed = time.perf_counter() - start
        passages = store.library.passages(store.library.chunk_ids())
        texts = [passage_text(one.title, one.text) for one in passages]
        start = time.perf_counter()
        embedder.embed(texts)
        bare = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(scratch, "store").rglob("*") if path.is_file())
        store.close()
    return {
        "passages": float(changes.embedded),
        "indexed a second": changes.embedded / indexed,
        "embedded alone a second": len(texts) / bare,
        "indexing over bare embedding": indexed / bare,
        "bytes a passage": size / max(changes.embedded, 1),
    }


def questions(docs: Path, asked: Sequence[str], config: Config) -> dict[str, float]:
    """Questions a second, one after the other, and milliseconds by stage."""
    scratch = tempfile.mkdtemp()
    assistant = Assistant.open(docs, store=Path(scratch, "store"), config=config)
    assistant.ask(asked[0])
    traces: list[Any] = []
    seconds = []
    for question in asked:
        start = time.perf_counter()
        traces.append(assistant.ask(question).trace)
        seconds.append(time.perf_counter() - start)
    assistant.close()
    shutil.rmtree(scratch)
    found = {"questions": float(len(asked)), "a second": len(asked) / sum(seconds)}
    for share in (0.5, 0.95):
        found[f"p{share * 100:.0f} ms"] = 1000 * (metrics.percentile(seconds, share) or 0.0)
        for stage in STAGES:
            values = [trace.timings_ms[stage] for trace in traces if stage in trace.timings_ms]
            found[f"p{share * 100:.0f} ms {stage}"] = metrics.percentile(values, share) or 0.0
    found["peak memory MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found
