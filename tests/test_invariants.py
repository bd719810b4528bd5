"""The laws themselves: each planted fault is found by the law that names it, and sound answers pass all."""

import re
from collections.abc import Callable

import pytest

from qa.assistant import Assistant
from qa.schema import Answered, Chunk, Quote, Refused
from tests import invariants
from tests.conftest import SEEDS
from tests.reading import file_text

QUESTION = "How many people came home in 2024?"


@pytest.fixture(scope="module")
def answer(seeds: Assistant) -> Answered:
    result = seeds.ask(QUESTION)
    assert isinstance(result, Answered)
    return result


@pytest.fixture(scope="module")
def refusal(seeds: Assistant) -> Refused:
    result = seeds.ask("What does the commission say about the harvest of wheat in Ukraine?")
    assert isinstance(result, Refused)
    return result


def test_sound_results_keep_every_promise(answer: Answered, refusal: Refused) -> None:
    invariants.every_promise(answer, SEEDS)
    invariants.every_promise(refusal, SEEDS)


def change(quote: Quote, **update: object) -> Quote:
    return quote.model_copy(update=update)


def with_quote(answer: Answered, quote: Quote) -> Answered:
    return answer.model_copy(update={"quotes": (quote,), "text": f"{quote.text} [1]"})


@pytest.mark.parametrize(
    "fault",
    [
        lambda q: change(q, text=q.text.replace("1", "2", 1)),
        lambda q: change(q, text=q.text[:-1]),
        lambda q: change(q, start=q.start + 1, end=q.end + 1),
        lambda q: change(q, document_sha256="0" * 64),
        lambda q: change(q, text=""),
    ],
)
def test_exact_slice_finds_planted_faults(answer: Answered, fault: Callable[[Quote], Quote]) -> None:
    quote = answer.quotes[0]
    text = file_text(SEEDS / quote.document)
    invariants.exact_slice(quote, text)
    with pytest.raises(AssertionError):
        invariants.exact_slice(fault(quote), text)


def test_right_place_finds_the_other_occurrence(answer: Answered) -> None:
    """The sentence stands twice in the first seed; the place that was not retrieved is the wrong one."""
    sentence = "Their fates are different, but they are equally happy to return home."
    name = "000_2ab587bfd70437e4.txt"
    text = file_text(SEEDS / name)
    first, second = (match.start() for match in re.finditer(re.escape(sentence), text))
    quote = change(answer.quotes[0], text=sentence, document=name, start=first, end=first + len(sentence))
    hit = answer.trace.hits[0].model_copy(update={"document": name, "start": first, "end": first + len(sentence)})
    only = with_quote(answer, quote).model_copy(update={"trace": answer.trace.model_copy(update={"hits": (hit,)})})
    invariants.right_place(only)
    moved = change(quote, start=second, end=second + len(sentence))
    invariants.exact_slice(moved.model_copy(update={"document_sha256": invariants_sha(text)}), text)
    with pytest.raises(AssertionError):
        invariants.right_place(with_quote(only, moved))


def invariants_sha(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "quoted", "sound"),
    [
        ("Refunds are paid. Fees are not.", "Refunds are paid.", True),
        ("Refunds are paid. Fees are not.", "Fees are not.", True),
        ("Refunds are paid. Except in May.", "Refunds are paid.", False),
        ("Staff are not entitled to leave.", "entitled to leave.", False),
        ("Staff are entitled unless they left.", "Staff are entitled", False),
        ("- one item\n- another item", "- one item", True),
        ("| a | b |\n| c | d |", "| c | d |", True),
        ("x" * 600 + ".", "x" * 600 + ".", False),
    ],
)
def test_whole_sentences(answer: Answered, text: str, quoted: str, *, sound: bool) -> None:
    start = text.index(quoted)
    quote = change(answer.quotes[0], text=quoted, start=start, end=start + len(quoted))
    if sound:
        invariants.whole_sentences(quote, text)
    else:
        with pytest.raises(AssertionError):
            invariants.whole_sentences(quote, text)


def test_typed_result_finds_planted_faults(answer: Answered, refusal: Refused, seeds: Assistant) -> None:
    assert refusal.nearest
    for fault in (
        answer.model_copy(update={"quotes": ()}),
        answer.model_copy(update={"text": "no marks"}),
        answer.model_copy(update={"conflicts": ((1, 9),)}),
        refusal.model_copy(update={"nearest": refusal.nearest * 4}),
        refusal.model_copy(update={"reason": ""}),
        refusal.model_copy(update={"text": f"Perhaps: {refusal.nearest[0].text}"}),
        refusal.model_copy(update={"text": "See [1]."}),
    ):
        with pytest.raises(AssertionError):
            invariants.typed_result(fault)


def test_probability_finds_planted_faults(answer: Answered) -> None:
    for update in ({"confidence": 1.5}, {"confidence": answer.trace.threshold - 0.01}):
        with pytest.raises(AssertionError):
            invariants.probability(answer.model_copy(update=update))


def test_a_document_that_is_gone_is_found(answer: Answered) -> None:
    gone = with_quote(answer, change(answer.quotes[0], document="gone.txt"))
    with pytest.raises(AssertionError):
        invariants.currently_in_folder(gone, SEEDS)


@pytest.mark.parametrize(
    "chunks",
    [
        [(0, 5)],  # the end is not covered
        [(0, 5), (6, 11), (6, 11)],
        [(0, 11), (2, 8)],
        [(6, 11), (0, 5)],
        [(0, 5), (6, 12)],
        [(0, 5), (7, 11)],
    ],
)
def test_chunk_laws_find_planted_faults(chunks: list[tuple[int, int]]) -> None:
    text = "Hello there"
    invariants.chunk_laws(text, [Chunk("a", 0, 5), Chunk("b", 6, 11)])
    with pytest.raises(AssertionError):
        invariants.chunk_laws(text, [Chunk(f"{n}-{s}", s, e) for n, (s, e) in enumerate(chunks)])
