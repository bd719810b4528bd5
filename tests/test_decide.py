"""Deciding is arithmetic: shown here by hand."""

import math

import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from qa.decide import LEVELS, Calibration, decide, level

NEUTRAL = Calibration(slope=1.0, intercept=0.0)


def hit(score: float, text: str = "The pool opens at nine.", cosine: float = 0.6) -> NodeWithScore:
    node = TextNode(text=text, start_char_idx=0, end_char_idx=len(text))
    node.metadata = {"title": "Pool", "scores": {"dense": cosine}}
    return NodeWithScore(node=node, score=score)


def test_calibration_is_platt_scaling() -> None:
    assert NEUTRAL(0.3) == pytest.approx(0.3)
    scaled = Calibration(slope=2.0, intercept=-1.0)
    assert scaled(0.5) == pytest.approx(1 / (1 + math.e))
    assert 0 < scaled(0.0) < scaled(0.2) < scaled(0.9) < scaled(1.0) < 1


def test_below_the_lowest_level_an_answer_is_uncertain() -> None:
    assert [level(value) for value in (1.0, 0.9, 0.89, 0.7, 0.5, 0.49, 0.0)] == [3, 3, 2, 2, 1, 0, 0]
    assert len(LEVELS) == 3


def test_the_threshold_decides() -> None:
    at = decide("When does the pool open?", [hit(0.5)], NEUTRAL, 0.5)
    below = decide("When does the pool open?", [hit(0.499)], NEUTRAL, 0.5)
    assert (at.covered, below.covered) == (True, False)
    assert below.near
    assert not below.chosen
    assert not decide("When does the pool open?", [], NEUTRAL, 0.0).covered


def test_a_passage_comes_near_by_meaning_or_by_words() -> None:
    far = decide("What is the capital of France?", [hit(0.4, cosine=0.1)], NEUTRAL, 0.5)
    assert not far.covered
    assert not far.near
    assert decide("When does the pool open?", [hit(0.4, cosine=0.1)], NEUTRAL, 0.5).near
    assert decide("When does the pool open?", [hit(0.4, text="Dogs?", cosine=0.4)], NEUTRAL, 0.5).near


def test_further_passages_are_quoted_when_they_reach_the_threshold_too() -> None:
    chosen = decide("pool?", [hit(0.9), hit(0.75), hit(0.49)], NEUTRAL, 0.5).chosen
    assert [round(probability, 2) for _, probability in chosen] == [0.9, 0.75]
    assert len(decide("pool?", [hit(0.9)] * 5, NEUTRAL, 0.5).chosen) == 3
    assert len(decide("pool?", [hit(0.9)] * 5, NEUTRAL, 0.5, most=1).chosen) == 1
