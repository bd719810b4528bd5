"""The benchmark `collections`: folders of documents that resemble each other (years, sites, versions, corrections).

PATH holds `collections/NAME/`, a folder of documents each, with `questions.jsonl` (id, question, kind, answerable,
gold: document, quote, answer, part). Only the folders kept for choosing are asked, each of them one half.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from eval.benchmarks.places import Places
from eval.benchmarks.questions import Question
from eval.jsonl import read_lines
from eval.metrics import Interval
from qa.errors import QAError

CHOSEN = ("scout-district", "valley-news")  # the other folders may be trained on
QUESTIONS = "questions.jsonl"
EVERY = ("multi", "conflict")  # kinds that are answered right only where each part is quoted


def load(source: Path, docs: Path, *, whole_articles: bool, folders: tuple[str, ...] = CHOSEN) -> list[Question]:
    """Write the documents to `docs/NAME/`; the questions about them, in the order of folders.

    A document alone (not `whole_articles`) is what an answered question's first gold stands in; an unanswered
    question has none.
    """
    del whole_articles  # a file is a document either way
    questions = []
    for half, name in enumerate(folders, 1):
        folder = source / "collections" / name
        texts = {
            f"{name}/{path.relative_to(folder).as_posix()}": path.read_text("utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != QUESTIONS
        }
        for path, text in texts.items():
            (docs / path).parent.mkdir(parents=True, exist_ok=True)
            (docs / path).write_bytes(text.encode("utf-8"))
        places = {path: Places(docs / path, text) for path, text in texts.items()}
        questions += [_question(row, name, half, texts, places) for row in read_lines(folder / QUESTIONS)]
    return questions


def _question(
    row: dict[str, Any], folder: str, half: int, texts: dict[str, str], places: dict[str, Places]
) -> Question:
    parts: dict[int, list[Interval]] = defaultdict(list)
    for gold in row["gold"]:
        path = f"{folder}/{gold['document']}"
        start = texts[path].find(gold["quote"])
        if start < 0:
            raise QAError(f"the quote of {row['id']} does not stand in {path}.")
        parts[gold["part"]].append((path, *places[path].of(start, start + len(gold["quote"]))))
    return Question(
        id=row["id"],
        text=row["question"],
        answerable=row["answerable"],
        document=next((interval[0] for part in sorted(parts) for interval in parts[part]), None),
        parts=tuple(tuple(parts[part]) for part in sorted(parts)),
        answers=tuple(gold["answer"] for gold in row["gold"] if gold.get("answer")),
        half=half,
        kind=row["kind"],
        every=row["kind"] in EVERY,
        group=tuple(sorted(texts)),
    )
