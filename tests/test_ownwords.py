"""The benchmark of people's own words: halves, questions put elsewhere, places in tables, and runs that go on."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from eval.benchmarks import benchmark, recall
from eval.benchmarks.outcomes import BenchmarkOutcome, by_kind
from eval.benchmarks.ownwords import ELSEWHERE_KIND, load
from qa.config import Config

TEXT = "The gate is open from six.\n\nThe guard is called Mira. Dogs stay outside.\n"
TABLE = "Stall,Owner\n\nApples,Ida\nPears,Tom\n"


def gold(text: str, quote: str, part: int = 0) -> dict[str, Any]:
    start = text.index(quote)
    return {"quote": quote, "start": start, "end": start + len(quote), "answer": quote, "part": part}


def row(document: str, number: int, kind: str, question: str, *found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{document}#{number}", "document": document, "split": "dev", "kind": kind,
        "answerable": bool(found), "question": question, "gold": list(found),
    }  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    texts = {f"park/{number}": ("txt", TEXT) for number in range(4)} | {"park/4": ("csv", TABLE)}
    documents = [
        {"id": key, "group": "park", "name": f"{key.replace('/', '-')}.{ending}", "split": "dev", "text": text}
        for key, (ending, text) in texts.items()
    ]
    questions = [row("park/4", 0, "At", "who sells pears", gold(TABLE, "Pears,Tom"))]
    for key in list(texts)[:4]:
        questions += [row(key, n, "Ap", "when may I come in", gold(TEXT, "open from six")) for n in range(20)]
        parts = (gold(TEXT, "open from six", 0), gold(TEXT, "called Mira", 1))
        questions += [row(key, 20, "M", "when and who", *parts), row(key, 21, "Ue", "who is the mayor")]
    documents.append({"id": "park/9", "group": "park", "name": "t.txt", "split": "train", "text": TEXT})
    for name, rows in (("documents", documents), ("questions", questions)):
        with gzip.open(folder / f"ownwords-{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write("".join(json.dumps(one) + "\n" for one in rows))
    return folder


def test_halves_share_no_document_and_elsewhere_nothing_is_answered(source: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    questions = load(source, docs, whole_articles=False)
    assert {path.name for path in docs.iterdir()} == {*(f"park-{n}.txt" for n in range(4)), "park-4.csv"}
    used = [{one.document for one in questions if one.half == half} for half in (1, 2)]
    assert not used[0] & used[1]
    moved = [one for one in questions if one.kind == ELSEWHERE_KIND]
    assert 5 <= len(moved) <= 35, "about a fifth of 84"
    for one in moved:
        assert not one.answerable
        assert not one.parts
        assert one.id.split("#")[0].replace("/", "-") not in str(one.document)
    assert load(source, docs, whole_articles=False) == questions, "the same each time"
    assert not [one for one in load(source, docs, whole_articles=True) if one.kind == ELSEWHERE_KIND]


def test_both_parts_are_to_be_quoted_and_a_row_stands_where_it_is_read(source: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    questions = load(source, docs, whole_articles=True)
    two = next(one for one in questions if one.kind == "M")
    assert two.every
    assert len(two.parts) == 2
    half = BenchmarkOutcome(two, 0.9, (two.parts[0][0],), (0.9,), None, True)
    both = BenchmarkOutcome(two, 0.9, (two.parts[0][0], two.parts[1][0]), (0.9, 0.5), None, True)
    assert (half.right(0.1), both.right(0.1), both.right(0.6)) == (False, True, False)
    table = next(one for one in questions if one.kind == "At")
    (place,) = table.parts[0]
    assert place[0] == "park-4.csv"
    assert place[1] < place[2]


def test_a_run_goes_on_behind_a_line_that_was_cut_off(source: Path, tmp_path: Path, config: Config) -> None:
    keep = tmp_path / "outcomes.jsonl"

    def run(name: str) -> list[BenchmarkOutcome]:
        place = tmp_path / name
        place.mkdir()
        return benchmark.run(
            "ownwords",
            source,
            place,
            config,
            reach="document",
            half=1,
            sample=4,
            seed=1,
            show=lambda *_: None,
            keep=keep,
        )

    first = run("first")
    kept = keep.read_text("utf-8")
    keep.write_text(kept[:-30], "utf-8")
    assert run("second") == first
    ids = [json.loads(line)["id"] for line in keep.read_text("utf-8").splitlines()[-1:]]
    assert ids == [first[-1].question.id], "only the lost one was asked again"
    figures = by_kind(first, 0.5)
    assert sum(one["questions"] for one in figures.values()) == 4


def test_recall_by_way_and_kind(source: Path, tmp_path: Path, config: Config) -> None:
    (tmp_path / "docs").mkdir()
    questions = benchmark.load("ownwords", source, tmp_path / "docs", reach="document", half=None, sample=0, seed=1)
    found = recall.recall(questions, tmp_path, config, reach="document", show=lambda *_: None)
    assert found["all"]["questions"] == len([one for one in questions if one.parts])
    assert found["At"]["words"] == found["At"]["fused"] == 1.0
    assert 0 <= (found["Ap"]["meaning"] or 0) <= 1
