"""Slips in a question are corrected where nothing else can be meant; names and known words stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.embed import MODEL, open_tokenizer
from qa.reader.encode import Encoder
from qa.reader.spelling import correct

RANK = open_tokenizer(MODEL / "tokenizer.json").token_to_id
PASSAGE = "The harbour at Marlow was rebuilt by the engineer Ann Lee. Her salary was paid by Mr Johnson of Arden."


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("Who rebuitl the harbour?", "Who rebuilt the harbour?"),  # swapped
        ("who paid her salry?", "who paid her salary?"),  # lost
        ("Which enginner came?", "Which engineer came?"),  # changed
        ("Which countrry paid?", "Which country paid?"),  # doubled; a common word that the passage does not use
        ("Waht was rebuilt?", "what was rebuilt?"),
        ("salry, engineerr", "salary, engineer"),
    ],
)
def test_a_slip_is_corrected(asked: str, read: str) -> None:
    assert correct(asked, PASSAGE, RANK) == read


@pytest.mark.parametrize(
    "asked",
    [
        "Who rebuilt the harbour?",
        "Who is Anne Leigh of Ardem?",  # capitals mark names
        "who is johnsen of ardem?",  # the passage has Johnson as a name, and nothing else can be meant
        "Was it marlov?",
        "Who paid in 1834 for x²?",
        "Who rebuilt the Hafen?",
        "¿Quién pagó?",
        "qwrtzpx vbnmlk",  # nothing is one slip away
        "z" * 2000,
        "",
    ],
)
def test_names_known_words_and_what_nobody_can_tell_stay(asked: str) -> None:
    assert correct(asked, PASSAGE, RANK) == asked


def test_a_word_of_the_passage_is_no_slip_whatever_the_list_says() -> None:
    assert correct("what is a daba?", "The daba is a hoe.", RANK) == "what is a daba?"
    assert correct("what is a daba?", "It is a hoe.", RANK) != "what is a daba?"


def test_the_slips_of_an_endless_word_are_not_looked_up() -> None:
    asked: list[str] = []

    def rank(word: str) -> int | None:
        asked.append(word)
        return RANK(word)

    for letters, slips in ((20, True), (31, False)):
        asked.clear()
        assert correct("z" * letters, PASSAGE, rank) == "z" * letters
        assert any(len(word) > letters for word in asked) is slips


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_comes_back_with_the_same_words_in_place(asked: str, passage: str) -> None:
    read = correct(asked, passage, RANK)
    assert len(read.split()) == len(asked.split())


def test_the_reader_sees_the_corrected_question() -> None:
    encoder = Encoder(open_tokenizer(MODEL / "tokenizer.json"))
    slip, meant = (
        encoder.encode(asked, "", "", PASSAGE).ids for asked in ("who paid her salry?", "who paid her salary?")
    )
    assert slip == meant
