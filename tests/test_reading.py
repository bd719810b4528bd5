"""What the reader sees of a passage: rows with their columns' names, and the way back to the document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading import Interval, ReadingText, may_answer, reading_text
from qa.rows import cells
from qa.schema import Sentence
from tests.readers import made_passage

HEADER = "Boat | Seats | Rent a day"
ROW = "Heron | 6 | 45 euros"


def seen_of(text: str, rows: list[tuple[Interval, str | None]]) -> ReadingText:
    """What is read of a passage with these rows, each with the first row of its table."""
    sentences = []
    for (start, end), header in rows:
        row = text[start:end]
        columns = tuple(cell.name for cell in cells(row, header)) if header and header != row else ()
        sentences.append(Sentence(start, end, "row", columns=columns))
    return reading_text(made_passage(text, sentences))


def test_a_row_is_read_with_the_names_of_its_columns() -> None:
    passage = f"Boats for hire.\n{HEADER}\n{ROW}"
    start = passage.index(ROW)
    seen = seen_of(passage, [((start, len(passage)), HEADER)])
    assert seen.text == f"Boats for hire.\n{HEADER}\nBoat: Heron | Seats: 6 | Rent a day: 45 euros"
    at = seen.text.index("45 euros")
    assert seen.back(at, at + 8) == (passage.index("45 euros"), len(passage))


@pytest.mark.parametrize(
    ("row", "header", "read"),
    [
        ("Heron |  | 45 euros", HEADER, "Boat: Heron |  | Rent a day: 45 euros"),
        ("Boat: Heron | Seats: 6", None, "Boat: Heron | Seats: 6"),
        ("Boat: Heron | Seats: 6 | Rent a day: 45", HEADER, "Boat: Heron | Seats: 6 | Rent a day: 45"),
        ("Heron | 6 | 45 | new", HEADER, "Heron | 6 | 45 | new"),
        (HEADER, HEADER, HEADER),
        ("Heron | 6", "Boat | ", "Boat: Heron | 6"),
        ("a | b", "one two three four five six seven | z", "one two three four five six: a | z: b"),
    ],
)
def test_only_named_columns_are_named(row: str, header: str | None, read: str) -> None:
    assert seen_of(row, [((0, len(row)), header)]).text == read


def test_of_an_insertion_nothing_is_the_passages_own() -> None:
    seen = seen_of(ROW, [((0, len(ROW)), HEADER)])
    at = seen.text.index("Seats")
    start, end = seen.back(at, at + 5)
    assert start == end == ROW.index("6")


CELL = st.text(alphabet="ab1 é", max_size=6)


@given(st.lists(st.tuples(st.lists(CELL, min_size=1, max_size=5), st.lists(CELL, min_size=1, max_size=5)), max_size=4))
def test_what_is_no_insertion_comes_back_exactly(tables: list[tuple[list[str], list[str]]]) -> None:
    passage, rows = "Before.", []
    for header, row in tables:
        passage += "\n"
        start = len(passage)
        passage += " | ".join(row)
        rows.append(((start, len(passage)), " | ".join(header)))
    seen = seen_of(passage, rows)
    own = "".join(passage[slice(*seen.back(at, at + 1))] for at in range(len(seen.text)))
    assert own == passage, "every character of the passage is read once, in order"
    for at in range(len(seen.text)):
        start, end = seen.back(at, len(seen.text))
        assert 0 <= start <= end == len(passage)


@pytest.mark.parametrize(
    ("kind", "said", "question", "may"),
    [
        ("heading", "## The slip is locked at dusk", "When is the slip locked?", True),
        ("heading", "# Opening hours", "When is it open?", False),
        ("heading", "When is the slip locked?", "When is the slip locked?", False),
        ("heading", "What you have to bring:", "What must I bring?", False),
        ("header", "Date: Tue, 10 Jun 2025 08:05:00 +0200", "How long is the tour?", False),
        ("header", "Date: Tue, 10 Jun 2025 08:05:00 +0200", "When was the mail sent?", True),
        ("rule", "7", "Which page?", False),
        ("row", ROW, "How many seats has the Heron?", True),
    ],
)
def test_what_may_answer(kind: str, said: str, question: str, may: bool) -> None:
    assert may_answer(kind, said, question) is may  # type: ignore[arg-type]
