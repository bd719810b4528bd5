"""What a reader is: it says of passages whether they answer a question, and how its scores become probabilities."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from qa.errors import ReaderError
from qa.stages import Passage, Reading


class Reader(Protocol):
    """Reads passages. Safe to share between threads."""

    @property
    def identity(self) -> str:
        """Names what the readings depend on: the weights' hash, or the model and its prompt."""

    @property
    def calibration(self) -> Callable[[float], float]:
        """A reading's score → the probability (0–1) that the passage answers the question."""

    @property
    def threshold(self) -> float:
        """The probability from which on the documents count as covering the question."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """Readings of these passages, in any order; a passage that cannot answer may be left out."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling of a score from 0 to 1: probability = 1 / (1 + exp(-(slope * logit(score) + intercept)))."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        score = min(max(score, 1e-6), 1 - 1e-6)
        z = self.slope * math.log(score / (1 - score)) + self.intercept
        return 1 / (1 + math.exp(-max(min(z, 50.0), -50.0)))


def checked_reader(reader: object) -> Reader:
    """The reader; raises ReaderError unless it brings an identity, a calibration and a threshold of its own.

    Scores of another reader mean nothing to the packaged calibration.
    """
    needed = ("identity", "calibration", "threshold", "read")  # found without computing them: weights are large
    if lacking := [name for name in needed if inspect.getattr_static(reader, name, None) is None]:
        raise ReaderError(
            f"{type(reader).__name__} cannot be the reader: it has no {', '.join(lacking)}."
            " Wrap a LlamaIndex postprocessor in qa.llamaindex.PostprocessorReader."
        )
    return cast(Reader, reader)


def probability(reader: Reader, reading: Reading) -> float:
    """The probability that the passage answers; raises ReaderError where the calibration gives none."""
    calibrated = reader.calibration(reading.score)
    if not 0 <= calibrated <= 1:  # not a number is neither
        raise ReaderError(
            f"the calibration of {reader.identity} turns the score {reading.score} into {calibrated},"
            " which is no probability; correct the calibration."
        )
    return calibrated


def read_passages(reader: Reader, question: str, passages: Sequence[Passage]) -> list[Reading]:
    """The reader's readings of these passages; raises ReaderError for readings that cannot be used.

    Whatever passage a reading brings, the one that was given is quoted.
    """
    given = {passage.chunk: passage for passage in passages}
    readings: dict[str, Reading] = {}
    for reading in reader.read(question, passages):
        passage = given.get(reading.passage.chunk)
        if passage is None or passage.chunk in readings:
            raise ReaderError(
                f"{reader.identity} read a passage twice, or one that it was not given; correct the reader."
            )
        start, end = reading.span or (passage.start, passage.end)
        if not passage.start <= start < end <= passage.end or not math.isfinite(reading.score):
            raise ReaderError(
                f"{reader.identity} gave the span {start}:{end} and the score {reading.score} for the passage"
                f" {passage.start}:{passage.end}; the span must lie inside it, and the score be a number."
            )
        readings[passage.chunk] = replace(reading, passage=passage)
    return list(readings.values())
