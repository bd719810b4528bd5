"""Which statements disagree, and which of them is dated later: by hand, then as a person asks."""

from typing import Any

import pytest

from qa.conflicts import AnswerSpan, date_of, disagree, find_conflicts, is_later, later_first, renumbered
from qa.schema import Answered, Quote
from qa.wording import answer_text
from tests import files
from tests.conftest import Opener
from tests.invariants import probability, right_place, typed_result


def quote(text: str, **facts: Any) -> Quote:
    plain: dict[str, Any] = dict.fromkeys(("date", "page", "locator", "heading"))
    plain |= {"document": "a.txt", "title": "a", "before": "", "after": ""}
    return Quote(text=text, start=0, end=len(text), document_sha256="0", score=0.5, **plain | facts)


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
    quotes, answers = [quote(text) for text in pair], [AnswerSpan(0, text) if text else None for text in spans]
    assert (find_conflicts("?", quotes, answers) == ((1, 2),)) is conflict


def test_answers_to_different_parts_are_no_conflict() -> None:
    quotes = [quote("The sauna costs 12 euros."), quote("At the pool everybody pays 6 euros.")]
    spans = [AnswerSpan(0, "12 euros"), AnswerSpan(1, "6 euros")]
    assert find_conflicts("What does the sauna cost and what does the pool cost?", quotes, spans) == ()
    assert find_conflicts("What does it cost?", quotes, [spans[0], AnswerSpan(0, "6 euros")]) == ()


@pytest.mark.parametrize(
    ("question", "pair", "spans", "conflict"),
    [
        # ordinals, times of day, number words beside digits
        ("From which day is a note needed?", ("A note is needed from the eighth day.", "From day five we need a note."),
         ("eighth", "five"), True),
        ("When does the café close?", ("The café closes at 17:30.", "The café closes at 17:00 on all days."),
         ("17:30", "17:00"), True),
        ("How long is the warranty?", ("The warranty is two years.", "The warranty is 5 years."), ("two", "5"), True),
        ("How long is the warranty?", ("The warranty is two years.", "The warranty is 2 years."), ("two", "2"), False),
        ("When is it shut?", ("It is shut on Mondays.", "It is shut on Tuesdays."), ("Mondays", "Tuesdays"), True),
        ("When is it shut?", ("It is shut on Mondays.", "On a Monday it is shut."), ("Mondays", "a Monday"), False),
        ("When is it shut?", ("It is shut on Mondays.", "It is shut at 22:00."), ("Mondays", "22:00"), False),
        # a sentence's first word is no name
        ("When are claims due?", ("Claims are due within 30 days.", "Hand in claims within 45 days, says the Trust."),
         ("30 days", "45 days"), True),
        # one names what is asked, the other does not
        ("What does a child pay for swimming?", ("A family ticket costs £18.", "A child pays £3 for swimming."),
         ("£18", "£3"), False),
        ("What does the climbing course cost?", ("The climbing course costs £26.", "A rowing course costs £62."),
         ("£26", "£62"), True),
        ("What does the climbing course for beginners cost?",
         ("The climbing course for beginners costs £26.", "A rowing course costs £62."), ("£26", "£62"), False),
        # one form of a rule denies the other
        ("Are dogs allowed in the garden?", ("Dogs are allowed in the garden.", "Dogs are not allowed in the garden."),
         ("allowed", "not allowed"), True),
        ("Are dogs allowed in the garden?", ("Dogs are allowed in the garden.", "Cats are not allowed in the house."),
         ("allowed", "not allowed"), False),
    ],
)  # fmt: skip
def test_statements_about_what_is_asked(
    question: str, pair: tuple[str, str], spans: tuple[str, str], conflict: bool
) -> None:
    found = find_conflicts(question, [quote(text) for text in pair], [AnswerSpan(0, text) for text in spans])
    assert (found == ((1, 2),)) is conflict


@pytest.mark.parametrize(
    ("rows", "headers", "answers", "conflict"),
    [
        (("Sparrow | 2790 | 23", "Sparrow | 2890 | 23"), ("Model | Price | kg",) * 2, ("2790", "2890"), True),
        (("Sparrow | 2790 | 23", "Sparrow | 2890 | 23"), ("Model | Price | kg",) * 2, ("23", "23"), False),
        (("Adult | 5 | 6", "Adult member | 4 | 5"), ("Ticket | Weekday | Weekend",) * 2, ("5", "4"), False),
        (("Adult | 5", "Adult | 6"), ("Ticket | Weekday", "Ticket | Weekend"), ("5", "6"), False),
        (("Adult | 5", "Adult | 6"), ("Ticket | Price", "Ticket | Fee"), ("5", "6"), True),
        (("Adult | 5 | 6", "Adult | 6 | 7"), ("", ""), (None, None), False),  # no cell can be told
    ],
)
def test_rows_disagree_in_the_cell_that_is_asked_for(
    rows: tuple[str, str], headers: tuple[str, str], answers: tuple[str | None, str | None], conflict: bool
) -> None:
    quotes = [quote(row, before=header) for row, header in zip(rows, headers, strict=True)]
    spans = [AnswerSpan(0, answer) if answer else None for answer in answers]
    assert (find_conflicts("What does it cost?", quotes, spans) == ((1, 2),)) is conflict


def test_a_question_for_a_year_is_answered_by_that_year_alone() -> None:
    quotes = [
        quote("The Sparrow costs 2790 EUR.", date="2024-01-01"),
        quote("The Sparrow costs 2890 EUR.", date="2025"),
    ]
    spans = [AnswerSpan(0, "2790 EUR"), AnswerSpan(0, "2890 EUR")]
    assert find_conflicts("What does the Sparrow cost?", quotes, spans) == ((1, 2),)
    assert find_conflicts("What did the Sparrow cost in 2024?", quotes, spans) == ()


@pytest.mark.parametrize(
    ("facts", "date"),
    [
        ({"date": "2024-05-06", "title": "Prices 2023"}, "2024-05-06"),
        ({"title": "Price list 2025"}, "2025"),
        ({"heading": "Fees › From 1 March 2025", "date": "2024"}, "2025-03-01"),
        ({"document": "lists/prices-2026.csv"}, "2026"),
        ({"document": "lists/prices_2026-03.csv"}, "2026-03"),
        ({"text": "Valid from 1 June 2026 a ticket costs 5 euros.", "date": "2024"}, "2026-06-01"),
        ({"document": "report-2023-2024.txt"}, None),  # a span of time
        ({"title": "In 2022 the harbour was closed for a year, and ferries went to another port instead"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_date_of_a_quote(facts: dict[str, str], date: str | None) -> None:
    assert date_of(quote(facts.pop("text", "It costs 5 euros."), **facts)) == date


def test_a_year_and_a_day_of_it_do_not_tell_which_is_later() -> None:
    new, old, year, none = (quote("x", date=date) for date in ("2025-02-01", "2024-12-31", "2025", None))
    assert is_later(new, old)
    assert not is_later(old, new)
    assert is_later(year, old)
    assert not is_later(new, year)
    assert not is_later(year, new)
    assert not is_later(new, none)
    assert not is_later(none, old)


def test_the_later_of_two_that_disagree_stands_first() -> None:
    quotes = [quote("x", date=date) for date in ("2023", "2026", None, "2024")]
    assert later_first(quotes, [(1, 4)]) == [3, 0, 1, 2]
    assert renumbered([(1, 4), (0, 2)], [3, 0, 1, 2]) == ((0, 3), (1, 2))
    assert later_first(quotes, [(0, 1), (1, 3), (2, 4)]) == [0, 1, 2, 3]
    assert later_first(quotes, [(1, 2), (1, 4)]) in ([1, 3, 0, 2], [3, 1, 0, 2])


def test_what_is_said_of_the_dates() -> None:
    quotes = [quote("x", date="2026-01-01"), quote("y", date="2025")]
    assert answer_text(quotes, [(1, 2)], []).endswith("[1] and [2] disagree. [1] is dated later: 2026-01-01, [2] 2025.")
    assert answer_text([quotes[0], quote("y")], [(1, 2)], []).endswith("[1] and [2] disagree.")
    assert answer_text(quotes, [(0, 2)], []).endswith("[2] contradicts the question.")


LIST = """# Price list of the bicycle workshop

Valid from 1 January {year} until further notice.

| Model | Price | Weight (kg) |
| --- | --- | --- |
| Sparrow | {price} | 23.4 |
| Merlin | 3400 | 19.9 |
"""


def price_lists(kind: str) -> dict[str, str | bytes]:
    """The older list would come first by its name."""
    rows = [["Model", "Price", "Weight (kg)"], ["Sparrow", "{}", "23.4"], ["Merlin", "3400", "19.9"]]
    made: dict[str, str | bytes] = {}
    for name, year, price in (("a", 2024, 2790), ("b", 2026, 2890)):
        filled = [[cell.format(price) for cell in row] for row in rows]
        if kind == "csv":
            made[f"{name}-prices-{year}.csv"] = files.csv_bytes(filled)
        elif kind == "docx":

            def fill(document: Any, year: int = year, filled: list[list[str]] = filled) -> None:
                document.add_heading(f"Price list {year}", 0)
                files.add_table(document, filled)

            made[f"{name}.docx"] = files.docx_bytes(fill)
        else:
            made[f"{name}.md"] = LIST.format(year=year, price=price)
    return made


@pytest.mark.parametrize("kind", ["md", "csv", "docx"])
def test_of_two_price_lists_none_is_the_headline(open_folder: Opener, kind: str) -> None:
    assistant = open_folder(price_lists(kind))
    answer = assistant.ask("What is the price of the Sparrow?")
    assert isinstance(answer, Answered)
    assert answer.short_answer is None
    assert answer.conflicts == ((1, 2),)
    assert ["2890" in one.text for one in answer.quotes[:2]] == [True, False]
    assert "[1] is dated later: 2026" in answer.text
    for law in (typed_result, probability, right_place):
        law(answer)
    replayed = assistant.replay(answer.trace)
    assert isinstance(replayed, Answered)
    assert (replayed.quotes, replayed.text, replayed.conflicts) == (answer.quotes, answer.text, answer.conflicts)
    heavy = assistant.ask("What is the weight of the Sparrow?")
    assert isinstance(heavy, Answered)
    assert (heavy.short_answer, heavy.conflicts) == ("23.4", ())


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How many people can hall 412 seat?", "The hall has 40 seats for people."),
        ("Does tram 16 stop at the 3 schools?", "The tram stops at 3 schools."),
        ("Which days does the form 27 name?", "The form names 5 days."),
        ("How many boats lie at berth 14?", "At the berth lie 2 boats."),
    ],
)
def test_a_number_that_says_which_one_is_meant_is_not_contradicted(question: str, said: str) -> None:
    assert find_conflicts(question, [quote(said)]) == ()


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Who are the 90 seats in the hall for?", "The hall has 70 seats for visitors."),
        ("Why does the ticket for the tram cost 12 euros?", "The ticket for the tram costs 9 euros."),
        ("Is the notice period of 30 days for members?", "The notice period for members is 14 days."),
    ],
)
def test_a_value_of_the_same_thing_and_measure_is_contradicted(question: str, said: str) -> None:
    assert find_conflicts(question, [quote(said)]) == ((0, 1),)
