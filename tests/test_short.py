"""The short answer is one cell, or a span with what limits it, or absent: by hand, and over papers in many formats."""

import json
from pathlib import Path

import pytest

from eval.exams.cases import load_cases, read_texts
from eval.exams.judge import judge
from qa.answers import corrected
from qa.assistant import Assistant
from qa.config import Config
from qa.rows import cells, header_above, is_row
from qa.schema import Answered
from qa.short import MOST_CHARS, pick, short_answer
from qa.stages import Reading
from tests import large_print
from tests.conftest import Opener

HEADER = "Model | Price (EUR) | Weight (kg) | 2023 | 2024"
ROW = "Sparrow | 2890 | 23.4 | 12000 | 22000"


def printed(question: str, text: str, span: str, before: str = "") -> str | None:
    """What stands in large print for this span of the quoted text."""
    start = text.index(span)
    picked = pick(question, text, before, (start, start + len(span)))
    found = short_answer(question, text, picked) if picked else None
    return text[slice(*found)] if found else None


@pytest.mark.parametrize(
    ("question", "span", "short"),
    [
        ("What is the price of the Sparrow?", "2890 | 23.4", "2890"),
        ("What does the Sparrow cost?", "2890 | 23.4", "2890"),
        ("How much is the Sparrow?", "2890 | 23.4", "2890"),
        ("How heavy is the Sparrow?", "2890 | 23.4", "23.4"),
        ("How much does the Sparrow weigh?", "2890", "23.4"),
        ("How many Sparrows were sold in 2024?", "12000 | 22000", "22000"),
        ("Sparrow 2023?", "12000 | 22000", "12000"),
        ("What is the price of the Sparrow?", "Sparrow", "2890"),  # not the row's own label
        ("Which model costs 2890 euros?", "Sparrow | 2890", "Sparrow"),
        ("What is known of the Sparrow?", "2890 | 23.4", None),  # no header fits, and the span is in two
        ("What is known of the Sparrow?", "23.4", "23.4"),
        ("What is known of the Sparrow?", "Sparrow", None),
        ("What is the price of the Merlin?", "2890", None),  # another row than the one that is asked for
        ("Price and weight of the Sparrow?", "2890 | 23.4", None),  # two are asked for
        ("Price and weight of the Sparrow?", "23.4", "23.4"),
    ],
)
def test_of_a_row_the_cell_whose_header_fits(question: str, span: str, short: str | None) -> None:
    assert printed(question, ROW, span, HEADER) == short
    as_markdown = [f"| {line} |" for line in (ROW, HEADER)]
    assert printed(question, as_markdown[0], span, as_markdown[1]) == short
    tabbed = [line.replace(" | ", "\t") for line in (ROW, HEADER)]
    assert printed(question, tabbed[0], span.replace(" | ", "\t"), tabbed[1]) == short


@pytest.mark.parametrize(
    ("question", "row", "header", "span", "short"),
    [
        ("What is the rent in 2024?", "Rent | 11 | 12", "| 2023 | 2024", "11 | 12", "12"),  # no name over the labels
        ("When is room 5 cleaned?", "Room 5 |  | Monday", "Room | Note | Cleaned", "Monday", "Monday"),
        (
            "What is the note on room 5?",
            "Room 5 |  | Monday",
            "Room | Note | Cleaned",
            "Monday",
            "Monday",
        ),  # none there
        ("What does the adult ticket cost?", "ticket: Adult | price: 5.50 | zone: 2", None, "5.50 | zone: 2", "5.50"),
        ("What does an adult pay?", "Adult | 5 | 6", None, "5 | 6", None),  # no header
        ("What does an adult pay?", "Adult | 5 | 6", "Prices are in euros.", "5 | 6", None),
        ("What does a | b cost?", "a | b | 5 | 6", "Name | Price | Zone", "5 | 6", None),  # a cell holds the separator
    ],
)
def test_rows_whose_header_is_not_plain(
    question: str, row: str, header: str | None, span: str, short: str | None
) -> None:
    assert printed(question, row, span, header or "") == short


def test_cells_and_their_names() -> None:
    assert [(ROW[one.start : one.end], one.name) for one in cells(ROW, HEADER)][:2] == [
        ("Sparrow", "Model"), ("2890", "Price (EUR)"),
    ]  # fmt: skip
    assert [one.name for one in cells("a | b | c", "x | y")] == ["", "", ""]
    assert is_row("a\tb")
    assert not is_row("a \\| b")
    assert header_above("a | b", "Prices in euros.") is None


LIMITS = [
    ("What does delivery cost?", "Delivery is free above 2,500 EUR.", "free", "free above 2,500 EUR"),
    ("Is delivery free?", "Delivery is free for orders of at least 50 EUR.", "free",
     "free for orders of at least 50 EUR"),
    ("May tenants sublet?", "The tenant may not sublet the flat without written consent.", "sublet the flat",
     "may not sublet the flat without written consent"),
    ("What may tenants do?", "The tenant may not sublet the flat without written consent.", "sublet the flat",
     "may not sublet the flat without written consent"),
    ("What does delivery cost?", "For tickets, delivery is free above a fare of 25 EUR.", "25 EUR",
     "delivery is free above a fare of 25 EUR"),
    ("How many guests and cooks?", "There came 42 more guests and 2 cooks from Ulm.", "42 more guests and 2",
     "42 more guests and 2 cooks"),
    ("Who may enter?", "Members may not enter the boathouse.", "Members", "Members may not enter the boathouse"),
    ("When is it open?", "The pool is open every day, except on Mondays, Fridays and holidays.", "every day",
     "every day, except on Mondays, Fridays and holidays"),
    ("When is it open?", "The pool is open every day. Except on Mondays.", "every day", "every day. Except on Mondays"),
    ("When is it open?", "Unless it rains, the pool is open every day.", "every day",
     "Unless it rains, the pool is open every day"),
    ("Until when?", "The pool is open until 22:00.", "22:00", "until 22:00"),
    ("How many?", "The hall holds up to 120 people.", "120", "up to 120"),
    ("How long is it kept?", "It is kept for at least five years.", "five", "at least five years"),
    ("What is the fee?", "The fee is £20 for each room.", "£20", "£20 for each room"),
    ("When does it close?", "It closes only on 5 May.", "5 May", "only on 5 May"),
    ("When was it open?", "It was open from 5 May until 6 June 2024.", "5 May", "from 5 May until 6 June 2024"),
    ("Is smoking allowed?", "Smoking is not allowed in the hall.", "not", "is not allowed in the hall"),
    ("Is it valid?", "The pass is no longer valid.", "valid", "is no longer valid"),
    ("What is insured?", "The sheds are insured against fire, not against floods.", "fire", "fire, not against floods"),
    ("How early?", "Tell us at least 15 weeks before the birth.", "15 weeks", "at least 15 weeks before the birth"),
    # Nothing limits these.
    ("Who built it?", "It was built in 1871 by Hector Vane.", "Hector Vane", "Hector Vane"),
    ("When was it built?", "It was built in 1871 by Hector Vane.", "1871", "1871"),
    ("Which network?", "She wrote it on X.", "X", "X"),
    ("Who said so?", "Ann Lee said that over 300 people came.", "Ann Lee", "Ann Lee"),
    ("When may dogs not enter?", "Dogs may not enter in summer.", "in summer", "in summer"),  # the question says it
    ("What if the old key is handed in?", "It costs 5 euros if the old key is handed in.", "5 euros", "5 euros"),
    ("How many came?", "42 defenders came home, and nobody was hurt.", "42", "42"),
    ("What is free?", "A visit costs nothing the first time and £7.50 every time after.", "£7.50", "£7.50 every time"),
    # What would be too long is not printed.
    ("When is it open?", f"It is open daily, unless {'the very strong wind of the north ' * 6}blows.", "daily", None),
]  # fmt: skip


@pytest.mark.parametrize(("question", "text", "span", "short"), LIMITS)
def test_a_span_grows_by_what_limits_it(question: str, text: str, span: str, short: str | None) -> None:
    assert printed(question, text, span) == short
    assert printed(question, f"{text}\n", span) == short
    assert short is None or len(short) <= MOST_CHARS


@pytest.mark.parametrize(("question", "text", "span", "short"), LIMITS)
def test_where_lines_are_broken_changes_nothing(question: str, text: str, span: str, short: str | None) -> None:
    found = printed(question, text.replace(" ", "\n"), span.replace(" ", "\n"))
    assert (found and " ".join(found.split())) == short


TABLE = "| Berth | Price |\n| --- | --- |\n| Heron | 38 |\n| Egret | 54 |\n| Egret Bay | 60 |\n| Curlew | 27 |\n"


@pytest.mark.parametrize(
    ("question", "read", "row"),
    [
        ("What is the price of the berth Curlew?", "38", "Curlew"),
        ("What is the price of the berth Egret?", "38", "Egret"),
        ("What is the price of the berth Egret Bay?", "38", "Heron"),  # two are called by words of it
        ("What is the price of Heron and Curlew?", "38", "Heron"),  # the row that was read names what is asked
        ("What is the price of the pier?", "38", "Heron"),
    ],
)
def test_the_row_that_the_question_names_is_read(open_folder: Opener, question: str, read: str, row: str) -> None:
    library = open_folder({"berths.md": TABLE}).store.library
    (passage,) = library.passages([chunk for chunk, _ in library.search("heron", 5)])
    at = TABLE.index(read)
    span = corrected(library, question, Reading(passage, (at, at + len(read)), 0.5)).span
    assert span
    start, end = span
    line = TABLE[TABLE.rindex("\n", 0, start + 1) + 1 : TABLE.index("\n", end - 1)]
    assert line.split(" | ")[0] == f"| {row}"


def test_a_span_is_printed_in_whole_words() -> None:
    assert printed("Who?", "It is Hector Vane.", "ctor Va") == "Hector Vane"


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    folder = tmp_path_factory.mktemp("harbour")
    large_print.write(folder)
    return folder


def test_the_large_print_over_papers_in_many_formats(harbour: Path, config: Config) -> None:
    """Measured on 60 questions: `python -m tests.large_print DIR`, `qa-eval run DIR/cases.jsonl --docs DIR/docs`."""
    assistant = Assistant.open(harbour / "docs", config=config)
    texts = read_texts(harbour / "docs")
    shown: dict[str, list[str]] = {"right": [], "wrong": [], "absent": []}
    for placed in load_cases([harbour / "cases.jsonl"], texts):
        answer = assistant.ask(placed.case.turns[-1])
        printed = judge(placed, answer, texts).large_print
        if printed and isinstance(answer, Answered):
            shown[printed].append(json.dumps([answer.asked, answer.short_answer]))
            assert answer.short_answer is None or answer.short_answer in answer.quotes[0].text
    assistant.close()
    assert len(shown["right"]) >= 40, shown
    assert len(shown["wrong"]) <= 1, shown["wrong"]


def test_of_a_denied_item_nothing_is_printed_large() -> None:
    text = "You may not bring:\n- dogs\n- radios"
    assert printed("What may I bring?", text, "dogs") is None
    assert printed("What may I not bring?", text, "dogs") == "dogs"
    assert printed("What may I bring?", text.replace("not ", ""), "dogs") == "dogs"


def test_marks_of_quoted_mail_are_never_printed_large() -> None:
    text = "> The key hangs behind the\n> stove in the hall."
    assert printed("Where is the key?", text, "behind the\n> stove") is None
    assert printed("Where is the key?", text, "stove in the hall") == "stove in the hall"
    assert printed("What hangs there?", text, "> The key") == "The key"


def test_a_column_called_by_a_small_word_is_asked_for_by_it() -> None:
    assert printed("Since when is Ada here?", "Ada | 12 | 2019", "Ada | 12", "Name | Desk | Since") == "2019"


def test_of_two_columns_named_in_one_breath_the_later_is_asked_for() -> None:
    header, row = "Plot | Tenant | Pump | Pressure", "7 | Ines Marr | P-88 | 4.1"
    assert printed("What is the pump pressure of Ines Marr?", row, "P-88", header) == "4.1"
    assert printed("What is the pressure of the pump of Ines Marr?", row, "P-88", header) == "P-88"
