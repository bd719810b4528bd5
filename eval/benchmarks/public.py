"""Loads public benchmarks: their passages become a folder of text files, their questions point to places in them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eval.benchmarks.questions import Question, halves_by
from eval.jsonl import read_lines
from qa.errors import QAError


def squad2(source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """SQuAD 2.0: a text file for each paragraph or article. Gold: the answer's place. Halves by sorted title."""
    passages = list(read_lines(source / "squad2-dev-passages.jsonl.gz"))
    places = _write(docs, passages, by=lambda row: row["title"] if whole_articles else row["id"])
    halves = halves_by([passage["title"] for passage in passages])
    return [
        Question(
            id=row["id"],
            text=row["question"],
            answerable=row["answerable"],
            document=places[row["doc_ids"][0]][0],
            parts=(
                tuple(
                    (document, offset + start, offset + start + len(answer))
                    for document, offset in [places[row["doc_ids"][0]]]
                    for start, answer in zip(row["starts"], row["answers"], strict=True)
                ),
            )
            if row["answerable"]
            else (),
            answers=tuple(row["answers"]) if row["answerable"] else (),
            half=halves[row["title"]],
        )
        for row in read_lines(source / "squad2-dev-questions.jsonl.gz")
    ]


def evidence(name: str, source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """clapnq and chunking: a text file for each passage. Gold: all evidence sentences. Halves by passage id."""
    passages = list(read_lines(source / f"{name}-passages.jsonl.gz"))
    places = _write(docs, passages, by=lambda row: row["id"])
    texts = {passage["id"]: passage["text"] for passage in passages}
    halves = halves_by([passage["id"] for passage in passages])
    questions = []
    for row in read_lines(source / f"{name}-questions.jsonl.gz"):
        passage = row["doc_ids"][0] if row["doc_ids"] else None
        gold = []
        for number, excerpt in enumerate(row["evidence"] if row["answerable"] and passage else ()):
            document, offset = places[str(passage)]
            start = row["spans"][number][0] if "spans" in row else texts[str(passage)].find(excerpt)
            if start >= 0:
                gold.append((document, offset + start, offset + start + len(excerpt)))
        questions.append(
            Question(
                id=row["id"],
                text=row["question"],
                answerable=row["answerable"],
                document=places[passage][0] if passage else None,
                parts=tuple((place,) for place in gold),
                answers=tuple(row["answers"]),
                half=halves.get(passage, 2),
            )
        )
    return questions


def beir(source: Path, docs: Path, *, whole_articles: bool) -> list[Question]:
    """BEIR's layout: corpus.jsonl, queries.jsonl, qrels/test.tsv. Gold is the whole of each relevant document."""
    rows = read_lines(source / "corpus.jsonl")
    passages = [{"id": row["_id"], "title": row.get("title", ""), "text": row["text"]} for row in rows]
    places = _write(docs, passages, by=lambda row: row["id"])
    sizes = {passage["id"]: len(passage["text"]) for passage in passages}
    texts = {row["_id"]: row["text"] for row in read_lines(source / "queries.jsonl")}
    relevant: dict[str, list[str]] = defaultdict(list)
    qrels = source / "qrels" / "test.tsv"
    try:
        lines = qrels.read_text("utf-8").splitlines()[1:]
        for query, passage, grade in (line.split("\t") for line in lines):
            if int(grade) > 0:
                relevant[query].append(passage)
    except (OSError, ValueError) as error:
        raise QAError(f"{qrels} cannot be read as query, passage, grade a line ({error}).") from None
    halves = halves_by(sorted(relevant))
    return [
        Question(
            id=query,
            text=texts[query],
            answerable=True,
            document=places[found[0]][0],
            parts=(
                tuple(
                    (places[passage][0], places[passage][1], places[passage][1] + sizes[passage]) for passage in found
                ),
            ),
            answers=(),
            half=halves[query],
        )
        for query, found in relevant.items()
    ]


def _write(
    docs: Path, passages: Sequence[dict[str, Any]], *, by: Callable[[dict[str, Any]], str]
) -> dict[str, tuple[str, int]]:
    """Write a text file for each group, its title first; returns passage id → (file, offset of its text there)."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for passage in passages:
        groups[by(passage)].append(passage)
    places: dict[str, tuple[str, int]] = {}
    for number, members in enumerate(groups.values()):
        name, text = f"{number:06}.txt", members[0]["title"].replace("_", " ")
        for passage in members:
            text += "\n\n" if text else ""
            places[passage["id"]] = (name, len(text))
            text += passage["text"]
        (docs / name).write_bytes(text.encode("utf-8"))
    return places
