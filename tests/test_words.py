"""The analysis of a text: numbers by value, years, names, folded words, and words that may reverse a statement."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.words import CLINGING, FUNCTION_WORDS, NEGATIONS, content_words, fold, names, numbers, stem, words, years

NUMBERS = [
    ("1,358 Ukrainians", {1358}),
    ("1358", {1358}),
    ("1 358 · 1\u00a0358 · 1\u202f358 · 1'358 · 1’358", {1358}),
    ("“1,358”, (1,358); 1,358-strong.", {1358}),
    ("1,358,000", {1_358_000}),
    ("100 000 000", {100_000_000}),
    ("1.000.000 and 1.234,56", {1_000_000, 1234.56}),
    ("1.358", {1.358}),
    ("in 2024 300 people", {2024, 300}),
    ("1,2,3 and 7, 8.", {1, 2, 3, 7, 8}),
    ("14.6 million", {14_600_000}),
    ("14.6 MILLION, 1.5bn, 2 bn", {14_600_000, 1.5e9, 2e9}),
    ("€14.6m or £3k", {14_600_000, 3000}),
    ("5 m tall, 10 km", {5, 10}),
    ("5m", {5, 5_000_000}),
    ("3-million-year-old", {3_000_000}),
    ("$32.50 $ 32 US$7", {32.5, 32, 7}),
    ("5%, 50 percent", {5, 50}),
    ("9-17, 9–17", {9, 17}),
    ("2019-2024", {2019, 2024}),
    ("-5, (−3.5%) and -$7", {-5, -3.5, -7}),
    ("COVID-19", {19}),
    ("12 -5", {12, 5}),
    ("3rd and 21st", {3, 21}),
    ("2024-01-03 · 03/01/2024 · 3.1.2024", {2024, 1, 3}),
    ("12:30", {12, 30}),
    ("½, 1½, 2¾ and ⅓", {0.5, 1.5, 2.75, 1 / 3}),
    ("10²", {10}),
    ("102", {102}),
    ("١٢٣ and １２３", {123}),
    ("1990s and '90s", {1990, 90}),
    ("B52, G7, v1.2.3, x1,358", set()),
    ("forty-two", {42}),
    ("Forty two", {42}),
    ("one hundred and five", {105}),
    ("two thousand and twenty-four", {2024}),
    ("five hundred and twenty million", {520_000_000}),
    ("three hundred thousand", {300_000}),
    ("nineteen ninety-nine, Twenty Twenty-Four, nineteen forty", {1999, 2024, 1940}),
    ("eighteen hundred", {1800}),
    ("two dozen, a dozen", {24, 12}),
    ("a million, half a million", {1_000_000, 500_000}),
    ("five and six", {5, 6}),
    ("two or three, seven, eight", {2, 3, 7, 8}),
    ("twenty-one, twenty and one hundred", {21, 20, 100}),
    ("zero", {0}),
    ("No one was there; one of them, anyone, someone", set()),
    ("often, tent, weight, attend, a person, half a day", set()),
    ("hundreds of thousands", set()),
    ("third, second", set()),
    ("", set()),
]


@pytest.mark.parametrize(("text", "values"), NUMBERS, ids=[text for text, _ in NUMBERS])
def test_numbers_by_value(text: str, values: set[float]) -> None:
    found = numbers(text)
    assert sorted(found) == pytest.approx(sorted(values))


@given(st.integers(0, 10**12))
def test_a_number_has_one_value_however_it_is_grouped(value: int) -> None:
    for written in (str(value), f"{value:,}", f"{value:,}".replace(",", "\u202f"), f"${value:,}", f"({value})."):
        assert numbers(written) == {float(value)}


@given(st.integers(0, 10**9 - 1))
def test_a_number_in_words_has_its_value(value: int) -> None:
    assert numbers(in_words(value)) == ({float(value)} if value != 1 else set())


def in_words(value: int) -> str:
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    small += "sixteen seventeen eighteen nineteen".split()
    tens = "x x twenty thirty forty fifty sixty seventy eighty ninety".split()
    if value < 20:
        return small[value]
    if value < 100:
        return tens[value // 10] + (f"-{small[value % 10]}" if value % 10 else "")
    size, name = next((s, n) for s, n in ((10**6, "million"), (1000, "thousand"), (100, "hundred")) if value >= s)
    rest = value % size
    joint = " and " if rest < 100 else " "
    return f"{in_words(value // size)} {name}" + (joint + in_words(rest) if rest else "")


@given(st.text(st.characters() | st.sampled_from("0123456789,.-$½²  mk"), max_size=60))
def test_any_text_is_analysed_without_an_error(text: str) -> None:
    assert not any(math.isnan(value) for value in numbers(text))
    assert all(1000 <= year <= 2100 for year in years(text))
    assert fold(fold(text)) == fold(text)
    assert all(word == word.strip() and word for word in words(text))
    assert all(name in " ".join(text.split()) for name in names(text))
    assert set(content_words(text)) <= {stem(word) for word in words(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("In 2024, and since 1991.", {2024, 1991}),
        ("2019–2024, 1990s, 2024-01-03", {2019, 2024, 1990}),
        ("1,358 people, $2024, 12024, 3.1999", set()),
        ("999, 2101, 3000", set()),
        ("1,999", set()),
    ],
)
def test_years(text: str, found: set[int]) -> None:
    assert years(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Volodymyr Zelenskyy met Joe Biden.", ["Volodymyr Zelenskyy", "Joe Biden"]),
        ("The President of the United States of America", ["President of the United States of America"]),
        ("What did O'Brien say to Mary-Jane in June?", ["O'Brien", "Mary-Jane", "June"]),
        ("Володимир Зеленський сказав", ["Володимир Зеленський"]),
        ("Élysée Palace, São Paulo", ["Élysée Palace", "São Paulo"]),
        ("Ludwig van Beethoven and the king", ["Ludwig van Beethoven"]),
        ("Anna. Bob, Carl", ["Anna", "Bob", "Carl"]),
        ("When The Who And I", []),
        ("who is oleksandr kononenko?", []),
        ("хто такий зеленський", []),
        ("élan vital, ñandú", []),
        ("日本語のテキスト", []),
        ("I. A B C. 1,358", []),
        ("", []),
    ],
)
def test_names(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t", "don't"),
        ("“A – B”", '"a - b"'),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("e\u0301tude", "étude"),
        ("ﬁne", "fine"),
        ("１２", "12"),
        ("a\u00a0 b\n", "a b"),
    ],
)
def test_fold_unifies_spellings(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("10²", "102"), ("1½", "11/2"), ("a-b", "ab"), ("naive", "naïve"), ("5", "five")]
)
def test_fold_keeps_different_texts_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert words(one) != words(other)


def test_words_and_content_words() -> None:
    assert words("He didn’t pay 1,358 — U.S.-based, 24/7.") == [
        *("he", "didn't", "pay", "1358", "u", "s", "based", "24/7"),
    ]
    assert content_words("How many of the soldiers were returned?") == ["soldier", "return"]
    assert content_words("returning soldiers' return") == ["return", "soldier", "return"]
    assert content_words("1,358") == content_words("1358")
    assert content_words("5 and I") == ["5"]
    assert "not" in FUNCTION_WORDS
    assert all(word == fold(word) for word in FUNCTION_WORDS)


TAKES_BACK = (
    "Not on Sundays.|not later|NOT so|Unless it rains.|Except children.|Except for them|Excepting him|Exceptions are"
    "|Excluding VAT|Provided that|Only if it|But not on|But only|And not so|Or unless|Nor does he|Other than that"
    "|Save for him|With the exception|“Not” so|(Except them)|- Not so|> Unless|**Except**|[1] Except|\n\n# Exceptions"
    "|… not|Apart from him"
).split("|")
TAKES_NOTHING_BACK = (
    "Notably so.|Nothing|Note that|Unlessy|Exceptional|It is not|Nobody|Northern|Provide it|But then|And so|Only one"
    "|Others|No|A not"
).split("|")
DENIES = "not|Never|can't|won’t|cannot|unless|except|no one|without|only|but|if|denied|other than|however|nobody".split(
    "|"
)


@pytest.mark.parametrize("text", TAKES_BACK)
def test_sentences_that_restrict_the_sentence_before(text: str) -> None:
    assert CLINGING.match(text)


@pytest.mark.parametrize("text", TAKES_NOTHING_BACK)
def test_sentences_that_restrict_nothing(text: str) -> None:
    assert not CLINGING.match(text)


@pytest.mark.parametrize("text", DENIES)
def test_words_that_may_reverse_a_statement(text: str) -> None:
    assert NEGATIONS.search(f"and, {text} so.")
    assert not NEGATIONS.search(f"and, x{text.replace(' ', '')}x so.")


@pytest.mark.parametrize("text", ["notable knots", "button", "lifting", "another", "November", "cantor"])
def test_words_that_reverse_nothing(text: str) -> None:
    assert not NEGATIONS.search(text)
