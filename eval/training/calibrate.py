"""Fits confidence and threshold of a reader on whole-pipeline answers. Needs the `train` extra.

    python -m eval.training.calibrate MODEL_DIR OUTCOMES --own TRAIN_DIR [--bench BENCH_DIR] [--sample 400] [--seed 1]

The reader in MODEL_DIR answers, at threshold 0, questions of the first half of `ownwords` dev, each document alone
(TRAIN_DIR), and of SQuAD 2.0's first half as one collection (BENCH_DIR). Both benchmarks count the same, whatever their
numbers of questions. The threshold is the one with the highest mean balanced accuracy: the median over resampled
questions. The calibration is a Platt scaling from the reader's logit for the best quote to whether one of the quotes
that the threshold leaves holds the answer (when none is left: the best quote). OUTCOMES is a folder of what was
answered: an interrupted run goes on there. MODEL_DIR changes whole, at the end.
"""

import json
import math
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from eval import metrics
from eval.benchmarks import benchmark
from eval.benchmarks.outcomes import BenchmarkOutcome, answers_at, summary
from eval.benchmarks.questions import Reach
from eval.training.swap import replacing, write_sums
from qa.config import from_environment
from qa.errors import ModelError, QAError
from qa.reader.base import Calibration
from qa.reader.packaged import FILES, CrossEncoder, model_sha256

MAX_WRONG = 0.05  # share of the answers
ROUNDS = 200
REPORTED = (
    "questions",
    "threshold",
    "answerable_right",
    "unanswerable_refused",
    "balanced_accuracy",
    "auroc_answerable",
    "ece",
    "retrieved",
    "right_never_refusing",
)
REACH: dict[str, Reach] = {"squad2": "all", "ownwords": "document"}  # benchmark → which documents are asked


def fit(logits: Sequence[float], right: Sequence[bool], weights: Sequence[float] | None = None) -> dict[str, float]:
    """Slope and intercept of the logistic regression of `right` on the logit, without regularisation to speak of."""
    from sklearn.linear_model import LogisticRegression

    if len(set(right)) < 2:
        told = "right" if right and right[0] else "wrong"
        raise ModelError(f"all {len(right)} answers are {told}: nothing can be fitted; calibrate with more questions.")

    model = LogisticRegression(C=1e6).fit([[logit] for logit in logits], list(right), sample_weight=weights)
    return {"slope": float(model.coef_[0, 0]), "intercept": float(model.intercept_[0])}


def threshold_of(samples: Sequence[Sequence[BenchmarkOutcome]]) -> float:
    """The confidence from which on answering gives the highest mean balanced accuracy, 0–1; the smallest of equals."""
    steps = np.array(sorted({outcome.confidence for asked in samples for outcome in asked if outcome.quoted}))
    if not len(steps):
        return 1.0
    sums = sum(_balanced_at(asked, steps) for asked in samples)
    return float(steps[int(np.argmax(sums))])


def _balanced_at(asked: Sequence[BenchmarkOutcome], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """`balanced` at each of these thresholds, ascending."""
    shares = []
    for kind, until in ((True, lasts), (False, lambda outcome: max(outcome.scores, default=-1.0))):
        held = np.sort([until(outcome) for outcome in asked if outcome.question.answerable is kind])
        if len(held):
            below = np.searchsorted(held, steps, side="left") / len(held)  # shown no more, or right no more
            shares.append(1 - below if kind else below)
    return np.mean(shares, axis=0) if len(shares) == 2 else np.zeros(len(steps))


def lasts(outcome: BenchmarkOutcome) -> float:
    """The highest threshold at which the answer is right; -1 where it never is."""
    steps = [score for score in outcome.scores if outcome.right(score)]
    return max(steps, default=-1.0)


def steady_threshold(samples: Sequence[Sequence[BenchmarkOutcome]], *, rounds: int = ROUNDS) -> float:
    """The median of `threshold_of` over resampled questions, 0–1.

    The mean balanced accuracy is nearly the same over a wide range, so that a few questions decide where it is highest.
    Resampling finds the middle of that range (bagging, Breiman 1996).
    """
    draw = random.Random(0)
    found = []
    for _ in range(rounds):
        found.append(threshold_of([draw.choices(list(asked), k=len(asked)) for asked in samples]))
    return median(found)


def balanced(asked: Sequence[BenchmarkOutcome], threshold: float) -> float:
    """Mean of the share of answerable questions answered right and of that of the others refused."""
    kinds = [outcome.question.answerable for outcome in asked]
    right = [
        outcome.right(threshold) if outcome.question.answerable else not outcome.shown(threshold) for outcome in asked
    ]
    return metrics.balanced_accuracy(right, kinds) or 0.0


def cautious(asked: Sequence[BenchmarkOutcome], max_wrong: float = MAX_WRONG) -> float:
    """The smallest confidence at which at most that share of the answers is wrong; 1.0 where there is none."""
    steps = sorted({outcome.confidence for outcome in asked if outcome.quoted})
    return next((step for step in steps if 1 - mean(answers_at(asked, step)[1]) <= max_wrong), 1.0)


def calibrated(outcome: BenchmarkOutcome, calibration: Callable[[float], float]) -> BenchmarkOutcome:
    """The same outcome with probabilities in place of the scores it has; of several parts the surest."""
    scores = tuple(calibration(score) for score in outcome.scores)
    return replace(outcome, confidence=max(scores, default=0.0), scores=scores)


def logit_of(probability: float) -> float:
    """The reader's logit behind its own probability."""
    within = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(within / (1 - within))


def fitted_on(samples: Sequence[Sequence[BenchmarkOutcome]]) -> tuple[dict[str, float], list[list[BenchmarkOutcome]]]:
    """Slope, intercept and threshold; and the samples with the probabilities that these give.

    The scores of `samples` are the reader's own probabilities, not calibrated.
    """
    samples = [[calibrated(outcome, float) for outcome in asked] for asked in samples]  # of several parts the surest
    at = steady_threshold(samples)  # whatever the calibration, which keeps the order
    rows = [(outcome, 1 / len(asked)) for asked in samples for outcome in asked if outcome.quoted]
    logits = [logit_of(outcome.confidence) for outcome, _ in rows]
    right = [outcome.right(min(outcome.confidence, at)) for outcome, _ in rows]
    scale = len(rows) / sum(weight for _, weight in rows)
    fitted = fit(logits, right, [weight * scale for _, weight in rows])
    threshold = math.floor(1000 * Calibration(**fitted)(at)) / 1000
    final = [[calibrated(outcome, Calibration(**fitted)) for outcome in asked] for asked in samples]
    return fitted | {"threshold": threshold}, final


def figures(asked: Sequence[BenchmarkOutcome], threshold: float) -> dict[str, Any]:
    """What the card says of these questions at this threshold, to four digits."""
    found = summary(asked, threshold)
    return {
        key: value if key == "questions" else round(value or 0.0, 4) for key, value in found.items() if key in REPORTED
    }


def calibrate(
    model: Path, sources: Mapping[str, Path], outcomes: Path, *, sample: int, seed: int, show: bool = False
) -> dict[str, Any]:
    """Calibrate the reader in `model`; returns what `calibration.json` holds.

    `sources`: name of a benchmark, one of REACH → the folder of its files. `sample`: at most so many questions of each
    half.
    """
    outcomes.mkdir(parents=True, exist_ok=True)
    config = from_environment()
    reader = CrossEncoder(threads=config.threads, folder=model)
    weights = model_sha256(model)[:12]  # so that outcomes of other weights are not taken for these

    def asked(name: str, half: int) -> list[BenchmarkOutcome]:
        with tempfile.TemporaryDirectory() as scratch:
            return benchmark.run(
                name, sources[name], Path(scratch), config, reach=REACH[name], half=half, sample=sample, seed=seed,
                reader=reader, raw=True, show=_show(f"{name} {half}") if show else lambda done, total: None,
                keep=outcomes / f"{name}-{half}-{sample}-{seed}-{weights}.jsonl",
            )  # fmt: skip

    samples = {name: asked(name, 1) for name in sources}
    fitted, final = fitted_on(list(samples.values()))
    held = {name: asked(name, 2) for name in sources}
    scaling = Calibration(fitted["slope"], fitted["intercept"])
    card: dict[str, Any] = {
        **fitted,
        "fitted_on": {"half": 1, "seed": seed, "sample": sample},
        "on_the_fitting_halves": {
            name: figures(rows, fitted["threshold"]) for name, rows in zip(samples, final, strict=True)
        },
        "on_the_other_halves": {
            name: figures([calibrated(outcome, scaling) for outcome in rows], fitted["threshold"])
            for name, rows in held.items()
        },
        "at_most_5_percent_wrong": {
            name: figures(rows, cautious(rows)) for name, rows in zip(samples, final, strict=True)
        },
    }
    write(card, model)
    return card


def _show(name: str) -> Callable[[int, int], None]:
    return lambda done, total: click.echo(f"{name} {done}/{total}", err=True) if done % 100 == 0 else None


def write(card: dict[str, Any], folder: Path) -> None:
    """Write the calibration into the model's folder, with the sums of all its files; the folder changes whole."""
    with replacing(folder) as made:
        (made / "calibration.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        write_sums(made, FILES)


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("outcomes", type=click.Path(file_okay=False, path_type=Path))
@click.option("--own", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--bench", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sample", default=400, show_default=True, help="Questions of each half of each benchmark.")
@click.option("--seed", default=1, show_default=True)
def main(model: Path, outcomes: Path, own: Path, bench: Path | None, sample: int, seed: int) -> None:
    sources = ({"squad2": bench} if bench else {}) | {"ownwords": own}
    try:
        card = calibrate(model, sources, outcomes, sample=sample, seed=seed, show=True)
    except QAError as error:
        raise click.ClickException(str(error)) from None
    click.echo(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
