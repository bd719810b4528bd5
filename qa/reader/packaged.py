"""The packaged reader: a cross-encoder on ONNX Runtime. Does a passage answer the question, and where?

A reading's `score` is the probability (0–1, not yet calibrated for the pipeline) that the passage answers.
"""

import hashlib
import json
import math
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qa import embed
from qa.embed import MODELS, file_sha256, open_tokenizer
from qa.reader.base import Calibration
from qa.reader.encode import Encoded, Encoder, best_span, characters, shown_heading
from qa.reading import may_answer, reading_text
from qa.schema import Sentence
from qa.stages import Passage, Reading

MODEL = MODELS / "reader"
FILES = ("model.onnx", "layers.bin", "words.bin", "tokenizer.json", "calibration.json")
OUTPUTS = ("answerable", "start", "end")
_SAY_WHEN_ASKED = re.compile(
    r"\b(?:if|when(?:ever)?) (?:you are|anybody|anyone|somebody|someone) ask(?:s|ed)\b"
    r".*\b(?:answer|say|reply|respond)\b",
    re.IGNORECASE | re.DOTALL,
)


class CrossEncoder:
    """Reads with the weights in `folder`, each passage by itself: a score does not depend on the other passages.

    All who ask at the same time share `threads`: memory does not grow with their number, and questions end in turn.
    The weights are opened at the first question: indexing does without them.
    """

    def __init__(self, *, threads: int, folder: Path = MODEL) -> None:
        self._threads, self._folder = ThreadPoolExecutor(threads, "reading"), folder
        self._opening = threading.Lock()
        self._loaded: tuple[Any, Encoder] | None = None
        fitted = load_calibration(folder)
        self.calibration = Calibration(fitted["slope"], fitted["intercept"])
        self.threshold = fitted["threshold"]

    @property
    def identity(self) -> str:
        """One hash over all of the reader's files."""
        return model_sha256(self._folder)

    def load(self) -> tuple[Any, Encoder]:
        """The session and its encoder; raises ModelError."""
        with self._opening:
            if self._loaded is None:
                model_sha256(self._folder)
                session = embed.open_session(self._folder / "model.onnx", threads=1)
                self._loaded = session, Encoder(open_tokenizer(self._folder / "tokenizer.json"))
            return self._loaded

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """The readings, in the order of the passages; those that hold nothing to quote but questions are left out."""
        self.load()
        readings = self._threads.map(lambda passage: self._read(question, passage), passages)
        return [reading for reading in readings if reading is not None]

    def _read(self, question: str, passage: Passage) -> Reading | None:
        quotable = [
            (sentence.start - passage.start, sentence.end - passage.start)
            for sentence in passage.sentences
            if may_answer(sentence.kind, _said(passage, sentence), question)
        ]
        if not quotable:
            return None
        logit, span = self.outputs(question, passage, quotable)
        if span is None or _is_question(passage.text, quotable, span):
            return None
        return Reading(passage, (passage.start + span[0], passage.start + span[1]), 1 / (1 + math.exp(-logit)))

    def outputs(
        self, question: str, passage: Passage, quotable: Sequence[tuple[int, int]]
    ) -> tuple[float, tuple[int, int] | None]:
        """The logit that the passage answers, and the answer inside one of its `quotable` intervals."""
        session, encoder = self.load()
        heading = shown_heading(passage.title, passage.heading or "")
        seen = reading_text(passage)
        encoded = encoder.encode(question, passage.title, passage.date or "", seen.text, heading=heading)
        encoded = replace(encoded, offsets=[seen.back(a, b) for a, b in encoded.offsets])
        feed = {"input_ids": np.array([encoded.ids], np.int64), "segments": np.array([encoded.segments], np.int64)}
        answerable, start, end = session.run(OUTPUTS, feed)
        return float(answerable[0]), answer_span(encoded, start[0], end[0], quotable)


def _said(passage: Passage, sentence: Sentence) -> str:
    """What of the sentence stands in the passage."""
    return passage.text[max(0, sentence.start - passage.start) : sentence.end - passage.start]


def _is_question(text: str, sentences: Sequence[tuple[int, int]], span: tuple[int, int]) -> bool:
    """Whether the span lies in a sentence that asks, or tells what to say when asked: neither is an answer itself."""
    inside = [text[a:b] for a, b in sentences if a <= span[0] and span[1] <= b]
    return any(sentence.rstrip("\"'”’»)* ").endswith("?") or _SAY_WHEN_ASKED.search(sentence) for sentence in inside)


def answer_span(
    encoded: Encoded, start: NDArray[np.float32], end: NDArray[np.float32], sentences: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """The interval of the passage with the highest sum of logits that lies within one of its `sentences` (intervals).

    None where no token lies within a sentence. Ties go to the earlier one.
    """
    spans = []
    for low, high in sentences:
        inside = [encoded.first + number for number, (a, b) in enumerate(encoded.offsets) if low <= a and b <= high]
        if inside:
            spans.append(best_span(start, end, encoded, (inside[0], inside[-1] + 1)))
    if not spans:
        return None
    first, last = characters(encoded, *max(spans, key=lambda span: start[span[0]] + end[span[1]]))
    if first < last:
        return first, last
    return next((low, high) for low, high in sentences if low <= first <= high)  # only a column's name was meant


@cache
def model_sha256(folder: Path = MODEL) -> str:
    """One hash over all of the reader's files; raises ModelError unless each is the packaged one."""
    return hashlib.sha256("".join(file_sha256(folder / name) for name in FILES).encode()).hexdigest()


def load_calibration(folder: Path = MODEL) -> dict[str, float]:
    """`slope` and `intercept`, which turn the reader's logit into the probability that the quote answers (Platt 1999).

    And the `threshold`: the probability from which on the documents count as covering the question. It is where
    balanced accuracy (answerable questions answered right, the others refused) is highest.
    `python -m eval.training.calibrate` fits all three.
    """
    file_sha256(folder / "calibration.json")
    fitted = json.loads((folder / "calibration.json").read_text("utf-8"))
    return {name: float(fitted[name]) for name in ("slope", "intercept", "threshold")}
