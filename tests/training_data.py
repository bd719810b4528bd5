"""Small training data: a corpus of made-up towns, and documents with questions in people's own words."""

import gzip
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.training.pairs import is_dev

TOWNS = "Aldburg Bexmoor Carwick Dunfell Eastholm Farleigh Gorsley Hartmere Inverlow Jarnwick Kelmarsh Lowbeck".split()


def passage_of(town: str, number: int) -> str:
    return (
        f"The harbour of {town} was opened in {1801 + number} by the merchant Oswin Trent. "
        f"Its northern wall has {40 + number} arches, and the largest crane stands on the left bank. "
        f"Every spring the town holds a fair for sailors, ropemakers and all who live by the water and its trade. "
        f"A school for pilots followed, which Margaret Hale led for {10 + number} years with great success. "
        f"Her pupils went to sea on the ships of the Amber Line, whose office was in the old mint behind the church. "
        "The mint itself had struck silver coins for the dukes until they lost the right to a rival house in the south."
    )


def pair_rows(towns: Sequence[str] = TOWNS) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    passages = [
        {"id": f"p{number}", "title": f"{town}_(town)", "text": passage_of(town, number)}
        for number, town in enumerate(towns)
    ]
    pairs: list[dict[str, Any]] = []
    for number, town in enumerate(towns):
        asked = {
            f"Who opened the harbour of {town} in {1801 + number}?": "Oswin Trent",
            f"How many arches has the northern wall of {town} ?": f"{40 + number}",
            "Who led the school for pilots?": "Margaret Hale",
            "What line did the pupils of Margaret Hale sail with?": "the Amber Line",
        }
        for place, (question, answer) in enumerate(asked.items()):
            sentence = next(part for part in re.split(r"(?<=\.) ", passage_of(town, number)) if answer in part)
            pairs.append(
                {"id": f"a{number}-{place}", "question": question, "passage": f"p{number}", "answerable": True,
                 "answers": [answer], "evidence": [sentence], "source": "test", "kind": "gold"}
            )  # fmt: skip
        for kind in ("unans-hi", "hardneg"):
            pairs.append(
                {"id": f"{kind}{number}", "question": f"Who closed the `` harbour '' of {town} ?", "kind": kind,
                 "passage": f"p{number}", "answerable": False, "answers": [], "evidence": [], "source": "test"}
            )  # fmt: skip
    return passages, pairs


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """A gzipped file of JSON lines."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def held_out_towns(count: int) -> list[str]:
    """Names of towns whose titles are held out."""
    names = (f"Kelton {number}" for number in itertools.count())
    return list(itertools.islice((name for name in names if is_dev(f"{name}_(town)")), count))


def write_pairs(folder: Path, towns: Sequence[str] = TOWNS) -> None:
    """The corpus as `eval.training.pairs.load` reads it."""
    for name, lines in zip(("passages", "pairs"), pair_rows(towns), strict=True):
        write_lines(folder / f"{name}.jsonl.gz", lines)


STEERING = ("who ran the lessons for steering ships", "led by Margaret Hale", "Margaret Hale")
CRANES = ("where do the cranes stand", "the largest crane stands on the left bank", "on the left bank")
MINTING = ("who may cast money now", "", "")


def write_own_words(folder: Path, *, towns: int = 9) -> None:
    """A document a town with questions that it answers and one that it does not; every third one is of the split `dev`.

    Documents of `dev` have one sentence, so that whatever is quoted for an answered question is right.
    """
    documents, questions = [], []
    for number, town in enumerate(TOWNS[:towns]):
        is_dev_document = number % 3 == 0
        split = "dev" if is_dev_document else "train"
        sentence = "The school for pilots was led by Margaret Hale."
        text = f"# {town}\n\n{sentence if is_dev_document else f'{sentence} {passage_of(town, number)}'}\n"
        documents.append({"id": town, "group": "towns", "split": split, "name": f"{town}.md", "text": text})
        asked = (STEERING, MINTING) if is_dev_document else (STEERING, CRANES, MINTING)
        for place, (question, quote, answer) in enumerate(asked):
            start = text.find(quote)
            gold = [{"quote": quote, "start": start, "end": start + len(quote), "answer": answer, "part": 0}]
            questions.append(
                {"id": f"{town}-{place}", "document": town, "split": split, "kind": "Ap" if quote else "Uq",
                 "answerable": bool(quote), "question": question, "gold": gold if quote else []}
            )  # fmt: skip
    write_lines(folder / "ownwords-documents.jsonl.gz", documents)
    write_lines(folder / "ownwords-questions.jsonl.gz", questions)
