"""Questions in people's own words: how they are gathered, and the laws of their groups; no torch."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from eval.training import gather, own
from eval.training.gather import find, locate
from eval.training.own import Asked, Own, Paper, Window

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
def data(gathered: Path) -> Own:
    return own.load(gathered, split="train")


def test_what_is_found_is_found_in_other_marks_too() -> None:
    assert find("a | locker | 2 euro |", "locker,2 euro") == (4, 19)
    assert find("one two one", "one", 8) == (8, 11)
    assert find("one two", "three") is None
    assert find("one two", "?!") is None
    assert locate("He paid 2 euro.", {"quote": "paid 2 euro", "answer": "2 euro"}) == ((3, 14), (8, 14))
    assert locate("He paid 2 euro. It was 3.", {"quote": "paid 2 euro", "answer": "3"}) == ((3, 14), (3, 14))


def test_the_answer_lies_in_its_passage_and_no_wrong_passage_touches_the_quote(data: Own) -> None:
    assert {one.kind for one in data.asked} == {"Ap", "C", "Uq", "At"}  # the quote that stands nowhere is left out
    for asked in data.asked:
        assert bool(asked.right) == asked.answerable
        for document, number, start, end in asked.right:
            text = data.papers[document].windows[number].text
            assert text[start:end] in ("Bram", "is cleaned by Bram", "2 euro")
        for document, number in asked.near if asked.kind in ("Ap", "C") else ():
            assert "Bram" not in data.papers[document].windows[number].text
        assert not {place[0] for place in asked.away} & {place[0] for place in asked.near}


def test_headings_are_the_products_without_the_title(data: Own) -> None:
    asked = next(one for one in data.asked if one.kind == "Ap")
    example = own.group(data, asked, Random(1), plain=True)[0]
    assert (example.title, example.heading) == ("Pool rules", "Part 2")


def test_a_group_has_one_right_passage_first_and_only_denied_premises_deny(data: Own) -> None:
    for asked in data.asked:
        group = own.group(data, asked, Random(2))
        assert [one.answerable for one in group] == [asked.answerable, *[False] * (len(group) - 1)]
        assert [one.denies for one in group] == [asked.kind == "C", *[False] * (len(group) - 1)]
        assert len({one.text for one in group}) == len(group) <= own.SIZE
        assert all((one.span is not None) == one.answerable for one in group)
        away = own.group(data, asked, Random(2), away=True)
        assert not any(one.answerable or one.denies for one in away)
        assert {one.kind for one in away} <= {"away"}


def test_blocks_repeat_and_put_a_fifth_of_the_answered_questions_elsewhere() -> None:
    paper = Paper("T", "", "g", tuple(Window(f"text {n}", "", "item | price") for n in range(9)))
    near = tuple(("d", n) for n in range(1, 9))
    asked = tuple(
        Asked(f"q{n}?", "Ap" if n % 2 else "Uq", bool(n % 2), (("d", 0, 0, 4),) if n % 2 else (), near, (("e", 0),))
        for n in range(1000)
    )
    data = Own({"d": paper, "e": paper}, asked)
    first = own.block(data, 0, seed=1)
    assert own.block(data, 0, seed=1) == first != own.block(data, 0, seed=2)
    groups = [group for number in range(5) for group in own.block(data, number, seed=1)]
    answered = sum(group[0].answerable for group in groups)
    away = sum(group[0].kind == "away" for group in groups)
    assert 0.12 < away / answered < 0.3
    headed = sum(group[0].heading == "item | price" for group in groups)
    assert 0.4 < headed / len(groups) < 0.6  # the header row is read in half of them
    ranks = [int(one.text.removeprefix("text ")) for group in groups for one in group if one.kind == "wrong"]
    assert sum(rank <= own.HARD for rank in ranks) / len(ranks) > 0.8
    assert max(ranks) == 8
    questions = {group[0].question.lower().strip("?") for group in groups[:1100]}
    assert len(questions) > 850  # an epoch asks every question


def test_no_question_is_an_error_and_not_a_loop() -> None:
    with pytest.raises(ValueError, match="no questions"):
        own.block(Own({}, ()), 0, seed=1)
