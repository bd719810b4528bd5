"""Runs benchmarks through the whole pipeline: over the gold document alone, or over one open collection.

A folder of documents is built from the benchmark's passages and asked with a threshold of 0, so that every
question has an answer and a confidence. What a threshold would refuse is computed afterwards.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.benchmarks import collections, ownwords, public, talks
from eval.benchmarks.outcomes import BenchmarkOutcome, outcome
from eval.benchmarks.questions import Question, Reach
from eval.jsonl import read_lines
from qa.assistant import Assistant
from qa.config import Config
from qa.errors import QAError
from qa.reader.base import Calibration, Reader
from qa.reader.packaged import CrossEncoder
from qa.stages import Passage, Reading
from qa.store.place import Store

Show = Callable[[int, int], None]
_KEPT = ("confidence", "quoted", "scores", "short_answer", "retrieved")
LOADERS: dict[str, Callable[..., list[Question]]] = {
    "squad2": public.squad2,
    "clapnq": lambda source, docs, **options: public.evidence("clapnq-dev", source, docs, **options),
    "chunking": lambda source, docs, **options: public.evidence("chunking-eval", source, docs, **options),
    "beir": public.beir,
    "ownwords": ownwords.load,
    "collections": collections.load,
    "talks": talks.load,
    "talks-meant": lambda source, docs, **options: talks.load(source, docs, meant=True, **options),
}

REACHES: dict[str, Reach] = {"collections": "group", "talks": "document", "talks-meant": "document"}  # others: all


def load(
    name: str, source: Path, docs: Path, *, reach: Reach, half: int | None, sample: int, seed: int
) -> list[Question]:
    """Write the documents of one half (None: of both) to `docs`; a seeded sample (0: all) of its questions.

    With the reach `document`, a file is what a question's gold stands in, so that it alone can be asked.
    """
    try:
        questions = LOADERS[name](source, docs, whole_articles=reach != "document")
    except (KeyError, IndexError, TypeError) as error:
        raise QAError(
            f"the files in {source} are not those of {name}: {error!r} is missing or not as expected."
        ) from None
    if half:
        kept = {question.document for question in questions if question.half == half}
        questions = [question for question in questions if question.half == half]
        kept |= {name for question in questions for name in question.group}
        for path in docs.rglob("*"):
            if path.is_file() and path.relative_to(docs).as_posix() not in kept:
                path.unlink()
    if reach == "document":
        questions = [question for question in questions if question.document]
    if sample:
        questions = random.Random(seed).sample(questions, min(sample, len(questions)))  # noqa: S311
    return questions


def run(
    name: str,
    source: Path,
    scratch: Path,
    config: Config,
    *,
    reach: Reach,
    half: int | None,
    sample: int,
    seed: int,
    show: Show,
    keep: Path | None = None,
    reader: Reader | None = None,
    raw: bool = False,
) -> list[BenchmarkOutcome]:
    """Ask the questions that `load` gives; raises QAError for a missing file.

    `reach`: which documents may be used. `all`: all documents of the half's questions are one collection.
    `keep`: a file of outcomes, a line a question. Those that it holds are not asked again, so that a run that was
    interrupted goes on; it is for one state of the code, the models and these options. `reader`: in place
    of the packaged one. `raw`: scores are the reader's own, whatever calibration is packaged.
    """
    docs = scratch / "docs"
    docs.mkdir()
    questions = load(name, source, docs, reach=reach, half=half, sample=sample, seed=seed)
    reader = reader or CrossEncoder(threads=config.threads)
    assistant = Assistant(
        Store(scratch / "store", docs), replace(config, threshold=0.0), Uncalibrated(reader) if raw else reader
    )
    assistant.refresh()
    known = {row["id"]: row for row in read_lines(keep, skip_broken=True)} if keep and keep.exists() else {}
    results = []
    for number, question in enumerate(questions, 1):
        if question.id in known:
            results.append(_from_row(question, known[question.id]))
            continue
        answer = assistant.ask(question.text, history=question.history, documents=question.documents(reach))
        results.append(outcome(question, answer, reader.threshold))
        if keep:
            with keep.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(_row(results[-1])))  # behind a line that was cut off, too
        show(number, len(questions))
    assistant.close()
    return results


class Uncalibrated:
    """A reader whose scores are taken for probabilities as they are."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.identity, self.threshold = f"{reader.identity}, uncalibrated", reader.threshold
        self.calibration = Calibration(slope=1.0, intercept=0.0)

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        return self._reader.read(question, passages)


def _row(asked: BenchmarkOutcome) -> dict[str, Any]:
    """What an outcome holds beside its question, as JSON data."""
    return {"id": asked.question.id} | {name: getattr(asked, name) for name in _KEPT}


def _from_row(question: Question, row: dict[str, Any]) -> BenchmarkOutcome:
    quoted = tuple((document, start, end) for document, start, end in row["quoted"])
    return BenchmarkOutcome(
        **{name: row[name] for name in _KEPT} | {"quoted": quoted, "scores": tuple(row["scores"])}, question=question
    )
