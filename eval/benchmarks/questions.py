"""The questions of a benchmark, and how its titles are halved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval.metrics import Interval
from qa.schema import Turn

Reach = Literal["document", "group", "all"]
"""What a question may be answered from: its own document, the documents of its group, or one collection of all."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a benchmark.

    `document` is the gold document's file, `parts` where answer or evidence stands, `half` 1 or 2 by title.

    A part is one thing to be found, given by all places that will do: a SQuAD answer is one part, marked by several
    people; each evidence sentence is a part of its own. `kind` is what the benchmark calls the question; with `every`,
    an answer is right only where each part is quoted. `group` are the documents that belong together, `history` the
    earlier turns of a conversation.
    """

    id: str
    text: str
    answerable: bool
    document: str | None
    parts: tuple[tuple[Interval, ...], ...]
    answers: tuple[str, ...]
    half: int
    kind: str = ""
    every: bool = False
    group: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()

    def documents(self, reach: Reach) -> list[str] | None:
        """The documents that may be used; None: all."""
        if reach == "document" and self.document:
            return [self.document]
        return list(self.group) if reach == "group" and self.group else None

    @property
    def gold(self) -> tuple[Interval, ...]:
        """All places of all parts."""
        return tuple(place for part in self.parts for place in part)


def halves_by(titles: Sequence[str]) -> dict[str | None, int]:
    """Title → 1 for the first half in sorted order, else 2."""
    ordered = sorted(set(titles))
    return {title: 1 if number < len(ordered) / 2 else 2 for number, title in enumerate(ordered)}
