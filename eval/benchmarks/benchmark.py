"""Public benchmarks through the whole pipeline: the gold document given, and all documents as one open collection.

A folder of documents is built from the benchmark's passages and asked with a threshold of 0, so that every
question has an answer and a confidence; what a threshold would refuse is worked out afterwards.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from eval import metrics
from eval.benchmarks import ownwords
from eval.benchmarks.questions import Question, halves_by, lines
from eval.exams import report
from eval.metrics import Interval
from qa.assistant import Assistant
from qa.config import Config
from qa.decide import Calibration
from qa.errors import QAError
from qa.reader.reader import load_calibration
from qa.schema import Answered, Refused
from qa.store import Store

Show = Callable[[int, int], None]
BOOTSTRAPS = 2000
_KEPT = ("confidence", "quoted", "scores", "short_answer", "retrieved")
COVERAGES = (0.9, 0.7, 0.5)  # shares of the answerable that are answered, at which refusals are reported


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's outcome at threshold 0: its confidence, and what was quoted, best first, with the quotes' scores."""

    question: Question
    confidence: float
    quoted: tuple[Interval, ...]
    scores: tuple[float, ...]
    short_answer: str | None
    retrieved: bool  # some hit overlaps the gold

    def shown(self, threshold: float) -> tuple[Interval, ...]:
        """The quotes that the threshold leaves; none means a refusal."""
        return tuple(quote for quote, score in zip(self.quoted, self.scores, strict=True) if score >= threshold)

    def right(self, threshold: float) -> bool:
        """Whether some shown quote overlaps a gold place at all; with `every`, one of each part."""
        shown = self.shown(threshold)
        found = [any(touches(quote, gold) for quote in shown for gold in part) for part in self.question.parts]
        return bool(found) and (all(found) if self.question.every else any(found))


def touches(one: Interval, other: Interval) -> bool:
    """Whether the two intervals of one document share a character."""
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def squad2(source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """SQuAD 2.0: a file a paragraph, or an article. Gold is the answer's place; halves by title in sorted order."""
    passages = list(lines(source / "squad2-dev-passages.jsonl.gz"))
    places = _write(docs, passages, by=lambda one: one["title"] if whole_articles else one["id"])
    halves = halves_by([one["title"] for one in passages])
    return [
        Question(
            id=one["id"],
            text=one["question"],
            answerable=one["answerable"],
            document=places[one["doc_ids"][0]][0],
            parts=(
                tuple(
                    (document, offset + start, offset + start + len(answer))
                    for document, offset in [places[one["doc_ids"][0]]]
                    for start, answer in zip(one["starts"], one["answers"], strict=True)
                ),
            )
            if one["answerable"]
            else (),
            answers=tuple(one["answers"]) if one["answerable"] else (),
            half=halves[one["title"]],
        )
        for one in lines(source / "squad2-dev-questions.jsonl.gz")
    ]


def evidence(name: str, source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """clapnq and chunking: a file a passage; gold is every evidence sentence or excerpt. Halves by passage id."""
    passages = list(lines(source / f"{name}-passages.jsonl.gz"))
    places = _write(docs, passages, by=lambda one: one["id"])
    texts = {one["id"]: one["text"] for one in passages}
    halves = halves_by([one["id"] for one in passages])
    questions = []
    for one in lines(source / f"{name}-questions.jsonl.gz"):
        passage = one["doc_ids"][0] if one["doc_ids"] else None
        gold = []
        for number, excerpt in enumerate(one["evidence"] if one["answerable"] and passage else ()):
            document, offset = places[str(passage)]
            start = one["spans"][number][0] if "spans" in one else texts[str(passage)].find(excerpt)
            if start >= 0:
                gold.append((document, offset + start, offset + start + len(excerpt)))
        questions.append(
            Question(
                id=one["id"],
                text=one["question"],
                answerable=one["answerable"],
                document=places[passage][0] if passage else None,
                parts=tuple((place,) for place in gold),
                answers=tuple(one["answers"]),
                half=halves.get(passage, 2),
            )
        )
    return questions


def beir(source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv. Gold is the whole of each relevant document."""
    passages = [
        {"id": one["_id"], "title": one.get("title", ""), "text": one["text"]} for one in lines(source / "corpus.jsonl")
    ]
    places = _write(docs, passages, by=lambda one: one["id"])
    sizes = {one["id"]: len(one["text"]) for one in passages}
    texts = {one["_id"]: one["text"] for one in lines(source / "queries.jsonl")}
    relevant: dict[str, list[str]] = defaultdict(list)
    qrels = source / "qrels" / "test.tsv"
    try:
        rows = [row.split("\t") for row in qrels.read_text("utf-8").splitlines()[1:]]
        for query, passage, grade in rows:
            if int(grade) > 0:
                relevant[query].append(passage)
    except (OSError, ValueError) as error:
        raise QAError(f"{qrels} cannot be read as query, passage, grade a line ({error}).") from None
    halves = halves_by(sorted(relevant))
    return [
        Question(
            id=query,
            text=texts[query],
            answerable=True,
            document=places[found[0]][0],
            parts=(tuple((places[one][0], places[one][1], places[one][1] + sizes[one]) for one in found),),
            answers=(),
            half=halves[query],
        )
        for query, found in relevant.items()
    ]


LOADERS: dict[str, Callable[..., list[Question]]] = {
    "squad2": squad2,
    "clapnq": lambda source, docs, **options: evidence("clapnq-dev", source, docs, **options),
    "chunking": lambda source, docs, **options: evidence("chunking-eval", source, docs, **options),
    "beir": beir,
    "ownwords": ownwords.load,
}


def load(
    name: str, source: Path, docs: Path, *, given: bool, half: int | None, sample: int, seed: int
) -> list[Question]:
    """Write the documents of one half (None: of both) to `docs`; a seeded sample (0: all) of its questions.

    `given`: a document is what a question's gold stands in, so that it alone can be asked.
    """
    try:
        questions = LOADERS[name](source, docs, whole_articles=not given)
    except (KeyError, IndexError, TypeError) as error:
        raise QAError(
            f"the files in {source} are not those of {name}: {error!r} is missing or not as expected."
        ) from None
    if half:
        kept = {one.document for one in questions if one.half == half}
        questions = [one for one in questions if one.half == half]
        for path in docs.iterdir():
            if path.name not in kept:
                path.unlink()
    if given:
        questions = [one for one in questions if one.document]
    if sample:
        questions = random.Random(seed).sample(questions, min(sample, len(questions)))  # noqa: S311
    return questions


def run(
    name: str,
    source: Path,
    scratch: Path,
    config: Config,
    *,
    given: bool,
    half: int | None,
    sample: int,
    seed: int,
    show: Show,
    keep: Path | None = None,
    raw: bool = False,
) -> list[Asked]:
    """Ask the questions that `load` gives; raises QAError for a missing file.

    `given`: only the gold document may be used. Else all documents of the half's questions are one collection.
    `keep`: a file of outcomes, a line a question. Those that it holds are not asked again, so that a run that was
    interrupted goes on; it is for one state of the code, the models and these options. `raw`: scores are the reader's
    own, whatever calibration is packaged.
    """
    docs = scratch / "docs"
    docs.mkdir()
    questions = load(name, source, docs, given=given, half=half, sample=sample, seed=seed)
    assistant = Assistant(Store(scratch / "store", docs), replace(config, threshold=0.0))
    assistant.refresh()
    if raw:
        assistant.calibration = Calibration(slope=1.0, intercept=0.0)
    threshold = load_calibration()["threshold"]
    known = {row["id"]: row for row in _whole_lines(keep)} if keep and keep.exists() else {}
    results = []
    for number, question in enumerate(questions, 1):
        if question.id in known:
            results.append(_from_row(question, known[question.id]))
            continue
        documents = [question.document] if given and question.document else None
        results.append(outcome(question, assistant.ask(question.text, documents=documents), threshold))
        if keep:
            with keep.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(_row(results[-1])))  # behind a line that was cut off, too
        show(number, len(questions))
    assistant.close()
    return results


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of outcomes, without a line that was cut off when the run was interrupted."""
    for line in path.read_text("utf-8").splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def _row(asked: Asked) -> dict[str, Any]:
    """What an outcome holds beside its question, as JSON data."""
    return {"id": asked.question.id} | {name: getattr(asked, name) for name in _KEPT}


def _from_row(question: Question, row: dict[str, Any]) -> Asked:
    quoted = tuple((document, start, end) for document, start, end in row["quoted"])
    return Asked(
        **{name: row[name] for name in _KEPT} | {"quoted": quoted, "scores": tuple(row["scores"])}, question=question
    )


def by_kind(results: Sequence[Asked], threshold: float) -> dict[str, dict[str, Any]]:
    """Kind of question → how many, and the share answered right (answerable kinds) or refused (the others)."""
    kinds: dict[str, list[Asked]] = defaultdict(list)
    for one in results:
        kinds[one.question.kind].append(one)
    return {
        kind: {
            "questions": len(some),
            "right": metrics.mean([one.right(threshold) for one in some if one.question.answerable]),
            "refused": metrics.mean([not one.shown(threshold) for one in some if not one.question.answerable]),
            "retrieved": metrics.mean([one.retrieved for one in some if one.question.answerable]),
        }
        for kind, some in sorted(kinds.items())
    }


def summary(results: Sequence[Asked], threshold: float) -> dict[str, Any]:
    """The figures at the threshold and without one."""
    yes, no = ([one for one in results if one.question.answerable is kind] for kind in (True, False))
    verdicts = [one.right(threshold) if one.question.answerable else not one.shown(threshold) for one in results]
    kinds = [one.question.answerable for one in results]
    positions = sorted((one.confidence for one in yes), reverse=True)
    confidence, right = answers_at(results, threshold)
    short = [one for one in yes if one.short_answer is not None]
    found = {
        "questions": len(results),
        "answerable": len(yes),
        "retrieved": metrics.mean([one.retrieved for one in yes]),
        "right_never_refusing": metrics.mean([one.right(0.0) for one in yes]),
        "threshold": threshold,
        "answerable_answered": metrics.mean([bool(one.shown(threshold)) for one in yes]),
        "answerable_right": metrics.mean([one.right(threshold) for one in yes]),
        "unanswerable_refused": metrics.mean([not one.shown(threshold) for one in no]),
        "balanced_accuracy": metrics.balanced_accuracy(verdicts, kinds),
        "balanced_accuracy_interval": _balanced_interval(verdicts, kinds),
        "auroc_answerable": metrics.auroc([one.confidence for one in yes], [one.confidence for one in no]),
        "ece": metrics.ece(confidence, right),
        "aurc": metrics.aurc(metrics.risk_coverage(confidence, right, len(results))),
        "quote_precision": metrics.mean(
            [metrics.quote_precision(one.shown(threshold), one.question.gold) for one in yes]
        ),
        "quote_recall": metrics.mean([metrics.quote_recall(one.shown(threshold), one.question.parts) for one in yes]),
        "em_answerable": metrics.mean(
            [metrics.exact_match(one.short_answer or "", one.question.answers) for one in short]
        ),
        "f1_answerable": metrics.mean(
            [metrics.token_f1(one.short_answer or "", one.question.answers) for one in short]
        ),
    }
    for share in COVERAGES:
        if yes and no:
            bar = positions[max(0, round(share * len(positions)) - 1)]
            found[f"refused_at_{share:.0%}"] = metrics.mean([one.confidence < bar for one in no])
    return found


def answers_at(results: Sequence[Asked], threshold: float) -> tuple[list[float], list[bool]]:
    """Confidence of each answer that the threshold leaves, and whether it is right."""
    answered = [one for one in results if one.shown(threshold)]
    return [one.confidence for one in answered], [one.right(threshold) for one in answered]


def plot(results: Sequence[Asked], threshold: float, path: Path) -> None:
    """Risk–coverage and reliability of the answers that the threshold leaves, as a picture; needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    confidence, right = answers_at(results, threshold)
    report.plot_risk_coverage(axes[0], confidence, right, len(results))
    report.plot_reliability(axes[1], confidence, right)
    figure.savefig(path, dpi=110)


def _balanced_interval(verdicts: Sequence[bool], answerable: Sequence[bool]) -> tuple[float, float] | None:
    """95 % interval of the balanced accuracy, resampling each kind by itself; None unless both are there."""
    kinds = [[float(v) for v, a in zip(verdicts, answerable, strict=True) if a is kind] for kind in (True, False)]
    if not all(kinds):
        return None
    draw = random.Random(0)  # noqa: S311  # statistics, not secrets
    found = sorted(fmean(fmean(draw.choices(one, k=len(one))) for one in kinds) for _ in range(BOOTSTRAPS))
    return found[int(0.025 * BOOTSTRAPS)], found[int(0.975 * BOOTSTRAPS) - 1]


def outcome(question: Question, answer: Answered | Refused, threshold: float) -> Asked:
    """The outcome at threshold 0, with the confidence that it would have been shown with at `threshold`.

    That is the least sure of the parts that reach it: those that do not would have been left open.
    """
    hits = [(hit.document, hit.start, hit.end) for hit in answer.trace.hits]
    quotes = answer.quotes if isinstance(answer, Answered) else ()
    best = max((quote.score for quote in quotes), default=0.0)
    covered = [one.probability for one in answer.trace.verdicts if one.probability >= threshold]
    return Asked(
        question=question,
        confidence=min([best, *covered]),
        quoted=tuple((quote.document, quote.start, quote.end) for quote in quotes),
        scores=tuple(quote.score for quote in quotes),
        short_answer=answer.short_answer if isinstance(answer, Answered) else None,
        retrieved=any(touches(hit, gold) for hit in hits for gold in question.gold),
    )


def _write(
    docs: Path, passages: Sequence[dict[str, Any]], *, by: Callable[[dict[str, Any]], str]
) -> dict[str, tuple[str, int]]:
    """One text file a group, its title first; returns passage id → (file, offset of the passage's text in it)."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for passage in passages:
        groups[by(passage)].append(passage)
    places: dict[str, tuple[str, int]] = {}
    for number, members in enumerate(groups.values()):
        name, text = f"{number:06}.txt", members[0]["title"].replace("_", " ")
        for passage in members:
            text += "\n\n" if text else ""
            places[passage["id"]] = (name, len(text))
            text += passage["text"]
        (docs / name).write_bytes(text.encode("utf-8"))
    return places
