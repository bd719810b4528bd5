"""Run records: configuration, the verdict on each case, the figures of each group; and the comparison of two runs."""

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from eval import metrics
from eval.exams.cases import Case, Gold
from eval.exams.judge import Judgement
from qa.schema import Answered, Boundary, Refused

SIGNIFICANT = 0.05  # a fall is more than chance when the p of the paired test is below this, or all cases are lost
THREE_OUTCOMES = ("correct", "incorrect", "not_attempted")  # of answerable cases
GATED = ("answerable_right", "refused")  # the shares that must not fall; an inexact quote fails a run by itself


class CaseVerdict(Boundary):
    """The verdict on one case: what a later run is compared with."""

    id: str
    exam: str
    kind: str
    split: str
    answerable: bool
    right: bool


class CaseResult(CaseVerdict):
    """The verdict on one case with the answer that was judged."""

    turns: tuple[str, ...]
    gold: tuple[Gold, ...]
    note: str
    judgement: Judgement | None  # None: the answerer failed, see `error`
    confidence: float
    seconds: float
    answer: dict[str, JsonValue] | None
    error: str | None = None

    @property
    def answered(self) -> bool:
        """Whether quotes were given as an answer."""
        return self.answer is not None and self.answer["status"] == "answered"

    @property
    def refused(self) -> bool:
        """Whether the question was refused. When the answerer failed, it is neither answered nor refused."""
        return self.answer is not None and not self.answered


class RunFacts(Boundary):
    """When, where and with which code a run was made."""

    started: str
    seconds: float
    commit: str | None
    dirty: bool | None
    machine: str


class Baseline(RunFacts):
    """The verdicts of a run, kept to compare later runs with; small enough to be committed."""

    verdicts: tuple[CaseVerdict, ...]


class Record(RunFacts):
    """A whole run. `figures[group]` holds the metrics of an exam, of a split or of a kind of its cases."""

    config: dict[str, JsonValue]
    versions: dict[str, str]
    models: dict[str, str]
    stores: dict[str, str]
    figures: dict[str, dict[str, JsonValue]]
    results: tuple[CaseResult, ...]

    def baseline(self) -> Baseline:
        """The run and its verdicts, without the answers."""
        verdicts = [{name: getattr(result, name) for name in CaseVerdict.model_fields} for result in self.results]
        return Baseline.model_validate(
            {name: getattr(self, name) for name in RunFacts.model_fields} | {"verdicts": verdicts}
        )


def figures(results: Sequence[CaseResult]) -> dict[str, JsonValue]:
    """All metrics over these results, with counts; None when no case is eligible."""
    verdicts = [result.judgement for result in results if result.judgement]
    yes, no = ([result.right for result in results if result.answerable is kind] for kind in (True, False))
    answered = [result for result in results if result.answered]
    # A case whose answerer failed counts as not refused, and as wrong in every share that it is eligible for.
    refused = metrics.refusals([result.refused for result in results], [result.answerable for result in results])
    confidence, right = [result.confidence for result in answered], [result.right for result in answered]
    ranked = [(verdict.ranked, verdict.parts) for verdict in verdicts if verdict.ranked is not None]
    expected = [verdict for verdict in verdicts if verdict.conflict_expected]
    found = sum(verdict.conflict_found for verdict in expected)
    marked, marked_right = (sum(getattr(v, name) for v in verdicts) for name in ("conflicts_marked", "conflicts_right"))
    printed = [verdict.large_print for verdict in verdicts if verdict.large_print]
    shown = sum(verdict.quotes for verdict in verdicts)
    inexact = sum(len(verdict.inexact) for verdict in verdicts)
    curve = metrics.risk_coverage(confidence, right, len(results))
    return {
        "cases": len(results),
        "errors": len(results) - len(verdicts),
        "answerable": len(yes),
        "answerable_right": metrics.mean(yes),
        "answerable_right_interval": _interval(yes),
        **{name: sum(verdict.outcome == name for verdict in verdicts) for name in THREE_OUTCOMES},
        "unanswerable": len(no),
        "refused": metrics.mean(no),
        "refused_interval": _interval(no),
        "refusal_precision": refused.precision,
        "refusal_recall": refused.recall,
        "refusal_counts": [refused.true, refused.refused, refused.unanswerable],
        "balanced_accuracy": metrics.balanced_accuracy([*yes, *no], [True] * len(yes) + [False] * len(no)),
        "exactness": 1 - inexact / shown if shown else None,
        "quotes": shown,
        "quote_precision": metrics.mean([verdict.quote_precision for verdict in verdicts]),
        "quote_recall": metrics.mean([verdict.quote_recall for verdict in verdicts]),
        "exact_match": metrics.mean([verdict.exact_match for verdict in verdicts]),
        "token_f1": metrics.mean([verdict.token_f1 for verdict in verdicts]),
        "large_print_right": metrics.mean([line == "right" for line in printed if line != "absent"]),
        "large_print_counts": [printed.count("right"), printed.count("wrong"), printed.count("absent")],
        "recall_at_12": metrics.mean([metrics.recall_at(hits, 12, parts) for hits, parts in ranked]),
        "mrr": metrics.mean([metrics.reciprocal_rank(hits) for hits, _ in ranked]),
        "ndcg_at_12": metrics.mean([metrics.ndcg(hits, 12, parts) for hits, parts in ranked]),
        "conflict_precision": marked_right / marked if marked else None,
        "conflict_recall": found / len(expected) if expected else None,
        "conflict_counts": [marked_right, marked, found, len(expected)],
        "aurc": metrics.aurc(curve),
        "coverage": len(answered) / len(results) if results else None,
        "ece": metrics.ece(confidence, right),
        "causes": _counts([verdict.cause for verdict in verdicts if verdict.cause]),
        "latency_ms": _latencies(results),
    }


def _interval(values: Sequence[bool]) -> JsonValue:
    found = metrics.bootstrap([float(value) for value in values])
    return None if found is None else list(found)


def _counts(values: Sequence[str]) -> dict[str, JsonValue]:
    return {value: values.count(value) for value in sorted(set(values))}


def _latencies(results: Sequence[CaseResult]) -> dict[str, JsonValue]:
    stages: dict[str, list[float]] = {"total": [1000 * result.seconds for result in results]}
    for result in results:
        trace: Any = result.answer["trace"] if result.answer else {}
        for stage, value in trace.get("timings_ms", {}).items():
            stages.setdefault(stage, []).append(value)
    return {
        stage: {"p50": metrics.percentile(values, 0.5), "p95": metrics.percentile(values, 0.95)}
        for stage, values in stages.items()
        if values
    }


def group_figures(results: Sequence[CaseResult]) -> dict[str, dict[str, JsonValue]]:
    """Figures of each exam, of its splits and of its kinds: `seeds`, `seeds/dev`, `seeds/test`, `seeds:near_miss` …"""
    groups: dict[str, list[CaseResult]] = {}
    for result in results:
        for name in (result.exam, f"{result.exam}/{result.split}", f"{result.exam}:{result.kind}"):
            groups.setdefault(name, []).append(result)
    return {name: figures(group) for name, group in sorted(groups.items())}


def result(
    exam: str,
    case: Case,
    judgement: Judgement | None,
    answer: Answered | Refused | None,
    seconds: float,
    error: str | None,
) -> CaseResult:
    """The result of one case. When the answerer failed (`error`), it is wrong and counted as an error."""
    return CaseResult(
        id=case.id,
        exam=exam,
        kind=case.kind,
        split=case.split,
        turns=case.turns,
        gold=case.gold,
        note=case.note,
        answerable=case.answerable,
        right=judgement is not None and judgement.right,
        judgement=judgement,
        confidence=answer.confidence if answer else 0.0,
        seconds=seconds,
        answer=answer.model_dump(mode="json") if answer else None,
        error=error,
    )


def surroundings() -> dict[str, Any]:
    """Date, commit, dirty flag and machine of this run; commit and flag are None when this is no checkout."""
    root = Path(__file__).resolve().parents[2]
    is_checkout = (root / ".git").exists()  # git itself might find another repository around an installed package
    commit, status = (
        _git(root, *words) if is_checkout else None for words in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    )
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "dirty": None if status is None else bool(status),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{_cpu()},"
        f" Python {platform.python_version()}",
    }


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return f" of {found[1]}" if found else ""


def _git(root: Path, *args: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def compare(before: Sequence[CaseVerdict], after: Sequence[CaseVerdict]) -> list[dict[str, Any]]:
    """A row for each exam and gated metric: the shares over the cases of both runs, their difference and its p."""
    old = {(verdict.exam, verdict.id): verdict for verdict in before}
    rows: list[dict[str, Any]] = []
    for exam in sorted({verdict.exam for verdict in after}):
        for metric, answerable in zip(GATED, (True, False), strict=True):
            pairs = [
                (old[verdict.exam, verdict.id], verdict)
                for verdict in after
                if verdict.exam == exam and verdict.answerable is answerable and (verdict.exam, verdict.id) in old
            ]
            if not pairs:
                continue
            difference, p = metrics.paired_difference([a.right for a, _ in pairs], [b.right for _, b in pairs])
            rows.append(
                {
                    "exam": exam,
                    "metric": metric,
                    "cases": len(pairs),
                    "before": metrics.mean([a.right for a, _ in pairs]),
                    "after": metrics.mean([b.right for _, b in pairs]),
                    "difference": difference,
                    "p": p,
                    "lost": [b.id for a, b in pairs if a.right and not b.right],
                    "gained": [b.id for a, b in pairs if b.right and not a.right],
                    "falls": difference < 0 and (p < SIGNIFICANT or not any(b.right for _, b in pairs)),
                }
            )
    return rows


def missing(before: Sequence[CaseVerdict], after: Sequence[CaseVerdict]) -> list[str]:
    """The cases that only `before` has, of the exams that `after` has too."""
    exams, asked = {verdict.exam for verdict in after}, {(verdict.exam, verdict.id) for verdict in after}
    return [
        f"{verdict.exam} {verdict.id}"
        for verdict in before
        if verdict.exam in exams and (verdict.exam, verdict.id) not in asked
    ]
