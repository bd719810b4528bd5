"""Questions in people's own words → groups of training examples. Pure, seeded, no torch.

    own = load(GATHERED, split="train")           # what `eval.training.gather` wrote
    groups = block(own, number, seed=1)           # BLOCK groups; the same for the same file, number and seed

A group is one question with a passage that answers it, first, and wrong passages of the same document: one that the
product's search ranks first, and others. When nothing answers the question, all passages are wrong. Every fifth
answered question is also put to other documents of its group. The reason: in this data answered questions share few
words with their document, unanswered ones many. A reader that learned this would answer what is off the subject.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from eval.jsonl import read_lines
from eval.training import forms
from eval.training.cell_names import Row, with_cell_names
from eval.training.data import Example
from qa.reader.encode import shown_heading

SIZE = 3  # passages of a group
BLOCK = 420  # groups, from which batches of similar lengths are made
AWAY_SHARE = 0.2  # of the answered questions are also put to other documents
HARD = 6  # of the wrong passages: those that the search ranks first
HARD_SHARE = 0.65  # of the wrong passages after the first one are hard
ROW_FORMS = {"names": 0.7, "header": 0.15, "plain": 0.15}  # how a table's rows are read, as shares of the groups
WEIGHTS = {"M": 0.5, "multi": 0.5, "wrong": 0.8, "away": 0.8}  # a part of two answers half of the question
DENIAL = ("C", "no-premise")  # the kinds of questions that are answered by what denies them
Right = tuple[str, int, int, int]
"""Document, number of the passage, and where the answer starts and ends in it."""
Place = tuple[str, int]
"""Document and number of the passage."""
Group = list[Example]


@dataclass(frozen=True, slots=True)
class Window:
    """A passage as the slicer cuts it.

    `header` is the first row of the table that the passage begins in, when that row is outside the passage. `rows` are
    the rows inside it, the first row of a table left out.
    """

    text: str
    heading: str
    header: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A document."""

    title: str
    date: str
    group: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """A question, the passages that answer it, and wrong ones, best first: of its document, and of others."""

    text: str
    kind: str
    answerable: bool
    right: tuple[Right, ...]
    near: tuple[Place, ...]
    away: tuple[Place, ...]


@dataclass(frozen=True)
class OwnWords:
    """One split of the data."""

    papers: dict[str, Paper]
    questions: tuple[OwnQuestion, ...]


def load(path: Path, *, split: str) -> OwnWords:
    """The split's documents and questions; answered questions that no passage answers are left out.

    A question that several documents answer becomes one question for each of them.
    """
    papers, questions = {}, list[OwnQuestion]()
    for row in read_lines(path):
        if row["split"] != split:
            continue
        if "windows" in row:
            papers[row["document"]] = Paper(row["title"], row["date"], row["group"], _windows(row["windows"]))
        elif row["answerable"]:
            by_document = defaultdict(list)
            for right in row["right"]:
                by_document[right[0]].append(right)
            questions += [_question(row, rights) for rights in by_document.values()]
        elif row["near"]:
            questions.append(_question(row, ()))
    return OwnWords(papers, tuple(questions))


def _windows(rows: list[dict[str, Any]]) -> tuple[Window, ...]:
    return tuple(Window(**row | {"rows": tuple(tuple(place) for place in row["rows"])}) for row in rows)


def _question(row: dict[str, Any], rights: Sequence[Any]) -> OwnQuestion:
    right, near, away = (tuple(tuple(place) for place in places) for places in (rights, row["near"], row["away"]))
    return OwnQuestion(forms.normalise(row["question"]), row["kind"], row["answerable"], right, near, away)


def block(own: OwnWords, number: int, *, seed: int) -> list[list[Example]]:
    """The groups of block `number`; each epoch walks through all questions in an order of its own."""
    made: list[list[Example]] = []
    epoch, at = 0, number * BLOCK
    while len(made) < BLOCK:
        walk = _walk(own.questions, f"{seed}:{epoch}") if own.questions else []
        if not walk:
            raise ValueError("no questions to train on")
        if at < len(walk):
            index, away = walk[at]
            random = Random(f"{seed}:{epoch}:{at}")
            made.append(group(own, own.questions[index], random, away=away))
            at += 1
        else:
            epoch, at = epoch + 1, at - len(walk)
    return made


def _walk(questions: tuple[OwnQuestion, ...], key: str) -> list[tuple[int, bool]]:
    """Every question by number, and some of the answered ones a second time, to be put to other documents."""
    random = Random(key)
    walk = [(number, False) for number in range(len(questions))]
    for number, question in enumerate(questions):
        if question.answerable and question.away and random.random() < AWAY_SHARE:
            walk.append((number, True))
    random.shuffle(walk)
    return walk


def group(
    own: OwnWords, question: OwnQuestion, random: Random, *, away: bool = False, size: int = SIZE, plain: bool = False
) -> list[Example]:
    """One question with up to `size` passages, the one that answers first.

    `away`: with passages of other documents, none of which answers. `plain`: the question as it stands, cells with
    their names, and the wrong passages that rank first.
    """
    text = question.text if plain else forms.vary(question.text, random)
    form = "names" if plain else random.choices(list(ROW_FORMS), list(ROW_FORMS.values()))[0]
    made = []
    if question.answerable and not away:
        document, number, start, end = random.choice(question.right)
        example = _example(own, (document, number), text, form, (start, end))
        weight, denies = WEIGHTS.get(question.kind, 1.0), question.kind in DENIAL
        made = [replace(example, answerable=True, kind=question.kind, weight=weight, denies=denies)]
    places = list(question.away[:size]) if away else _wrong(question.near, size - len(made), random, plain=plain)
    kind = "away" if away else "wrong" if question.answerable else question.kind
    for place in places:
        example = _example(own, place, text, form, None)
        made.append(replace(example, kind=kind, weight=WEIGHTS.get(kind, 1.0) if question.answerable else 1.0))
    return made


def _example(own: OwnWords, place: Place, question: str, form: str, span: tuple[int, int] | None) -> Example:
    """The passage as it is read with this question; `form` is one of ROW_FORMS."""
    paper = own.papers[place[0]]
    window = paper.windows[place[1]]
    path = [shown_heading(paper.title, window.heading), window.header if form == "header" else ""]
    text, span = with_cell_names(window.text, window.rows, span) if form == "names" else (window.text, span)
    return Example(question, paper.title, paper.date, text, False, span, "", heading=" › ".join(filter(None, path)))


def _wrong(near: Sequence[Place], count: int, random: Random, *, plain: bool) -> list[Place]:
    """So many wrong passages: the search's first, then mostly hard ones, now and then any."""
    if plain or len(near) <= count:
        return list(near[:count])
    chosen, rest = [near[0]], list(near[1:])
    while len(chosen) < count:
        hard = [place for place in rest if place in near[:HARD]]
        chosen.append(random.choice(hard if hard and random.random() < HARD_SHARE else rest))
        rest.remove(chosen[-1])
    return chosen[:count]


def dev_groups(
    own: OwnWords, count: int, *, seed: int, size: int = 5
) -> tuple[list[list[Example]], list[list[Example]]]:
    """Plain groups of `count` questions, and of a sixth as many answered questions put to other documents."""
    questions = list(own.questions)
    Random(seed).shuffle(questions)
    random = Random(f"{seed}:dev")
    groups = [group(own, question, random, size=size, plain=True) for question in questions[:count]]
    others = [question for question in questions if question.answerable and question.away][: count // 6]
    return groups, [group(own, question, random, away=True, plain=True) for question in others]


def by_kind(groups: Sequence[Sequence[Example]], scores: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """The best passage's score of each question, by the question's kind."""
    best: dict[str, list[float]] = defaultdict(list)
    for examples, row in zip(groups, scores, strict=True):
        best[examples[0].kind].append(max(row))
    return dict(best)
