"""The benchmark `ownwords`: documents with questions in the words of people who ask, and questions that none answers.

PATH holds `ownwords-documents.jsonl.gz` (id, group, name, split, text) and `ownwords-questions.jsonl.gz` (id,
document, split, kind, answerable, question, gold: quote, start, end, part). Only the split `dev` is asked.
"""

from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

from eval.benchmarks.places import Places
from eval.benchmarks.questions import Question
from eval.jsonl import read_lines
from eval.metrics import Interval

ELSEWHERE = 0.2  # of the answered questions are also put to another document of the same group, which answers none
ELSEWHERE_KIND = "elsewhere"


def load(source: Path, docs: Path, *, whole_articles: bool, split: str = "dev", seed: int = 1) -> list[Question]:
    """Write the split's documents to `docs`; the questions about them, by document, halves by document in turn.

    A question that has few words in common with its document may be answerable or not. So that this alone does not
    tell them apart, where a document is given (not `whole_articles`) a share of the answerable ones is put to another
    document of the group and half as well.
    """
    documents = {row["id"]: row for row in read_lines(source / "ownwords-documents.jsonl.gz") if row["split"] == split}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_lines(source / "ownwords-questions.jsonl.gz"):
        if row["document"] in documents:
            rows[row["document"]].append(row)
    halves = {key: 1 + number % 2 for number, key in enumerate(sorted(documents))}
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)  # of a group, and of one half: halves share nothing
    for key, half in halves.items():
        alike[documents[key]["group"], half].append(key)
    questions = []
    for key, half in halves.items():
        document = documents[key]
        (docs / document["name"]).write_bytes(document["text"].encode("utf-8"))
        places = Places(docs / document["name"], document["text"])
        group = tuple(sorted(documents[other]["name"] for other in alike[document["group"], half]))
        questions += [_question(row, document["name"], places, half, group) for row in rows[key]]
        others = [other for other in alike[document["group"], half] if other != key]
        if not whole_articles and others:
            chosen = [row for row in rows[key] if row["answerable"] and _draw(row["id"], seed).random() < ELSEWHERE]
            questions += [
                _elsewhere(row, documents[_draw(row["id"], seed).choice(others)]["name"], half, group) for row in chosen
            ]
    return questions


def _draw(key: str, seed: int) -> Random:
    return Random(f"{seed}:{key}")  # noqa: S311  # a sample, not a secret


def _question(row: dict[str, Any], name: str, places: Places, half: int, group: tuple[str, ...]) -> Question:
    parts: dict[int, list[Interval]] = defaultdict(list)
    for gold in row["gold"]:
        start, end = places.of(gold["start"], gold["end"])
        parts[gold["part"] if row["kind"] == "M" else 0].append((name, start, end))
    return Question(
        id=row["id"],
        text=row["question"],
        answerable=row["answerable"],
        document=name,
        parts=tuple(tuple(parts[part]) for part in sorted(parts)),
        answers=tuple(gold["answer"] for gold in row["gold"] if gold.get("answer")),
        half=half,
        kind=row["kind"],
        every=row["kind"] == "M",
        group=group,
    )


def _elsewhere(row: dict[str, Any], name: str, half: int, group: tuple[str, ...]) -> Question:
    return Question(f"{row['id']}@{name}", row["question"], False, name, (), (), half, ELSEWHERE_KIND, group=group)
