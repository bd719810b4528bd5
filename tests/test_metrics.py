"""Each metric, compared with arithmetic done by hand."""

import math

import pytest

from eval import metrics


def test_overlap_counts_against_the_shorter() -> None:
    assert metrics.overlaps(("a", 0, 100), ("a", 90, 110))  # 10 of 20
    assert not metrics.overlaps(("a", 0, 100), ("a", 91, 111))  # 9 of 20
    assert metrics.overlaps(("a", 0, 100), ("a", 20, 30))
    assert not metrics.overlaps(("a", 0, 10), ("b", 0, 10))
    assert not metrics.overlaps(("a", 0, 10), ("a", 10, 20))


def test_mean_leaves_out_what_is_not_eligible() -> None:
    assert metrics.mean([True, None, False]) == 0.5
    assert metrics.mean([None]) is None
    assert metrics.mean([]) is None


def test_quote_precision_and_recall() -> None:
    gold = [("a", 0, 10), ("a", 50, 60)]
    assert metrics.quote_precision([("a", 0, 10), ("b", 0, 10)], gold) == 0.5
    assert metrics.quote_precision([("a", 0, 10)], []) is None
    assert metrics.quote_recall([("a", 0, 10)], [gold[:1], gold[1:]]) == 0.5
    assert metrics.quote_recall([("a", 0, 10)], [gold]) == 1.0
    assert metrics.quote_recall([("a", 0, 10)], []) is None


def test_retrieval() -> None:
    nothing, one, two = frozenset[int](), frozenset({0}), frozenset({1})
    ranked = [nothing, one, one, two]
    assert metrics.recall_at(ranked, 2, 2) == 0.5
    assert metrics.recall_at(ranked, 3, 2) == 0.5  # the first part again
    assert metrics.recall_at(ranked, 4, 2) == 1.0
    assert metrics.recall_at([], 4, 1) == 0.0
    assert metrics.recall_at(ranked, 4, 0) is None
    assert metrics.reciprocal_rank(ranked) == 0.5
    assert metrics.reciprocal_rank([nothing]) == 0.0
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    assert metrics.ndcg(ranked, 4, 2) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert metrics.ndcg(ranked, 3, 2) == pytest.approx((1 / math.log2(3)) / ideal)
    assert metrics.ndcg([one], 1, 2) == 1.0  # one place, one part
    assert metrics.ndcg([one | two], 4, 2) == 1.0  # capped
    assert metrics.ndcg([nothing], 1, 1) == 0.0
    assert metrics.ndcg([nothing], 1, 0) is None


def test_short_answers() -> None:
    assert metrics.normalise_answer("The  Cat, sat!") == "cat sat"
    assert metrics.exact_match("the Cat", ["cat"]) == 1.0
    assert metrics.exact_match("dog", ["cat"]) == 0.0
    assert metrics.exact_match("dog", []) is None
    assert metrics.token_f1("black cat", ["cat"]) == pytest.approx(2 * 1 / (2 + 1))
    assert metrics.token_f1("dog", ["cat", "a dog"]) == 1.0
    assert metrics.token_f1("dog", []) is None


def test_the_large_print() -> None:
    """An accepted answer stands in it as a run of tokens, in one cell, and no sources disagree."""
    assert metrics.large_print("free above 2,500 EUR", ["free above 2500 EUR"]) == "right"
    assert metrics.large_print("The whole week, except on Mondays.", ["except on Mondays"]) == "right"
    assert metrics.large_print("free", ["free above 2500 EUR"]) == "wrong"
    assert metrics.large_print("2890 | 23.4", ["2890"]) == "wrong"
    assert metrics.large_print("12890", ["2890"]) == "wrong"
    assert metrics.large_print("30 days", ["30 days", "45 days"], disputed=True) == "wrong"
    assert metrics.large_print(None, ["2890"]) == "absent"
    assert metrics.large_print("x", []) == "wrong"


def test_refusals() -> None:
    found = metrics.refusals([True, True, False, False], [False, True, False, True])
    assert (found.true, found.refused, found.unanswerable) == (1, 2, 2)
    assert (found.precision, found.recall) == (0.5, 0.5)
    nothing = metrics.refusals([False], [True])
    assert (nothing.precision, nothing.recall) == (None, None)


def test_balanced_accuracy() -> None:
    assert metrics.balanced_accuracy([True, True, False, True], [True, True, False, False]) == 0.75
    assert metrics.balanced_accuracy([True], [True]) is None


def test_risk_coverage_and_its_area() -> None:
    curve = metrics.risk_coverage([0.9, 0.8, 0.5, 0.5], [True, False, True, False], total=8)
    assert curve == [(1 / 8, 0.0), (2 / 8, 1 / 2), (4 / 8, 2 / 4)]  # equal confidences are one step
    area = 1 / 8 * 0 + 1 / 8 * 1 / 2 + 2 / 8 * 2 / 4
    assert metrics.aurc(curve) == pytest.approx(area / (4 / 8))
    assert metrics.aurc([]) is None
    assert metrics.aurc(metrics.risk_coverage([0.9, 0.1], [True, True], 2)) == 0.0


def test_calibration_error() -> None:
    assert metrics.ece([0.95, 0.95, 0.15], [True, False, False]) == pytest.approx(2 / 3 * 0.45 + 1 / 3 * 0.15)
    assert metrics.ece([1.0], [True]) == 0.0
    assert metrics.ece([], []) is None
    assert metrics.reliability([0.95, 0.93], [True, False]) == [(pytest.approx(0.94), 0.5, 2)]


def test_auroc() -> None:
    assert metrics.auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert metrics.auroc([1.0], [0.0]) == 1.0
    assert metrics.auroc([], [0.1]) is None


def test_percentiles_by_nearest_rank() -> None:
    assert metrics.percentile([4, 1, 3, 2], 0.5) == 2
    assert metrics.percentile([4, 1, 3, 2], 0.95) == 4
    assert metrics.percentile([], 0.5) is None


def test_bootstrap_brackets_the_mean_and_is_seeded() -> None:
    values = [0.0, 1.0] * 50
    low, high = metrics.bootstrap(values) or (1.0, 0.0)
    assert 0.38 < low < 0.42  # 0.5 - 1.96 · 0.05 = 0.402
    assert 0.58 < high < 0.62
    assert metrics.bootstrap(values) == (low, high)
    assert metrics.bootstrap([1.0] * 5) == (1.0, 1.0)
    assert metrics.bootstrap([]) is None


def test_paired_difference_is_the_exact_sign_test() -> None:
    before, after = [True] * 10, [False] * 6 + [True] * 4
    difference, p = metrics.paired_difference(before, after)
    assert difference == pytest.approx(-0.6)
    assert p == pytest.approx(1 / 2**6)
    assert metrics.paired_difference(after, before) == (pytest.approx(0.6), 1.0)
    assert metrics.paired_difference(before, before) == (0.0, 1.0)
    mixed = [False] * 3 + [True] * 7, [False, True, True] + [False] * 3 + [True] * 4  # 3 lost, 2 gained
    assert metrics.paired_difference(*mixed)[1] == pytest.approx((10 + 5 + 1) / 2**5)
