"""Fitting the confidence: the threshold's arithmetic by hand, and one number in two places that must agree."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.benchmarks.outcomes import BenchmarkOutcome
from eval.benchmarks.questions import Question
from eval.training.calibrate import balanced, calibrated, cautious, steady_threshold, threshold_of, write
from qa.reader.base import Calibration
from qa.reader.packaged import FILES, MODEL, load_calibration

GOLD = (("a", 0, 10),)
ELSEWHERE = (("a", 20, 30),)
YES = Question("y", "?", True, "a", (GOLD,), (), 1)
NO = Question("n", "?", False, "a", (), (), 1)


def asked(score: float, *, right: bool) -> BenchmarkOutcome:
    return BenchmarkOutcome(YES, score, GOLD if right else ELSEWHERE, (score,), None, True)


def test_the_cautious_threshold_is_the_smallest_with_few_wrong_answers() -> None:
    rows = [asked(0.9, right=True), asked(0.8, right=False), asked(0.7, right=True), asked(0.6, right=True)]
    assert cautious(rows, 0.25) == 0.6  # one of four is wrong
    assert cautious(rows, 0.2) == 0.9  # from 0.7 on it is one of three, from 0.8 on one of two
    assert cautious(rows[1:2], 0.2) == 1.0
    assert cautious([*rows, asked(0.1, right=False)], 0.25) == 0.6


def test_a_refusal_is_no_wrong_answer() -> None:
    refused = BenchmarkOutcome(YES, 0.0, (), (), None, True)
    assert cautious([refused, asked(0.5, right=True)], 0.0) == 0.5


def test_the_threshold_has_the_highest_balanced_accuracy() -> None:
    def no(score: float) -> BenchmarkOutcome:
        return BenchmarkOutcome(NO, score, ELSEWHERE, (score,), None, False)

    rows = [asked(0.9, right=True), no(0.8), asked(0.7, right=True), asked(0.6, right=False), no(0.5), no(0.4)]
    assert balanced(rows, 0.7) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert balanced(rows, 0.9) == pytest.approx((1 / 3 + 1) / 2)
    assert threshold_of([rows]) == 0.6  # as at 0.7 and 0.9: the smallest of equals


def test_calibration_keeps_the_order_and_takes_the_best_quote() -> None:
    two = BenchmarkOutcome(YES, 0.9, (*GOLD, *ELSEWHERE), (0.9, 0.2), None, True)
    made = calibrated(two, Calibration(0.5, -0.3))
    assert made.confidence == made.scores[0] > made.scores[1]
    assert made.scores[0] == pytest.approx(0.690, abs=0.001)  # 0.5 * logit(0.9) - 0.3 = 0.799
    assert made.quoted == two.quoted


def test_both_samples_count_the_same_whatever_their_numbers() -> None:
    few = [asked(0.9, right=True), asked(0.3, right=False)]
    many = [asked(0.5, right=True)] * 20 + [BenchmarkOutcome(NO, 0.4, ELSEWHERE, (0.4,), None, False)] * 20
    assert threshold_of([few, many]) == 0.5  # at 0.9, as few alone have it, many lose half
    assert threshold_of([few * 10, many]) == threshold_of([few * 30, many]) == 0.5


def test_the_threshold_does_not_hang_on_a_single_question() -> None:
    """From 0.31 to 0.59 the balanced accuracy is the same but for one lucky question at 0.59."""
    yes = [asked(0.6 + n / 100, right=True) for n in range(20)]
    no = [BenchmarkOutcome(NO, 0.1 + n / 100, ELSEWHERE, (0.1 + n / 100,), None, False) for n in range(20)]
    odd = [asked(0.3 + n / 100, right=n % 2 == 0) for n in range(29)]
    one = steady_threshold([[*yes, *no, *odd]], rounds=50)
    assert 0.29 <= one <= 0.6
    assert one == steady_threshold([[*yes, *no, *odd]], rounds=50), "the same each time"


def test_a_calibration_is_written_with_its_sum_and_leaves_no_part_behind(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    write({"slope": 2.0, "intercept": -1.0, "threshold": 0.5}, tmp_path)
    assert load_calibration(tmp_path) == {"slope": 2.0, "intercept": -1.0, "threshold": 0.5}
    assert {one.name for one in tmp_path.iterdir()} == {*FILES, "SHA256SUMS"}


def test_the_threshold_in_use_is_the_one_that_was_fitted(seeds: Any) -> None:
    card = json.loads((MODEL / "calibration.json").read_text("utf-8"))
    assert card["fitted_on"]["half"] == 1
    assert card["slope"] > 0
    assert seeds.threshold == load_calibration()["threshold"] == card["threshold"]
