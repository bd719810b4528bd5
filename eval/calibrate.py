"""Fits the confidence on whole-pipeline answers: SQuAD 2.0's first half as one collection. Needs the `train` extra.

    python -m eval.calibrate BENCH_DIR [--sample 3000] [--seed 1]

The packaged reader answers every question at threshold 0. Chosen is the threshold with the highest balanced accuracy,
all quotes counted that it leaves. calibration.json gets the Platt scaling of the reader's logit for the best quote to
whether one of these quotes holds the answer (where none is left: the best one); SHA256SUMS is renewed, and `Config`
takes the threshold. The card also says what the smallest threshold would leave at which at most WRONG of what is
answered is wrong.
"""

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import click

from eval import benchmark, metrics
from eval.benchmark import Asked, answers_at
from qa.config import from_environment
from qa.decide import Calibration
from qa.reader.reader import FILES, MODEL

WRONG = 0.05
REPORTED = (
    "threshold",
    "answerable_right",
    "unanswerable_refused",
    "auroc_answerable",
    "ece",
    "retrieved",
    "right_never_refusing",
)


def fit(logits: Sequence[float], right: Sequence[bool]) -> dict[str, float]:
    """Slope and intercept of the logistic regression of `right` on the logit, without regularisation to speak of."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit([[logit] for logit in logits], list(right))
    return {"slope": float(model.coef_[0, 0]), "intercept": float(model.intercept_[0])}


def threshold_of(asked: Sequence[Asked]) -> float:
    """The confidence from which on answering gives the highest balanced accuracy, 0–1; the smallest of equals."""
    steps = sorted({one.confidence for one in asked if one.quoted})
    return max(steps, key=lambda step: balanced(asked, step), default=1.0)


def balanced(asked: Sequence[Asked], threshold: float) -> float:
    """Mean of the share of answerable questions answered right and of that of the others refused."""
    kinds = [one.question.answerable for one in asked]
    right = [one.right(threshold) if one.question.answerable else not one.shown(threshold) for one in asked]
    return metrics.balanced_accuracy(right, kinds) or 0.0


def cautious(asked: Sequence[Asked], most_wrong: float = WRONG) -> float:
    """The smallest confidence at which at most that share of the answers is wrong; 1.0 where there is none."""
    steps = sorted({one.confidence for one in asked if one.quoted})
    return next((step for step in steps if 1 - mean(answers_at(asked, step)[1]) <= most_wrong), 1.0)


def calibrated(one: Asked, calibration: Callable[[float], float]) -> Asked:
    """The same outcome with probabilities in place of the reader's own scores."""
    scores = tuple(calibration(score) for score in one.scores)
    return replace(one, confidence=max(scores, default=0.0), scores=scores)


def figures(asked: Sequence[Asked], threshold: float) -> dict[str, Any]:
    return {key: value for key, value in benchmark.summary(asked, threshold).items() if key in REPORTED}


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sample", default=3000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(source: Path, sample: int, seed: int) -> None:
    write({"slope": 1.0, "intercept": 0.0})  # the reader's own probabilities
    with tempfile.TemporaryDirectory() as scratch:
        asked = benchmark.run(
            "squad2", source, Path(scratch), from_environment(), given=False, half=1, sample=sample, seed=seed,
            show=lambda done, total: click.echo(f"{done}/{total}", err=True) if done % 100 == 0 else None,
        )  # fmt: skip
    asked = [calibrated(one, lambda score: score) for one in asked]  # of several parts the surest, as in `final`
    at = threshold_of(asked)  # whatever the calibration, which keeps the order
    rows = [one for one in asked if one.quoted]
    scores = [min(max(one.confidence, 1e-6), 1 - 1e-6) for one in rows]
    right = [one.right(min(one.confidence, at)) for one in rows]
    fitted = fit([math.log(score / (1 - score)) for score in scores], right)
    final = [calibrated(one, Calibration(**fitted)) for one in asked]
    threshold = math.floor(1000 * Calibration(**fitted)(at)) / 1000
    card: dict[str, Any] = {
        **fitted,
        "threshold": threshold,
        "fitted_on": {"questions": len(asked), "half": 1, "seed": seed},
        "on_the_fitting_half": figures(final, threshold),
        "at_most_5_percent_wrong": figures(final, cautious(final)),
    }
    write(card)
    click.echo(json.dumps(card, indent=1))


def write(card: dict[str, Any]) -> None:
    """Into the package, with the sums of all the reader's files."""
    (MODEL / "calibration.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    sums = (f"{hashlib.sha256((MODEL / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(FILES))
    (MODEL / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


if __name__ == "__main__":
    main()
