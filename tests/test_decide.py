"""Deciding is arithmetic: shown here by hand."""

import math
from collections.abc import Sequence

import pytest

import qa.decide
from qa.decide import LEVELS, Decision, level, refusal_text
from qa.embed import PackagedEmbedding
from qa.reader.base import Calibration
from qa.schema import Skipped
from qa.stages import Hit, Reading
from tests.readers import NEUTRAL, PluggedReader, made_passage

READER = PluggedReader(NEUTRAL)

Read = tuple[Hit, Reading]


def hit(score: float, text: str = "The pool opens at nine.", cosine: float = 0.6, title: str = "Pool") -> Read:
    """A hit and what the reader makes of it."""
    passage = made_passage(text, title=title)
    return Hit(passage, {"dense": cosine}), Reading(passage, None, score)


def decide(part: str, read: Sequence[Read], threshold: float, **options: int) -> Decision:
    return qa.decide.decide(
        part, [hit for hit, _ in read], [reading for _, reading in read], READER, threshold, **options
    )


def test_calibration_is_platt_scaling() -> None:
    assert NEUTRAL(0.3) == pytest.approx(0.3)
    scaled = Calibration(slope=2.0, intercept=-1.0)
    assert scaled(0.5) == pytest.approx(1 / (1 + math.e))
    assert 0 < scaled(0.0) < scaled(0.2) < scaled(0.9) < scaled(1.0) < 1


def test_below_the_lowest_level_an_answer_is_uncertain() -> None:
    assert [level(value) for value in (1.0, 0.9, 0.89, 0.7, 0.5, 0.49, 0.0)] == [3, 3, 2, 2, 1, 0, 0]
    assert len(LEVELS) == 3


def test_the_threshold_decides() -> None:
    at = decide("When does the pool open?", [hit(0.5)], 0.5)
    below = decide("When does the pool open?", [hit(0.499)], 0.5)
    assert (at.covered, below.covered) == (True, False)
    assert below.near
    assert not below.chosen
    assert not decide("When does the pool open?", [], 0.0).covered


def test_a_passage_comes_near_by_meaning_or_by_words() -> None:
    far = decide("What is the capital of France?", [hit(0.4, cosine=0.1)], 0.5)
    assert not far.covered
    assert not far.near
    assert decide("When does the pool open?", [hit(0.4, cosine=0.1)], 0.5).near
    assert decide("When does the pool open?", [hit(0.4, text="Dogs?", cosine=0.4)], 0.5).near


def test_further_passages_are_quoted_when_they_reach_the_threshold_too() -> None:
    chosen = decide("pool?", [hit(0.9), hit(0.75), hit(0.49)], 0.5).chosen
    assert [round(probability, 2) for _, probability in chosen] == [0.9, 0.75]
    assert len(decide("pool?", [hit(0.9)] * 5, 0.5).chosen) == 3
    assert len(decide("pool?", [hit(0.9)] * 5, 0.5, max_quotes=1).chosen) == 1


def passages_near(question: str, texts: list[str]) -> list[str]:
    """Those of the passages that come near the question, with the packaged embedder's cosine."""
    vectors = PackagedEmbedding(threads=1).embed([question, *texts])
    hits = [hit(0.1, text, float(vectors[0] @ vector), "") for text, vector in zip(texts, vectors[1:], strict=True)]
    return [reading.passage.text for reading, _ in decide(question, hits, 0.5).near]


POOL = "The pool opens at nine in the morning. It is closed on Mondays."
LIBRARY = "The library lends books for four weeks."
SHOP = [
    "The workshop checks brakes, gears and lights. A small service costs 49 euros.",
    "Bicycles are rented by the day or by the week. The deposit is 100 euros.",
    "The recall of the Heron fork concerns 310 bicycles that were sold in spring.",
    "Who may ride the cargo bikes? Everybody with a licence who has been shown the brakes.",
]


@pytest.mark.parametrize(
    ("question", "texts", "near"),
    [
        ("What does a ticket to the pool cost?", [POOL, LIBRARY], [POOL]),
        ("How much is the entrance fee for the swimming pool?", [POOL, LIBRARY], [POOL]),
        ("Who is the president of France?", SHOP, []),
        ("What is the capital of Australia?", SHOP, []),
        ("Who painted the Mona Lisa?", [POOL, LIBRARY], []),
        ("How long is the guarantee on brakes?", SHOP, [SHOP[0], SHOP[3]]),
    ],
)
def test_near_is_what_speaks_of_the_same(question: str, texts: list[str], near: list[str]) -> None:
    assert passages_near(question, texts) == near


def test_a_rare_word_or_a_name_makes_a_passage_near_sooner() -> None:
    asked = "Which day does Ottilie visit?"
    by_name = [hit(0.1, "Ottilie is ill.", cosine=0.15)]
    by_common = [hit(0.1, "This day is fine.", cosine=0.15)]
    assert decide(asked, by_name, 0.5).near
    assert not decide(asked, by_common, 0.5).near


def test_that_nothing_comes_near_is_not_said_where_something_was_left_out() -> None:
    scan = Skipped(path="scan.pdf", reason="is a scan: run OCR on it first")
    text = refusal_text("nothing_relevant", None, 0, left_out=[scan, scan])
    assert "scan.pdf: is a scan: run OCR on it first (and 1 more)." in text
    assert "Nothing" not in text
    hidden = Skipped(path=".git/", reason="hidden")
    assert refusal_text("nothing_relevant", None, 0, left_out=[hidden]) == refusal_text("nothing_relevant", None, 0)
