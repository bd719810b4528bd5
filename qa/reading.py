"""A passage → the text as the reader sees it, and the way back to the document's offsets. Pure.

Before each cell of a table row stands its column's name: `Trip: Coast walk | Adults: 38 euros`. What is inserted is
never part of a span or a quote: no offset of the document stands for it.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from qa.rows import cells, is_row
from qa.schema import Kind
from qa.stages import Passage

LABEL_WORDS = 6  # of a column's name that are shown
LEAST_WORDS = 4  # of a heading that can be an answer; a shorter one only names a topic
LABELS = True  # whether rows are read with their columns' names; the packaged reader was trained without

_ABOUT_MAIL = re.compile(
    r"\b(?:e-?mails?|messages?|letters?|sen[dt]|sends|sender|wrote|writes?|written|recipients?|addressed|forwarded|cc"
    r"|copied|receive[ds]?|from whom)\b",
    re.IGNORECASE,
)

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReadingText:
    """`text` is what is read. Each run `(at, start, length)` of it, in order, is a copy of the passage from `start`."""

    text: str
    runs: tuple[tuple[int, int, int], ...]

    def back(self, start: int, end: int) -> Interval:
        """The passage's interval for this one of the text; of an insertion it is empty, and stands where that does."""
        low, high = self._run_at(start), self._run_at(end - 1)
        at, copied, length = self.runs[low]
        if start >= at + length and low + 1 < len(self.runs):  # an insertion: the passage goes on behind it
            begin = self.runs[low + 1][1]
        else:
            begin = copied + min(start - at, length)
        at, copied, length = self.runs[high]
        return begin, max(begin, copied + min(end - at, length))

    def _run_at(self, at: int) -> int:
        return max(0, bisect_right(self.runs, at, key=lambda run: run[0]) - 1)


def reading_text(passage: Passage) -> ReadingText:
    """The passage with the names of columns in front of its rows' cells."""
    pieces: list[str] = []
    runs: list[tuple[int, int, int]] = []
    at = copied = 0
    for place, label in (*_labels(passage), (len(passage.text), "")):
        if place > copied:
            runs.append((at, copied, place - copied))
            pieces.append(passage.text[copied:place])
            at += place - copied
            copied = place
        pieces.append(label)
        at += len(label)
    return ReadingText("".join(pieces), tuple(runs) or ((0, 0, 0),))


def _labels(passage: Passage) -> list[tuple[int, str]]:
    """Where in the passage a column's name is inserted, ascending, each with ": " behind it."""
    found: list[tuple[int, str]] = []
    for sentence in passage.sentences if LABELS else ():
        start, end = sentence.start - passage.start, sentence.end - passage.start
        row = passage.text[max(0, start) : end]
        if not any(sentence.columns) or start < 0 or end > len(passage.text) or not is_row(row):
            continue
        for cell, column in zip(cells(row, None), sentence.columns, strict=False):
            name = " ".join(column.split()[:LABEL_WORDS]).rstrip(":")
            text = row[cell.start : cell.end]
            if name and text and not cell.name and not text.startswith(f"{name}:"):
                found.append((start + cell.start, f"{name}: "))
    return found


def may_answer(kind: Kind, said: str, question: str) -> bool:
    """Whether a sentence of this kind may be the answer to this question.

    A heading may where it is long enough for a statement, asks nothing and announces no list; a mail's header where
    the question is about the mail.
    """
    if kind == "heading":
        line = said.strip("#=-* \t\r\n")
        return len(re.findall(r"\w+", line)) >= LEAST_WORDS and not line.endswith((":", "?"))
    if kind == "header":
        return _ABOUT_MAIL.search(question) is not None
    return kind != "rule"
