"""How well `qa.decide.is_near` tells documents that come near a question from unrelated ones.

    python -m eval.benchmarks.near PATH

PATH is the folder with ownwords-documents.jsonl.gz and ownwords-questions.jsonl.gz.
A question of `dev` is put to its own document, to a document of another group, and to four of other groups. Nothing is
read: a document comes near where one of the passages that would be read does. Questions about a topic that their
document lacks (kind `Uo`) are left out of the own ones.
"""

import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.jsonl import read_lines
from qa.assistant import Assistant
from qa.config import Config
from qa.decide import is_near
from qa.stages import Hit

QUESTIONS = 1600
SEED = 1
PUT_TO = {"its own document": 0, "an unrelated document": 1, "four unrelated documents": 4}

Put = tuple[str, str, list[Hit]]
"""What the question is put to, the question, the passages that would be read."""


def shares(puts: Sequence[Put], near: Callable[[str, Hit], bool] = is_near) -> dict[str, float]:
    """What questions are put to → the share of them that it comes near."""
    found: dict[str, list[bool]] = defaultdict(list)
    for to, question, hits in puts:
        found[to].append(any(near(question, hit) for hit in hits))
    return {to: sum(nears) / len(nears) for to, nears in found.items()}


def put_questions(folder: Path, *, max_questions: int = QUESTIONS) -> Iterator[Put]:
    """Each of the sampled questions, put to all of `PUT_TO`."""
    documents = [row for row in read_lines(folder / "ownwords-documents.jsonl.gz") if row["split"] == "dev"]
    questions = [row for row in read_lines(folder / "ownwords-questions.jsonl.gz") if row["split"] == "dev"]
    by_id = {document["id"]: document for document in documents}
    rng = random.Random(SEED)  # noqa: S311  # the same sample each time
    with tempfile.TemporaryDirectory() as place:
        docs = Path(place) / "docs"
        docs.mkdir()
        for document in documents:
            (docs / document["name"]).write_text(document["text"], "utf-8")
        config = Config(data_dir=Path(place), threads=2)
        assistant = Assistant.open(docs, config=config)
        for question in rng.sample(questions, min(max_questions, len(questions))):
            own = by_id[question["document"]]
            others = [other["name"] for other in documents if _family(other) != _family(own)]
            for to, count in PUT_TO.items():
                if not count and question["kind"] == "Uo":
                    continue
                names = rng.sample(others, count) or [own["name"]]
                yield to, question["question"], assistant.search(question["question"], names)[: config.read_hits]
        assistant.close()


def _family(document: dict[str, Any]) -> str:
    """Its group without the number: groups that differ in it alone are of one kind."""
    return re.sub(r"\d+$", "", document["group"])


if __name__ == "__main__":
    for to, share in shares(list(put_questions(Path(sys.argv[1])))).items():
        print(f"{to}: {share:.3f} come near")
