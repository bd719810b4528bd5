"""Indexes documents with questions in people's own words, and writes how the product's search ranks their passages.

    python -m eval.training.gather TRAIN_DIR OUT.jsonl.gz [--documents 20]

TRAIN_DIR holds `ownwords-documents.jsonl.gz` and `ownwords-questions.jsonl.gz`; it may hold `talks.jsonl.gz` and
`collections/` (the model card lists the fields). All documents are indexed as one folder. Each question is searched
for in its own document, a question of a collection in all documents of the collection. Answered questions are also
searched for in other documents of the same group and split. `eval.training.own.load` reads OUT. Run this command
again after the search has changed.
"""

import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import click

from eval.jsonl import read_lines
from eval.training.cell_names import Row
from eval.training.own import Place, Right
from qa.assistant import Assistant
from qa.config import Config
from qa.stages import Passage
from qa.store.place import Store

ALL = 500  # hits: more than a document has passages
NEAR = 24  # of the passages that answer nothing are kept, the best by the search
AWAY_DOCUMENTS, AWAY = 4, 3  # a question is put to so many other documents; the best passages of so many are kept
CHOSEN = ("valley-news", "scout-district")  # collections that weights and thresholds are chosen on
GoldRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A document as it is given: `path` is relative to the folder that is indexed, and its name to all others."""

    path: str
    group: str
    split: str
    data: bytes


@dataclass(frozen=True, slots=True)
class GatheredQuestion:
    """A question and where it may be searched for: `documents` are paths, each gold's `document` too."""

    id: str
    text: str
    kind: str
    answerable: bool
    documents: tuple[str, ...]
    gold: tuple[GoldRow, ...]


def read_own(source: Path) -> tuple[list[Source], list[GatheredQuestion]]:
    """The documents that stand alone, their questions, and the turns of the talks about them by what they mean."""
    paths, documents, asked = {}, [], []
    for number, row in enumerate(read_lines(source / "ownwords-documents.jsonl.gz")):
        paths[row["id"]] = path = f"{number:04}/{row['name']}"
        documents.append(Source(path, row["group"], row["split"], row["text"].encode()))
    for row in read_lines(source / "ownwords-questions.jsonl.gz"):
        path = paths[row["document"]]
        gold = tuple(place | {"document": path} for place in row["gold"])
        asked.append(GatheredQuestion(row["id"], row["question"], row["kind"], row["answerable"], (path,), gold))
    talks = source / "talks.jsonl.gz"
    for row in read_lines(talks) if talks.exists() else ():
        path = paths[row["document"]]
        for number, turn in enumerate(row["turns"]):
            gold = ({"document": path, "quote": turn["quote"], "answer": turn["answer"]},) if turn["answerable"] else ()
            if turn.get("meant"):
                key = f"{row['id']}-{number}"
                asked.append(GatheredQuestion(key, turn["meant"], "talk", turn["answerable"], (path,), gold))
    return documents, asked


def read_collections(source: Path) -> tuple[list[Source], list[GatheredQuestion]]:
    """The folders of documents that resemble each other; those of CHOSEN are held out."""
    documents, asked = [], []
    for lines in sorted(source.glob("*/questions.jsonl")):
        folder = lines.parent
        files = sorted(file for file in folder.rglob("*") if file.is_file() and file != lines)
        paths = {file.relative_to(folder).as_posix(): f"{folder.name}/{file.relative_to(folder)}" for file in files}
        split = "dev" if folder.name in CHOSEN else "train"
        documents += [
            Source(paths[file.relative_to(folder).as_posix()], folder.name, split, file.read_bytes()) for file in files
        ]
        for row in read_lines(lines):
            gold = tuple(place | {"document": paths[place["document"]]} for place in row["gold"])
            places = tuple(paths.values())
            asked.append(GatheredQuestion(row["id"], row["question"], row["kind"], row["answerable"], places, gold))
    return documents, asked


def find(text: str, part: str, hint: int = -1, low: int = 0, high: int | None = None) -> tuple[int, int] | None:
    """Where `part` stands in `text[low:high]`: at `hint`, else where its letters and digits stand the first time.

    A file's text may be another than the one given: a row of a CSV file is indexed with other marks between its cells.
    """
    if part and hint >= 0 and text[hint : hint + len(part)] == part:
        return hint, hint + len(part)
    places = [at for at in range(low, len(text) if high is None else high) if text[at].isalnum()]
    wanted = "".join(filter(str.isalnum, part))
    at = "".join(text[place] for place in places).find(wanted) if wanted else -1
    return (places[at], places[at + len(wanted) - 1] + 1) if at >= 0 else None


def locate(text: str, gold: GoldRow) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The intervals of the quote and of the answer inside it; the answer is the whole quote where it stands nowhere."""
    quote = find(text, gold["quote"], gold.get("start", -1))
    if quote is None:
        return None
    answer = find(text, gold.get("answer") or "", gold.get("answer_start", -1), *quote)
    return quote, answer if answer and quote[0] <= answer[0] and answer[1] <= quote[1] else quote


class Searched:
    """The indexed folder: passages by document, and the product's order of them for a question."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._library = assistant.store.library
        self.passages: dict[str, list[tuple[int, int]]] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self.papers: dict[str, dict[str, Any]] = {}

    def add(self, path: str) -> None:
        """Take the document's passages down as the reader sees them."""
        library = self._assistant.store.library
        found = sorted(library.passages(library.chunk_ids([path]), [path]), key=lambda passage: passage.start)
        self.passages[path] = [(passage.start, passage.end) for passage in found]
        for number, (start, _) in enumerate(self.passages[path]):
            self._numbers[path, start] = number
        self.papers[path] = {
            "document": path,
            "title": found[0].title if found else "",
            "date": (found[0].date if found else None) or "",
            "windows": [self._window(passage) for passage in found],
        }

    def _window(self, passage: Passage) -> dict[str, Any]:
        """The passage with its heading, and with the first row of the table for each row."""
        inside = [sentence for sentence in passage.sentences if sentence.kind != "heading"]
        text = self._library.text(passage.content)
        header, rows = "", list[Row]()
        for sentence in inside:
            first = self._library.header_row(passage.content, sentence.start) if sentence.kind == "row" else None
            if first is None:
                continue
            if not rows and sentence is inside[0] and first.start < passage.start:
                header = text[first.start : first.end]
            if passage.start <= sentence.start and sentence.end <= passage.end:
                interval = (sentence.start - passage.start, sentence.end - passage.start)
                rows.append((*interval, text[first.start : first.end]))
        return {"text": passage.text, "heading": passage.heading or "", "header": header, "rows": rows}

    def order(self, question: str, paths: Sequence[str]) -> list[Place]:
        """The passages of these documents, best first."""
        passages = [hit.passage for hit in self._assistant.search(question, list(paths))]
        places = [(passage.document, passage.start) for passage in passages]
        return [(path, self._numbers[path, start]) for path, start in places]

    def best_of_each(self, question: str, paths: Sequence[str]) -> list[Place]:
        """The best passage of each of these documents, best first."""
        best: dict[str, Place] = {}
        for place in self.order(question, paths) if paths else ():
            best.setdefault(place[0], place)
        return list(best.values())

    def line(self, question: GatheredQuestion, others: Sequence[str]) -> dict[str, Any]:
        """What the question teaches; no passage of `near` touches anything that answers."""
        right: list[Right] = []
        touched = set()
        for gold in question.gold:
            path = gold["document"]
            found = locate(self._library.text_of(path) or "", gold)
            for number, (start, end) in enumerate(self.passages[path] if found else ()):
                (low, high), answer = found or ((0, 0), (0, 0))
                if start < high and low < end:
                    touched.add((path, number))
                if start <= low and high <= end:
                    right.append((path, number, answer[0] - start, answer[1] - start))
        near = [place for place in self.order(question.text, question.documents) if place not in touched]
        return {
            "question": question.text,
            "id": question.id,
            "kind": question.kind,
            "answerable": question.answerable,
            "right": right,
            "near": near[:NEAR],
            "away": self.best_of_each(question.text, others)[:AWAY] if question.answerable else [],
        }


def gather(
    source: Path, out: Path, *, threads: int, max_documents: int | None = None, show: bool = False
) -> tuple[int, int]:
    """Write OUT in one step; returns the number of questions, and of answered ones that no passage answers.

    `max_documents`: only so many of the documents that stand alone, and of the collections' documents.
    """
    read = [read_own(source), read_collections(source / "collections")]
    sources = [document for documents, _ in read for document in documents[:max_documents]]
    known = {document.path: document for document in sources}
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for document in sources:
        groups[document.group, document.split].append(document.path)
    questions = [question for _, asked in read for question in asked if known.keys() >= set(question.documents)]
    lost = 0
    part = out.with_suffix(".part")
    with tempfile.TemporaryDirectory() as scratch:
        for document in sources:
            path = Path(scratch, "docs", document.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(document.data)
        config = Config(data_dir=Path(scratch), threads=threads, dense_hits=ALL, keyword_hits=ALL, fused_hits=ALL)
        assistant = Assistant(Store(Path(scratch, "store"), Path(scratch, "docs")), config)
        assistant.refresh()
        searched = Searched(assistant)
        with gzip.open(part, "wt", encoding="utf-8") as file:
            for info in assistant.documents():
                searched.add(info.path)
                about = {"group": known[info.path].group, "split": known[info.path].split}
                file.write(json.dumps(searched.papers[info.path] | about) + "\n")
            with click.progressbar(questions, label="questions", hidden=not show) as bar:
                for question in bar:
                    place = known[question.documents[0]]
                    line = searched.line(question, _others(question, groups[place.group, place.split]))
                    lost += question.answerable and not line["right"]
                    file.write(json.dumps(line | {"split": place.split}) + "\n")
        assistant.close()
    part.replace(out)
    return len(questions), lost


def _others(question: GatheredQuestion, alike: Sequence[str]) -> list[str]:
    """Some other documents of the group that a question about a single document is put to; drawn by its id."""
    if len(question.documents) > 1:
        return []
    others = [path for path in alike if path not in question.documents]
    return Random(question.id).sample(others, min(AWAY_DOCUMENTS, len(others)))


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--documents", "max_documents", type=int, help="Only so many of each kind, to try.")
@click.option("--threads", default=2, show_default=True)
def main(source: Path, out: Path, max_documents: int | None, threads: int) -> None:
    count, lost = gather(source, out, threads=threads, max_documents=max_documents, show=True)
    click.echo(f"{count} questions; {lost} answered ones left out, as no passage holds their quote")


if __name__ == "__main__":
    main()
