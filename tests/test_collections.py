"""The benchmarks of folders of alike documents and of conversations: what is asked, of what, and what is right."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eval.benchmarks import benchmark, collections, talks
from eval.benchmarks.outcomes import BenchmarkOutcome
from eval.benchmarks.questions import Question
from qa.config import Config
from qa.errors import QAError

RULES_2023 = "# House rules 2023\n\nThe gate closes at nine.\n"
RULES_2024 = "# House rules 2024\n\nThe gate closes at ten.\n"
PRICES = "Item,Price\nKey,4 euros\nLamp,9 euros\n"


def gold(document: str, quote: str, answer: str, part: int = 0) -> dict[str, Any]:
    return {"document": document, "quote": quote, "answer": answer, "part": part}


def asked(number: int, kind: str, question: str, *found: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"house#{number}", "question": question, "kind": kind, "answerable": bool(found), "gold": list(found)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    house = folder / "collections" / "house"
    (house / "rules").mkdir(parents=True)
    for name, text in {"rules/2023.md": RULES_2023, "rules/2024.md": RULES_2024, "prices.csv": PRICES}.items():
        (house / name).write_text(text, "utf-8")
    rows = [
        asked(1, "pick", "When does the gate close in 2024?", gold("rules/2024.md", "The gate closes at ten.", "ten")),
        asked(
            2, "multi", "When did the gate close in 2023, and when in 2024?",
            gold("rules/2023.md", "The gate closes at nine.", "nine"),
            gold("rules/2024.md", "The gate closes at ten.", "ten", 1),
        ),
        asked(3, "table", "What is a key?", gold("prices.csv", "Key,4 euros", "4 euros")),
        asked(4, "no-year", "When did the gate close in 2019?"),
    ]  # fmt: skip
    (house / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    documents = [{"id": "a/1", "group": "a", "name": "gate.txt", "split": "dev", "text": RULES_2023}]
    documents.append({"id": "a/2", "group": "a", "name": "other.txt", "split": "train", "text": RULES_2024})
    turns = [
        turn("when does the gate close", "When does the gate close?", "The gate closes at nine.", "nine", "first"),
        turn("and on Sundays?", "When does the gate close on Sundays?", "", "", "narrow"),
    ]
    talk_rows = [{"id": f"{key}@0", "document": key, "turns": turns} for key in ("a/1", "a/2")]
    for name, found in (("ownwords-documents", documents), ("talks", talk_rows)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("".join(json.dumps(row) + "\n" for row in found))
    return folder


def turn(said: str, meant: str, quote: str, answer: str, move: str) -> dict[str, Any]:
    return {"said": said, "meant": meant, "answerable": bool(quote), "quote": quote, "answer": answer, "move": move}


def load_house(source: Path, docs: Path) -> list[Question]:
    docs.mkdir()
    return collections.load(source, docs, whole_articles=True, folders=("house",))


def test_a_collection_is_asked_of_its_own_folder(source: Path, tmp_path: Path) -> None:
    pick, multi, table, silent = load_house(source, tmp_path / "docs")
    folder = ("house/prices.csv", "house/rules/2023.md", "house/rules/2024.md")
    assert all(question.group == folder for question in (pick, multi, table, silent))
    assert pick.documents("group") == list(folder)
    assert pick.documents("document") == ["house/rules/2024.md"]
    assert pick.documents("all") is None
    assert not silent.parts
    assert silent.documents("document") is None
    (document, start, end), *_ = pick.gold
    assert (tmp_path / "docs" / document).read_text("utf-8")[start:end] == "The gate closes at ten."
    assert table.gold[0][1:] != (PRICES.index("Key"), PRICES.index("Key") + len("Key,4 euros")), "the row as extracted"


def test_what_asks_two_things_is_right_only_with_both(source: Path, tmp_path: Path) -> None:
    _, multi, _, _ = load_house(source, tmp_path / "docs")
    both = tuple(part[0] for part in multi.parts)
    assert len(both) == 2
    assert BenchmarkOutcome(multi, 0.9, both, (0.9, 0.9), None, True).right(0.5)
    assert not BenchmarkOutcome(multi, 0.9, both[:1], (0.9,), None, True).right(0.5)


def test_a_quote_that_stands_nowhere_is_named(source: Path, tmp_path: Path) -> None:
    (source / "collections" / "house" / "rules" / "2024.md").write_text("Nothing.\n", "utf-8")
    with pytest.raises(QAError, match="house#1"):
        load_house(source, tmp_path / "docs")


def test_a_turn_follows_what_was_said_before(source: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    first, second = talks.load(source, docs, whole_articles=True)
    assert [path.name for path in docs.iterdir()] == ["gate.txt"], "talks of other splits are not asked"
    assert first.history == ()
    assert [(earlier.question, earlier.text) for earlier in second.history] == [
        ("when does the gate close", "The gate closes at nine.")
    ]
    assert (second.text, second.answerable, second.kind) == ("and on Sundays?", False, "narrow")
    meant = talks.load(source, docs, whole_articles=True, meant=True)[1]
    assert (meant.text, meant.history) == ("When does the gate close on Sundays?", ())


def test_talks_run_through_the_pipeline(source: Path, tmp_path: Path, config: Config) -> None:
    scratch = tmp_path / "run"
    scratch.mkdir()
    found = benchmark.run(
        "talks", source, scratch, config, reach="document", half=None, sample=0, seed=1, show=lambda *_: None
    )
    assert [outcome.question.kind for outcome in found] == ["first", "narrow"]
    assert found[0].retrieved
