"""Questions in people's own words: how they are gathered, and the laws of their groups; no torch."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from eval.training import gather, own
from eval.training.cell_names import with_cell_names
from eval.training.gather import find, locate
from eval.training.own import OwnQuestion, OwnWords, Paper, Window

RULES = "# Pool rules\n\n" + "\n\n".join(
    f"## Part {n}\n\nThe {name} of the pool is cleaned by {who} in week {n} of each month. Visitors are asked to keep "
    f"clear of the {name} while this is being done, and to leave by the northern door whenever the bell is rung twice."
    for n, (name, who) in enumerate([("basin", "Orla"), ("slide", "Bram"), ("sauna", "Ines"), ("lobby", "Piet")], 1)
)
PRICES = "item,price\ntowel,3 euro\nlocker,2 euro\n"
QUOTE = "The slide of the pool is cleaned by Bram in week 2 of each month."


def write(path: Path, lines: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def question(number: int, document: str, kind: str, text: str, quote: str = "", answer: str = "") -> dict[str, Any]:
    gold = [{"quote": quote, "answer": answer, "part": 0}] if quote else []
    return {"id": f"q{number}", "document": document, "split": "train", "kind": kind, "answerable": bool(quote),
            "question": text, "gold": gold}  # fmt: skip


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    named = {
        "rules": ("rules.md", RULES),
        "other": ("other.md", RULES.replace("pool", "hall")),
        "prices": ("p.csv", PRICES),
    }
    write(
        folder / "ownwords-documents.jsonl.gz",
        [
            {"id": key, "group": "pool", "split": "train", "name": name, "text": text}
            for key, (name, text) in named.items()
        ],
    )
    write(
        folder / "ownwords-questions.jsonl.gz",
        [
            question(0, "rules", "Ap", "who scrubs the chute", QUOTE, "Bram"),
            question(1, "rules", "C", "Why does nobody ever clean the slide?", QUOTE, "is cleaned by Bram"),
            question(2, "rules", "Uq", "What does cleaning the slide cost?"),
            question(3, "prices", "At", "rent for a locker", "locker,2 euro", "2 euro"),
            question(4, "rules", "Al", "Who cleans the roof?", "The roof is cleaned by Bo.", "Bo"),
        ],
    )  # fmt: skip
    result = CliRunner().invoke(gather.main, [str(folder), str(folder / "out.jsonl.gz"), "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert "1 answered ones left out" in result.output
    return folder / "out.jsonl.gz"


@pytest.fixture(scope="module")
def data(gathered: Path) -> OwnWords:
    return own.load(gathered, split="train")


def test_what_is_found_is_found_in_other_marks_too() -> None:
    assert find("a | locker | 2 euro |", "locker,2 euro") == (4, 19)
    assert find("one two one", "one", 8) == (8, 11)
    assert find("one two", "three") is None
    assert find("one two", "?!") is None
    assert locate("He paid 2 euro.", {"quote": "paid 2 euro", "answer": "2 euro"}) == ((3, 14), (8, 14))
    assert locate("He paid 2 euro. It was 3.", {"quote": "paid 2 euro", "answer": "3"}) == ((3, 14), (3, 14))


def test_the_answer_lies_in_its_passage_and_no_wrong_passage_touches_the_quote(data: OwnWords) -> None:
    assert {item.kind for item in data.questions} == {
        "Ap",
        "C",
        "Uq",
        "At",
    }
    for item in data.questions:
        assert bool(item.right) == item.answerable
        for document, number, start, end in item.right:
            text = data.papers[document].windows[number].text
            assert text[start:end] in ("Bram", "is cleaned by Bram", "2 euro")
        for document, number in item.near if item.kind in ("Ap", "C") else ():
            assert "Bram" not in data.papers[document].windows[number].text
        assert not {place[0] for place in item.away} & {place[0] for place in item.near}


def test_headings_are_the_products_without_the_title(data: OwnWords) -> None:
    item = next(item for item in data.questions if item.kind == "Ap")
    example = own.group(data, item, Random(1), plain=True)[0]
    assert (example.title, example.heading) == ("Pool rules", "Part 2")


def test_a_group_has_one_right_passage_first_and_only_denied_premises_deny(data: OwnWords) -> None:
    for item in data.questions:
        group = own.group(data, item, Random(2))
        assert [one.answerable for one in group] == [item.answerable, *[False] * (len(group) - 1)]
        assert [one.denies for one in group] == [item.kind == "C", *[False] * (len(group) - 1)]
        assert len({one.text for one in group}) == len(group) <= own.SIZE
        assert all((one.span is not None) == one.answerable for one in group)
        away = own.group(data, item, Random(2), away=True)
        assert not any(one.answerable or one.denies for one in away)
        assert {one.kind for one in away} <= {"away"}


def test_blocks_repeat_and_put_a_fifth_of_the_answered_questions_elsewhere() -> None:
    paper = Paper("T", "", "g", tuple(Window(f"text {n}", "", "item | price") for n in range(9)))
    near = tuple(("d", n) for n in range(1, 9))
    questions = tuple(
        OwnQuestion(
            f"q{n}?", "Ap" if n % 2 else "Uq", bool(n % 2), (("d", 0, 0, 4),) if n % 2 else (), near, (("e", 0),)
        )
        for n in range(1000)
    )
    data = OwnWords({"d": paper, "e": paper}, questions)
    first = own.block(data, 0, seed=1)
    assert own.block(data, 0, seed=1) == first != own.block(data, 0, seed=2)
    groups = [group for number in range(5) for group in own.block(data, number, seed=1)]
    answered = sum(group[0].answerable for group in groups)
    away = sum(group[0].kind == "away" for group in groups)
    assert 0.12 < away / answered < 0.3
    headed = sum(group[0].heading == "item | price" for group in groups)
    assert 0.1 < headed / len(groups) < 0.2  # the header row is read as a heading in so many
    ranks = [int(one.text.removeprefix("text ")) for group in groups for one in group if one.kind == "wrong"]
    assert sum(rank <= own.HARD for rank in ranks) / len(ranks) > 0.8
    assert max(ranks) == 8
    texts = {group[0].question.lower().strip("?") for group in groups[:1100]}
    assert len(texts) > 850  # an epoch asks every question


def test_no_question_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(ValueError, match="no questions"):
        own.block(OwnWords({}, ()), 0, seed=1)


ROW = "towel | 3 euro | blue\nlocker | 2 euro | red"
NAMED = "item: towel | price: 3 euro | colour: blue\nitem: locker | price: 2 euro | colour: red"
HEADER = "item | price | colour"


def test_cells_get_their_columns_names_and_the_answer_keeps_its_place() -> None:
    rows = [(0, 21, HEADER), (22, 43, HEADER)]
    start = ROW.index("2 euro")
    text, span = with_cell_names(ROW, rows, (start, start + 6))
    assert text == NAMED
    assert span is not None
    assert text[slice(*span)] == "2 euro"
    assert with_cell_names(ROW, [], (0, 5)) == (ROW, (0, 5))
    assert with_cell_names("No table.", [], None) == ("No table.", None)


def test_a_name_that_stands_there_is_not_put_there_twice() -> None:
    row = "price: 3 euro | colour: blue"
    assert with_cell_names(row, [(0, len(row), "a table without column names")], None) == (row, None)


def test_too_long_a_table_loses_rows_at_its_ends_but_not_the_answers() -> None:
    lines = [f"thing {number} | {number} euro | red" for number in range(30)]
    text = "\n".join(lines)
    starts = [text.index(line) for line in lines]
    rows = [(start, start + len(line), HEADER) for start, line in zip(starts, lines, strict=True)]
    for number in (0, 14, 29):
        answer = (starts[number], starts[number] + len(lines[number]))
        shown, span = with_cell_names(text, rows, answer, max_chars=200)
        assert len(shown) <= 200
        assert span is not None
        assert shown[slice(*span)] == f"thing {number} | price: {number} euro | colour: red"


def test_rows_are_gathered_with_the_first_row_of_their_table(data: OwnWords) -> None:
    item = next(item for item in data.questions if item.kind == "At")
    example = own.group(data, item, Random(1), plain=True)[0]
    assert example.span is not None
    assert example.text[slice(*example.span)] == "2 euro"
    assert "price: 2 euro" in example.text
