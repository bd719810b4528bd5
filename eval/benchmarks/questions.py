"""The questions of a benchmark, and its files of JSON lines."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.metrics import Interval
from qa.errors import QAError


@dataclass(frozen=True, slots=True)
class Question:
    """`document` is the gold document's file, `parts` where answer or evidence stands, `half` 1 or 2 by title.

    A part is one thing to be found, given by all places that will do: a SQuAD answer is one part, marked by several
    people; each evidence sentence is a part of its own. `kind` is what the benchmark calls the question; with `every`,
    an answer is right only where each part is quoted.
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

    @property
    def gold(self) -> tuple[Interval, ...]:
        """All places of all parts."""
        return tuple(place for part in self.parts for place in part)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a plain or gzipped file; raises QAError where it cannot be read as such."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, EOFError, zlib.error) as error:
        told = getattr(error, "strerror", None) or error
        raise QAError(f"{path} cannot be read ({told}); pass the folder that holds the benchmark.") from None
    except ValueError:
        raise QAError(f"{path} is not JSON lines in UTF-8; pass the folder that holds the benchmark.") from None


def halves_by(titles: Sequence[str]) -> dict[str | None, int]:
    """Title → 1 for the first half in sorted order, else 2."""
    ordered = sorted(set(titles))
    return {title: 1 if number < len(ordered) / 2 else 2 for number, title in enumerate(ordered)}
