"""Questions in people's own words → groups of training examples. Pure, seeded, no torch.

    own = load(GATHERED, split="train")           # what `eval.training.gather` wrote
    groups = block(own, number, seed=1)           # BLOCK groups; the same for the same file, number and seed

A group is one question with a passage that answers it, first, and wrong passages of the same document: some that the
product's search ranks high, some others. Where nothing answers, all are wrong. Every fifth answered question is also
put to other documents of its group: in this data few shared words go with "answered", many with "unanswered", and a
reader that learned that would answer what is off the subject.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from eval.training import forms
from eval.training.data import Example
from qa.reader.encode import shown_heading

SIZE = 3  # passages of a group
BLOCK = 420  # groups, from which batches of like lengths are made
AWAY = 3  # passages of other documents that a question is put to
AWAY_SHARE = 0.2  # of the answered questions
HARD = 6  # of the wrong passages, those that the search ranks first
HARD_SHARE = 0.65  # of the wrong passages behind the first, which is always hard
HEADER_SHARE = 0.5  # of the groups, with a table's header row behind the headings of its rows
WEIGHTS = {"M": 0.7, "wrong": 0.8, "away": 0.8}  # each part of two answers half of the question; labels made here
DENIAL = ("C", "no-premise")  # the kinds that are answered by what denies them
Right = tuple[str, int, int, int]
"""Document, number of the passage, and where the answer starts and ends in it."""
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Window:
    """A passage as the slicer cuts it; `header` is the first row of the table it begins in, where that is not in it."""

    text: str
    heading: str
    header: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A document."""

    title: str
    date: str
    group: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the passages that answer it, and wrong ones, best first: of its document, and of others."""

    question: str
    kind: str
    answerable: bool
    right: tuple[Right, ...]
    near: tuple[Place, ...]
    away: tuple[Place, ...]


@dataclass(frozen=True)
class Own:
    """One split of the data."""

    papers: dict[str, Paper]
    asked: tuple[Asked, ...]


def load(path: Path, *, split: str) -> Own:
    """The split's documents and questions; answered questions that no passage answers are left out."""
    papers, asked = {}, []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["split"] != split:
                continue
            if "windows" in row:
                windows = tuple(Window(**one) for one in row["windows"])
                papers[row["document"]] = Paper(row["title"], row["date"], row["group"], windows)
            elif row["right"] or (not row["answerable"] and row["near"]):
                asked.append(_asked(row))
    return Own(papers, tuple(asked))


def _asked(row: dict[str, Any]) -> Asked:
    right, near, away = (tuple(tuple(one) for one in row[name]) for name in ("right", "near", "away"))
    return Asked(forms.normalise(row["question"]), row["kind"], row["answerable"], right, near, away)


def block(own: Own, number: int, *, seed: int) -> list[list[Example]]:
    """The groups of block `number`; each epoch walks through all questions in an order of its own."""
    made: list[list[Example]] = []
    epoch, at = 0, number * BLOCK
    while len(made) < BLOCK:
        walk = _walk(own.asked, f"{seed}:{epoch}") if own.asked else []
        if not walk:
            raise ValueError("no questions to train on")
        if at < len(walk):
            index, away = walk[at]
            random = Random(f"{seed}:{epoch}:{at}")
            made.append(group(own, own.asked[index], random, away=away))
            at += 1
        else:
            epoch, at = epoch + 1, at - len(walk)
    return made


def _walk(asked: tuple[Asked, ...], key: str) -> list[tuple[int, bool]]:
    """Every question by number, and some of the answered a second time, to be put to other documents."""
    random = Random(key)
    walk = [(number, False) for number in range(len(asked))]
    walk += [(n, True) for n, one in enumerate(asked) if one.answerable and one.away and random.random() < AWAY_SHARE]
    random.shuffle(walk)
    return walk


def group(
    own: Own, asked: Asked, random: Random, *, away: bool = False, size: int = SIZE, plain: bool = False
) -> list[Example]:
    """One question with up to `size` passages, the one that answers first.

    `away`: of other documents, none of which answers. `plain`: as it stands, with the wrong passages that rank first.
    """
    question = asked.question if plain else forms.vary(asked.question, random)
    with_header = random.random() < HEADER_SHARE
    made = []
    if asked.answerable and not away:
        document, number, start, end = random.choice(asked.right)
        example = _example(own, (document, number), question, with_header)
        weight, denies = WEIGHTS.get(asked.kind, 1.0), asked.kind in DENIAL
        made = [replace(example, answerable=True, span=(start, end), kind=asked.kind, weight=weight, denies=denies)]
    places = list(asked.away[:size]) if away else _wrong(asked.near, size - len(made), random, plain=plain)
    kind = "away" if away else "wrong" if asked.answerable else asked.kind
    for place in places:
        example = _example(own, place, question, with_header)
        made.append(replace(example, kind=kind, weight=WEIGHTS.get(kind, 1.0)))
    return made


def _example(own: Own, place: Place, question: str, with_header: bool) -> Example:
    paper = own.papers[place[0]]
    window = paper.windows[place[1]]
    path = [shown_heading(paper.title, window.heading), window.header if with_header else ""]
    heading = " › ".join(filter(None, path))
    return Example(question, paper.title, paper.date, window.text, False, None, "", heading=heading)


def _wrong(near: Sequence[Place], count: int, random: Random, *, plain: bool) -> list[Place]:
    """So many of the wrong passages: one of the search's first, then mostly those, now and then any."""
    if plain or len(near) <= count:
        return list(near[:count])
    rest, chosen = list(near), list[Place]()
    while len(chosen) < count:
        hard = [one for one in rest if one in near[:HARD]]
        first = not chosen or random.random() < HARD_SHARE
        chosen.append(random.choice(hard if hard and first else rest))
        rest.remove(chosen[-1])
    return chosen


def dev_groups(own: Own, count: int, *, seed: int, size: int = 5) -> tuple[list[list[Example]], list[list[Example]]]:
    """Groups as they stand of `count` questions, and a fifth as many of answered questions put to other documents."""
    asked = list(own.asked)
    Random(seed).shuffle(asked)
    random = Random(f"{seed}:dev")
    groups = [group(own, one, random, size=size, plain=True) for one in asked[:count]]
    others = [one for one in asked if one.answerable and one.away][: count // 5]
    return groups, [group(own, one, random, away=True, plain=True) for one in others]


def by_kind(groups: Sequence[Sequence[Example]], scores: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """The best passage's score of each question, by the question's kind."""
    best: dict[str, list[float]] = defaultdict(list)
    for examples, row in zip(groups, scores, strict=True):
        best[examples[0].kind].append(max(row))
    return dict(best)
