"""The outcome of each question of a benchmark, and the figures of many outcomes. Pure."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from eval import metrics
from eval.benchmarks.questions import Question
from eval.exams import report
from eval.metrics import Interval
from qa.schema import Answered, Refused

BOOTSTRAPS = 2000
COVERAGES = (0.9, 0.7, 0.5)  # shares of the answerable questions that are answered, at which refusals are reported


@dataclass(frozen=True, slots=True)
class BenchmarkOutcome:
    """A question's outcome at threshold 0: the confidence, and the quotes, best first, with their scores."""

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


def outcome(question: Question, answer: Answered | Refused, threshold: float) -> BenchmarkOutcome:
    """The outcome at threshold 0, with the confidence that it would have been shown with at `threshold`.

    That is the least sure of the parts that reach it: those that do not would have been left open.
    """
    hits = [(hit.document, hit.start, hit.end) for hit in answer.trace.hits]
    quotes = answer.quotes if isinstance(answer, Answered) else ()
    best = max((quote.score for quote in quotes), default=0.0)
    covered = [verdict.probability for verdict in answer.trace.verdicts if verdict.probability >= threshold]
    return BenchmarkOutcome(
        question=question,
        confidence=min([best, *covered]),
        quoted=tuple((quote.document, quote.start, quote.end) for quote in quotes),
        scores=tuple(quote.score for quote in quotes),
        short_answer=answer.short_answer if isinstance(answer, Answered) else None,
        retrieved=any(touches(hit, gold) for hit in hits for gold in question.gold),
    )


def by_kind(results: Sequence[BenchmarkOutcome], threshold: float) -> dict[str, dict[str, Any]]:
    """Kind of question → how many, and the share answered right (answerable kinds) or refused (the others)."""
    kinds: dict[str, list[BenchmarkOutcome]] = defaultdict(list)
    for outcome in results:
        kinds[outcome.question.kind].append(outcome)
    return {
        kind: {
            "questions": len(some),
            "right": metrics.mean([outcome.right(threshold) for outcome in some if outcome.question.answerable]),
            "refused": metrics.mean(
                [not outcome.shown(threshold) for outcome in some if not outcome.question.answerable]
            ),
            "retrieved": metrics.mean([outcome.retrieved for outcome in some if outcome.question.answerable]),
        }
        for kind, some in sorted(kinds.items())
    }


def summary(results: Sequence[BenchmarkOutcome], threshold: float) -> dict[str, Any]:
    """The figures at the threshold and without one."""
    yes, no = ([outcome for outcome in results if outcome.question.answerable is kind] for kind in (True, False))
    verdicts = [
        outcome.right(threshold) if outcome.question.answerable else not outcome.shown(threshold) for outcome in results
    ]
    kinds = [outcome.question.answerable for outcome in results]
    positions = sorted((outcome.confidence for outcome in yes), reverse=True)
    confidence, right = answers_at(results, threshold)
    short = [outcome for outcome in yes if outcome.short_answer is not None]
    found = {
        "questions": len(results),
        "answerable": len(yes),
        "retrieved": metrics.mean([outcome.retrieved for outcome in yes]),
        "right_never_refusing": metrics.mean([outcome.right(0.0) for outcome in yes]),
        "threshold": threshold,
        "answerable_answered": metrics.mean([bool(outcome.shown(threshold)) for outcome in yes]),
        "answerable_right": metrics.mean([outcome.right(threshold) for outcome in yes]),
        "unanswerable_refused": metrics.mean([not outcome.shown(threshold) for outcome in no]),
        "balanced_accuracy": metrics.balanced_accuracy(verdicts, kinds),
        "balanced_accuracy_interval": _balanced_interval(verdicts, kinds),
        "auroc_answerable": metrics.auroc(
            [outcome.confidence for outcome in yes], [outcome.confidence for outcome in no]
        ),
        "ece": metrics.ece(confidence, right),
        "aurc": metrics.aurc(metrics.risk_coverage(confidence, right, len(results))),
        "quote_precision": metrics.mean(
            [metrics.quote_precision(outcome.shown(threshold), outcome.question.gold) for outcome in yes]
        ),
        "quote_recall": metrics.mean(
            [metrics.quote_recall(outcome.shown(threshold), outcome.question.parts) for outcome in yes]
        ),
        "em_answerable": metrics.mean(
            [metrics.exact_match(outcome.short_answer or "", outcome.question.answers) for outcome in short]
        ),
        "f1_answerable": metrics.mean(
            [metrics.token_f1(outcome.short_answer or "", outcome.question.answers) for outcome in short]
        ),
    }
    for share in COVERAGES:
        if yes and no:
            bar = positions[max(0, round(share * len(positions)) - 1)]
            found[f"refused_at_{share:.0%}"] = metrics.mean([outcome.confidence < bar for outcome in no])
    return found


def answers_at(results: Sequence[BenchmarkOutcome], threshold: float) -> tuple[list[float], list[bool]]:
    """Confidence of each answer that the threshold leaves, and whether it is right."""
    answered = [outcome for outcome in results if outcome.shown(threshold)]
    return [outcome.confidence for outcome in answered], [outcome.right(threshold) for outcome in answered]


def plot(results: Sequence[BenchmarkOutcome], threshold: float, path: Path) -> None:
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
    found = sorted(fmean(fmean(draw.choices(values, k=len(values))) for values in kinds) for _ in range(BOOTSTRAPS))
    return found[int(0.025 * BOOTSTRAPS)], found[int(0.975 * BOOTSTRAPS) - 1]
