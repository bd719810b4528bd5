"""Questions in other words: from files as WordNet has them, only where a word and its synonym mean mostly the same."""

from random import Random

import pytest

from eval.training.synonyms import Synonyms, load, reword

COUNTS = {  # word%part of speech → uses by sense
    "physician%1": (30,),
    "doctor%1": (90, 10),
    "bank%1": (20, 20),
    "shore%1": (50,),
    "purchase%2": (40,),
    "obtain%2": (30,),
    "acquire%2": (20,),
    "fly%2": (40,),
    "pilot%2": (30,),
}
SENSES = {
    "noun": {"physician": "01", "doctor": "01", "bank": "02", "shore": "02"},
    "verb": {"purchase": "05", "obtain": "05", "fly": "06", "pilot": "06"},
}


@pytest.fixture(scope="module")
def synonyms(tmp_path_factory: pytest.TempPathFactory) -> Synonyms:
    folder = tmp_path_factory.mktemp("wordnet")
    lines = [f"{key}:00:00:: {sense} {uses}" for key, senses in COUNTS.items() for sense, uses in enumerate(senses, 1)]
    (folder / "cntlist.rev").write_text("\n".join(lines))
    for pos in ("noun", "verb", "adj", "adv"):
        index = [f"{word} {pos[0]} 1 0 1 1 {sense}" for word, sense in SENSES.get(pos, {}).items()]
        (folder / f"index.{pos}").write_text("\n".join(["  1 a licence", *index]))
        (folder / f"{pos}.exc").write_text("flew fly\n" if pos == "verb" else "")
    return load(folder)


def test_only_words_that_mean_mostly_that(synonyms: Synonyms) -> None:
    assert synonyms["doctor"] == ("physician",)
    assert synonyms["physician"] == ("doctor",)
    assert "bank" not in synonyms
    assert "shore" not in synonyms  # the bank may be another one


def test_in_the_same_form(synonyms: Synonyms) -> None:
    assert synonyms["doctors"] == ("physicians",)
    assert synonyms["purchased"] == ("obtained",)
    assert synonyms["obtains"] == ("purchases",)
    assert synonyms["pilot"] == ("fly",)
    assert "piloted" not in synonyms  # "flied"


def test_names_and_parts_of_words_stay(synonyms: Synonyms) -> None:
    asked = "Did Doctor No meet the doctor's spin-doctor, or a doctor of 1834?"
    made = {reword(asked, synonyms, Random(seed)) for seed in range(20)}
    assert made == {asked, asked.replace("a doctor", "a physician")}
    assert reword(asked, synonyms, Random(3)) == reword(asked, synonyms, Random(3))
