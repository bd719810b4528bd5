"""Runs exams: asks an answerer all cases about a folder, judges the answers, and makes a record of them."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.exams import answerers, record
from eval.exams.answerers import Answerer, OpenAnswerer
from eval.exams.cases import Placed, load_cases, read_texts
from eval.exams.judge import judge
from eval.exams.record import CaseResult, Record
from qa.config import PACKAGED_SEEDS
from qa.errors import QAError
from qa.schema import Turn

Show = Callable[[int, int], None]
"""Called after each case with the number of cases done and the number of all cases."""


@dataclass(frozen=True, slots=True)
class Exam:
    """The cases of one or more files, and the folder of documents that they are about."""

    name: str
    docs: Path
    cases: tuple[Placed, ...]
    texts: dict[str, str]
    sha256: str  # of the case files


def load_exam(paths: Sequence[Path], docs: Path) -> Exam:
    """Read and check all case files; raises CaseError that lists every mistake."""
    texts = read_texts(docs)
    cases = tuple(load_cases(paths, texts))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    return Exam("+".join(path.stem for path in paths), docs, cases, texts, digest)


def packaged_exams() -> list[Exam]:
    """The two exams that the project brings: on the packaged seeds, and on a made-up handbook."""
    folder = Path(__file__).resolve().parents[1]
    exams = {"seeds": PACKAGED_SEEDS, "handbook": folder / "handbook"}
    return [load_exam([folder / "cases" / f"{name}.jsonl"], docs) for name, docs in exams.items()]


def run_exam(
    exam: Exam, open_: OpenAnswerer, show: Show | None = None, *, timeout_s: float = answerers.TIMEOUT_S
) -> tuple[list[CaseResult], dict[str, Any]]:
    """Ask and judge every case; returns the results in order, and facts of a trace (versions, models, store).

    Cases that delete documents are asked last, over a copy of the folder for each set of deleted documents.
    """
    results: list[CaseResult] = []
    facts: dict[str, Any] = {}
    groups: dict[tuple[str, ...], list[Placed]] = {}
    for placed in exam.cases:
        groups.setdefault(tuple(sorted(set(placed.case.delete))), []).append(placed)
    for deleted, group in sorted(groups.items()):
        with _folder(exam, deleted, open_) as (answerer, texts):
            for placed in group:
                result, trace = _run_case(exam.name, placed, answerer, texts, timeout_s)
                facts = facts or (trace if trace and not deleted else {})
                results.append(result)
                if show:
                    show(len(results), len(exam.cases))
    order = {placed.case.id: number for number, placed in enumerate(exam.cases)}
    return sorted(results, key=lambda result: order[result.id]), facts


def make_record(
    results: Sequence[CaseResult], facts: dict[str, dict[str, Any]], seconds: float, config: dict[str, Any]
) -> Record:
    """One record of all exams of a run. `facts` are by exam; `config` holds the options of the run."""
    some = next(filter(None, facts.values()), {})
    return Record(
        **record.surroundings(),
        seconds=seconds,
        config={**config, "threshold": some.get("threshold")},
        versions=some.get("versions", {}),
        models=some.get("models", {}),
        stores={name: known["store"] for name, known in facts.items() if known},
        figures=record.group_figures(results),
        results=tuple(results),
    )


@contextmanager
def _folder(exam: Exam, deleted: tuple[str, ...], open_: OpenAnswerer) -> Iterator[tuple[Answerer, dict[str, str]]]:
    """The answerer over the exam's folder, and its texts. Documents to delete are indexed first, in a copy of it."""
    if not deleted:
        yield answerers.open_on(open_, exam.docs), exam.texts
        return
    with tempfile.TemporaryDirectory() as scratch:
        docs = Path(scratch, "docs")
        docs.mkdir()
        for name in exam.texts:  # other files of the folder are not read anyway
            (docs / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(exam.docs / name, docs / name)
        answerers.open_on(open_, docs)
        for name in deleted:
            (docs / name).unlink()
        yield answerers.open_on(open_, docs), {name: text for name, text in exam.texts.items() if name not in deleted}


def _run_case(
    exam: str, placed: Placed, answerer: Answerer, texts: dict[str, str], timeout_s: float
) -> tuple[CaseResult, dict[str, Any] | None]:
    history: list[Turn] = []
    start = time.perf_counter()
    try:
        for question in placed.case.turns:
            start = time.perf_counter()
            answer = answerers.ask(answerer, question, history, placed.case.docs, texts, timeout_s=timeout_s)
            seconds = time.perf_counter() - start
            history.append(Turn(question=question, text=answer.text))
    except QAError as error:
        return record.result(exam, placed.case, None, None, time.perf_counter() - start, str(error)), None
    trace = answer.trace
    facts = {"threshold": trace.threshold, "versions": trace.versions, "models": trace.models, "store": trace.store}
    return record.result(exam, placed.case, judge(placed, answer, texts), answer, seconds, None), facts
