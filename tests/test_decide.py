"""Deciding is arithmetic: shown here by hand."""

import math

import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from qa.decide import Calibration, Span, decide, disagree, find_conflicts
from qa.embed import PackagedEmbedding
from qa.schema import Quote

NEUTRAL = Calibration(slope=1.0, intercept=0.0)


def hit(score: float, text: str = "The pool opens at nine.", cosine: float = 0.6) -> NodeWithScore:
    node = TextNode(text=text, start_char_idx=0, end_char_idx=len(text))
    node.metadata = {"title": "Pool", "scores": {"dense": cosine}}
    return NodeWithScore(node=node, score=score)


def quote(text: str) -> Quote:
    return Quote(
        text=text, document="a.txt", title="a", date=None, page=None, locator=None, heading=None, start=0,
        end=len(text), document_sha256="0", score=0.5, before="", after="",
    )  # fmt: skip


def test_calibration_is_platt_scaling() -> None:
    assert NEUTRAL(0.3) == pytest.approx(0.3)
    scaled = Calibration(slope=2.0, intercept=-1.0)
    assert scaled(0.5) == pytest.approx(1 / (1 + math.e))
    assert 0 < scaled(0.0) < scaled(0.2) < scaled(0.9) < scaled(1.0) < 1


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


CONFLICTS = [
    ("An adult ticket costs 12 euros.", "An adult ticket costs 15 euros."),
    ("The retention window is 30 days.", "The retention window is 14 days."),
    ("Staff receive 25 days of paid leave.", "All staff receive 28 days of paid annual leave."),
    ("In 2024 the office had 40 employees.", "In 2024 the office had 45 employees."),
    ("The deposit is $200 per room.", "The deposit is $250 per room."),
    ("The discount for members is 10 percent.", "The discount for members is 15%."),
]
NOT_CONFLICTS = [
    ("An adult ticket costs 12 euros.", "An adult ticket costs 12 euros in all pools."),
    ("In 2023 the office had 40 employees.", "In 2024 the office had 45 employees."),
    ("Ukraine returned 42 defenders in April.", "Russia returned 30 civilians in July."),
    ("The pool opens at nine.", "The library has 4 floors."),
    ("The window is 30 days.", "The window is 2 metres wide."),
    ("The fee is 1,000 euros.", "The fee is 1000 euros."),
    ("Alice Smith received 12 votes.", "Bob Jones received 15 votes."),
    ("There were 1,358 soldiers.", "There were soldiers."),
]


@pytest.mark.parametrize("pair", CONFLICTS)
def test_conflicts_are_found(pair: tuple[str, str]) -> None:
    assert disagree(*pair)
    assert disagree(*reversed(pair))
    assert find_conflicts("How is it?", [quote(text) for text in pair]) == ((1, 2),)


@pytest.mark.parametrize("pair", NOT_CONFLICTS)
def test_look_alikes_are_not_conflicts(pair: tuple[str, str]) -> None:
    assert not disagree(*pair)
    assert not disagree(*reversed(pair))


def test_a_number_in_the_question_may_be_contradicted() -> None:
    quotes = [quote("In 2024 the office had 45 employees.")]
    assert find_conflicts("Why did the office have 60 employees in 2024?", quotes) == ((0, 1),)
    assert find_conflicts("Why did the office have 45 employees in 2024?", quotes) == ()
    assert find_conflicts("How many employees did the office have in 2023?", quotes) == ()


@pytest.mark.parametrize(
    ("pair", "spans", "conflict"),
    [
        (("Hand in claims within 30 days.", "Do it within 45 days, please."), ("30 days", "45 days"), True),
        (("Adult | £5.20 | £5.90", "At the weekend adults pay £6.10."), ("£5.90", "£6.10"), True),
        (("Adult | £5.20 | £5.90", "At the weekend adults pay £5.90."), ("£5.90", "£5.90"), False),
        (("In 2023 it was 30 days.", "In 2024 it is 45 days."), ("30 days", "45 days"), False),
        (("It is 30 days long.", "It is 2 metres wide."), ("30 days", "2 metres"), False),
        (("Ann Lee had 12 votes.", "Bob Kim had 15 votes."), ("12", "15"), False),
        (("Ann Lee is the head.", "Bob Kim is the head."), ("Ann Lee", "Bob Kim"), False),
        (("It is 30 days long.", "It is 2 metres wide."), ("30", "2"), False),  # the units stand around them
        (("It was opened in 1834.", "It was opened in 1843."), ("1834", "1843"), True),
        # by the statements as wholes:
        (("Hand in claims within 30 days.", "Do it within 45 days, please."), ("30 days", None), True),
    ],
)
def test_answers_that_differ_are_a_conflict(
    pair: tuple[str, str], spans: tuple[str, str | None], conflict: bool
) -> None:
    quotes, answers = [quote(text) for text in pair], [Span(0, text) if text else None for text in spans]
    assert (find_conflicts("?", quotes, answers) == ((1, 2),)) is conflict


def test_answers_to_different_parts_are_no_conflict() -> None:
    quotes = [quote("The sauna costs 12 euros."), quote("At the pool everybody pays 6 euros.")]
    spans = [Span(0, "12 euros"), Span(1, "6 euros")]
    assert find_conflicts("What does the sauna cost and what does the pool cost?", quotes, spans) == ()
    assert find_conflicts("What does it cost?", quotes, [spans[0], Span(0, "6 euros")]) == ((1, 2),)


def passages_near(question: str, texts: list[str]) -> list[str]:
    """Those of the passages that come near the question, with the packaged embedder's cosine."""
    vectors = PackagedEmbedding(threads=1).embed([question, *texts])
    hits = [hit(0.1, text, float(vectors[0] @ vector)) for text, vector in zip(texts, vectors[1:], strict=True)]
    for one in hits:
        one.node.metadata["title"] = ""
    return [one.node.get_content() for one in decide(question, hits, NEUTRAL, 0.5).near]


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
    assert decide(asked, by_name, NEUTRAL, 0.5).near
    assert not decide(asked, by_common, NEUTRAL, 0.5).near
