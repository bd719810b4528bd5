"""Dates in text, and which of them is a document's own."""

import pytest

from qa.dates import in_force_from, iso_date, named_date, stated_date


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("1. Januar 2025", "2025-01-01"),
        ("3. März 2024", "2024-03-03"),
        ("31. Dezember 2023", "2023-12-31"),
        ("1er janvier 2025", "2025-01-01"),
        ("le 14 août 2024", "2024-08-14"),
        ("2 décembre 2024", "2024-12-02"),
        ("juin 2024", "2024-06"),
        ("juillet 2024", "2024-07"),
        ("06.05.2024", "2024-05-06"),
        ("31.02.2024", None),
        ("1.2.3", None),
        ("Marsch 2024", None),
    ],
)
def test_dates_in_german_french_and_with_dots(written: str, date: str | None) -> None:
    assert iso_date(written) == date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("# Price list\n\nValid from 1 January 2025 until further notice.\n", "2025-01-01"),
        ("Price list\n\nAll prices in EUR, valid from 1 January 2025 to 31 December 2025.\n", "2025-01-01"),
        ("House rules\n\nThese rules apply from March 2024. They replace the old ones.\n", "2024-03"),
        ("House rules\n\nIn force since 2024-03-05\n", "2024-03-05"),
        ("The policy is effective as of May 6, 2024.\n", "2024-05-06"),
        ("Preisliste\n\nGültig ab 1. März 2025.\n", "2025-03-01"),
        ("Tarifs\n\nEn vigueur à partir du 1er mars 2025.\n", "2025-03-01"),
        ("Equipment lent to schools, as of 5 February 2024\n\nName\n", "2024-02-05"),
        ("Minutes\n\nMeeting date: 12 March 2024\n", "2024-03-12"),
        # Somebody else's dates.
        ("The ticket is valid from 1 January 2025.\n", None),
        ("A season ticket that was bought in May is valid from 1 June 2025.\n", None),
        ("As of 6 May 2024 the company had 12 employees.\n", None),
        ("There were 12 employees as of 6 May 2024.\n", None),
        ("x" * 1000 + "\n\nValid from 1 January 2025.\n", None),
    ],
)
def test_the_date_that_a_document_states_as_its_own(text: str, date: str | None) -> None:
    assert stated_date(text) == date


def test_from_when_on_something_holds() -> None:
    assert in_force_from("From then on. Valid from 1 June 2026, a ticket costs 5 euros.") == "2026-06-01"
    assert in_force_from("Valid from 1 June 2026, not valid from 1 July 2026 on.") is None
    assert in_force_from("The club was founded in 2026.") is None


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("Price list 2025", "2025"),
        ("Opening hours, March 2024", "2024-03"),
        ("Season 2023/2024", None),
        ("Season 2023 to 2025", None),
        ("2024 and 2025 compared", None),
        ("Form 1040", None),
        ("Room 20245", None),
        ("Price list 2025 " + "of the harbour " * 6, None),
    ],
)
def test_the_date_in_a_name(name: str, date: str | None) -> None:
    assert named_date(name) == date
