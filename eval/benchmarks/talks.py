"""The benchmark `talks`: conversations about one document of the benchmark `ownwords`.

PATH holds `ownwords-documents.jsonl.gz` and `talks.jsonl.gz` (id, document, turns: said, meant, answerable, quote,
answer, move). Only talks about documents of the split `dev` are asked.
"""

from pathlib import Path
from typing import Any

from eval.benchmarks.places import Places
from eval.benchmarks.questions import Question
from eval.jsonl import read_lines
from eval.metrics import Interval
from qa.errors import QAError
from qa.schema import Turn

SILENCE = "The documents come near this question but do not answer it."


def load(source: Path, docs: Path, *, whole_articles: bool, meant: bool = False) -> list[Question]:
    """Write the talks' documents to `docs`; a question a turn, halves by document in turn, kinds by move.

    The history of a turn is what was said before, with the right answers: one wrong answer does not spoil the turns
    after it. `meant`: what the turn means by itself is asked instead, without a history.
    """
    del whole_articles  # a file is a document either way
    rows = list(read_lines(source / "talks.jsonl.gz"))
    talked_about = {row["document"] for row in rows}
    documents = {
        row["id"]: row
        for row in read_lines(source / "ownwords-documents.jsonl.gz")
        if row["split"] == "dev" and row["id"] in talked_about
    }
    halves = {key: 1 + number % 2 for number, key in enumerate(sorted(documents))}
    places: dict[str, Places] = {}
    for key, document in documents.items():
        (docs / document["name"]).write_bytes(document["text"].encode("utf-8"))
        places[key] = Places(docs / document["name"], document["text"])
    questions = []
    for row in rows:
        if row["document"] not in documents:
            continue
        document = documents[row["document"]]
        history: tuple[Turn, ...] = ()
        for number, turn in enumerate(row["turns"]):
            parts = _parts(row["id"], turn, document, places[row["document"]])
            questions.append(
                Question(
                    id=f"{row['id']}.{number}",
                    text=turn["meant"] if meant else turn["said"],
                    answerable=turn["answerable"],
                    document=document["name"],
                    parts=parts,
                    answers=(turn["answer"],) if turn["answer"] else (),
                    half=halves[row["document"]],
                    kind=turn["move"],
                    history=() if meant else history,
                )
            )
            history = (*history, Turn(question=turn["said"], text=turn["quote"] or SILENCE))
    return questions


def _parts(
    talk: str, turn: dict[str, Any], document: dict[str, Any], places: Places
) -> tuple[tuple[Interval, ...], ...]:
    if not turn["answerable"]:
        return ()
    start = document["text"].find(turn["quote"])
    if start < 0:
        raise QAError(f"a quote of {talk} does not stand in {document['name']}.")
    return (((document["name"], *places.of(start, start + len(turn["quote"]))),),)
