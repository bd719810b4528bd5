"""Asks from many threads while the folder changes and is indexed, and checks that every quote is in the files on disk.

Every answer is checked with the ledger (`eval/load/ledger.py`). An exception counts as an error too.
"""

import json
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eval import metrics
from eval.load import corpus, speed
from eval.load.ledger import Changer, Ledger
from eval.load.speed import Figures
from qa.assistant import Assistant
from qa.errors import QAError, StoreBusy
from qa.folder import list_files
from qa.schema import Answered

DOCUMENTS = 400  # in the folder that is made when none is given
PAUSE_S = 0.5  # between two changes; each is indexed on the same processors that answer the questions
SHOWN_FAULTS = 20
PAGE_BYTES = 4096
WORDS_ASKED = 6


@dataclass(frozen=True, slots=True)
class Loaded:
    """The figures, and the first SHOWN_FAULTS faults; the figure `errors` counts all of them."""

    figures: Figures
    faults: list[str]


def question_about(text: str, rng: random.Random) -> str:
    """A question made of a few consecutive words of the text; it need not have an answer."""
    words = text.split()
    first = rng.randrange(max(1, len(words) - WORDS_ASKED))
    return f"What is said about {' '.join(words[first : first + WORDS_ASKED])}?"


@dataclass(slots=True)
class _Seen:
    """What was measured, in the order of the answers."""

    ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    answered: int = 0
    quotes: int = 0
    faults: list[str] = field(default_factory=list)


def run(assistant: Assistant, ledger: Ledger, *, askers: int, questions: int, pause_s: float = PAUSE_S) -> Loaded:
    """Ask `questions` from `askers` threads while the folder changes. The assistant is open on the ledger's folder."""
    seen, lock, over = _Seen(), threading.Lock(), threading.Event()
    changer, counts = Changer(ledger), {"changes": 0, "refreshes": 0}

    def keep_changing() -> None:
        while not over.wait(pause_s):
            counts["changes"] += bool(changer.change())
            with suppress(StoreBusy):  # a question met a changed document and is indexing already
                assistant.refresh()
                counts["refreshes"] += 1

    def ask(number: int) -> None:
        rng = random.Random(number)  # noqa: S311  # measurements, not secrets
        question = question_about(ledger.text(rng.choice(ledger.names())), rng)
        faults = []
        start = time.monotonic()
        try:
            answer = assistant.ask(question)
            end = time.monotonic()
            faults = ledger.faults(answer, start, end)
        except Exception as error:  # every exception is a fault
            answer, end = None, time.monotonic()
            faults = [f"{type(error).__name__}: {error}"]
        with lock:
            seen.ms.append(1000 * (end - start))
            seen.memory_mb.append(memory_mb())
            seen.answered += isinstance(answer, Answered)
            seen.quotes += len(answer.quotes if isinstance(answer, Answered) else answer.nearest if answer else ())
            seen.faults += [f"{question!r}: {fault}" for fault in faults]

    start = time.monotonic()
    with ThreadPoolExecutor(1) as changing, ThreadPoolExecutor(askers) as asking:
        changes = changing.submit(keep_changing)
        list(asking.map(ask, range(questions)))
        seconds = time.monotonic() - start
        over.set()
        try:
            changes.result()
        except QAError as error:
            seen.faults.append(f"indexing: {type(error).__name__}: {error}")
    return Loaded(_figures(seen, askers, seconds) | counts, seen.faults[:SHOWN_FAULTS])


def _figures(seen: _Seen, askers: int, seconds: float) -> Figures:
    return {
        "askers": float(askers),
        "questions": float(len(seen.ms)),
        "answered": float(seen.answered),
        "refused": float(len(seen.ms) - seen.answered),
        "quotes": float(seen.quotes),
        "a second": len(seen.ms) / seconds,
        "p50 ms": metrics.percentile(seen.ms, 0.5) or 0.0,
        "p95 ms": metrics.percentile(seen.ms, 0.95) or 0.0,
        "peak memory MB": speed.peak_memory_mb(),
        "memory growth MB": growth(seen.memory_mb),
        "errors": float(len(seen.faults)),
    }


def growth(values: Sequence[float]) -> float:
    """Mean of the last tenth of the values minus the mean of the first tenth; a tenth is at least one value."""
    tenth = max(1, len(values) // 10)
    return (metrics.mean(values[-tenth:]) or 0.0) - (metrics.mean(values[:tenth]) or 0.0)


def memory_mb() -> float:
    """Memory of this process now; its peak where the system does not tell the current value."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES / 2**20
    except OSError:
        return speed.peak_memory_mb()


def measure(
    place: Path,
    given: dict[str, Any],
    *,
    documents: int = DOCUMENTS,
    own_process: Callable[..., Any] = speed.own_process,
) -> Loaded:
    """`run` in a separate process, over a copy of `given["docs"]` or over so many documents of made text."""
    if given["docs"]:
        if not list_files(Path(given["docs"]))[0]:
            raise QAError(f"{given['docs']} holds no document; pass a folder that does.")
        shutil.copytree(given["docs"], place / "docs")
    else:
        corpus.write(place / "docs", documents)
    return Loaded(**own_process("eval.load.load", "load", place / "docs", place / "store", given=given))


def load(docs: Path, store: Path, given: dict[str, Any]) -> Loaded:
    """The work of the separate process."""
    ledger = Ledger(docs, store.parent / "aside")
    with closing(Assistant.open(docs, store=store)) as assistant:
        return run(assistant, ledger, askers=given["askers"], questions=given["questions"])


if __name__ == "__main__":
    jobs: dict[str, Callable[[Path, Path, dict[str, Any]], Loaded]] = {"load": load}
    print(json.dumps(asdict(jobs[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]), json.load(sys.stdin)))))
