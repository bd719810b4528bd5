"""The reader: a cross-encoder that says whether a passage answers the question, and where. ONNX Runtime, no torch.

As a `BaseNodePostprocessor` it returns the passages best first; a node's `score` is the probability (0–1, not
calibrated for the pipeline) that its passage answers the question, `metadata["span"]` where the answer stands.
"""

import hashlib
import json
import math
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from numpy.typing import NDArray
from pydantic import PrivateAttr

from qa import embed
from qa.embed import MODELS, file_sha256, open_tokenizer
from qa.reader.encode import Encoded, Encoder, best_span, characters, shown_heading

MODEL = MODELS / "reader"
FILES = ("model.onnx", "layers.bin", "words.bin", "tokenizer.json", "calibration.json")
OUTPUTS = ("answerable", "start", "end")
_SAY_WHEN_ASKED = re.compile(
    r"\b(?:if|when(?:ever)?) (?:you are|anybody|anyone|somebody|someone) ask(?:s|ed)\b"
    r".*\b(?:answer|say|reply|respond)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader says of a passage: a logit, and the span of the document it would answer with."""

    answerable: float
    span: tuple[int, int]


class CrossEncoder(BaseNodePostprocessor):
    """Reads passages with the packaged weights, each by itself, so that a score does not depend on its company.

    All who ask at the same time share `threads`: memory does not grow with their number, and questions end in turn.
    """

    _folder: Path = PrivateAttr()
    _threads: ThreadPoolExecutor = PrivateAttr()
    _opening: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _loaded: "tuple[Any, Encoder] | None" = PrivateAttr(default=None)

    def __init__(self, *, threads: int, folder: Path = MODEL, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._threads, self._folder = ThreadPoolExecutor(threads, "reading"), folder

    def load(self) -> tuple[Any, Encoder]:
        """The session and its encoder, opened at the first call: indexing does without; raises ModelError."""
        with self._opening:
            if self._loaded is None:
                model_sha256(self._folder)
                session = embed.open_session(self._folder / "model.onnx", threads=1)
                self._loaded = session, Encoder(open_tokenizer(self._folder / "tokenizer.json"))
            return self._loaded

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None or not nodes:
            return []
        self.load()
        readings = list(self._threads.map(lambda hit: self.read(query_bundle.query_str, hit), nodes))
        read = []
        for hit, reading in zip(nodes, readings, strict=True):
            if reading is None:
                continue
            score = 1 / (1 + math.exp(-reading.answerable))
            hit.node.metadata["span"] = list(reading.span)
            hit.node.metadata["scores"]["reader"] = round(score, 6)
            read.append(NodeWithScore(node=hit.node, score=score))
        return sorted(read, key=lambda hit: -(hit.score or 0.0))

    def read(self, question: str, hit: NodeWithScore) -> Reading | None:
        """What the passage says to the question; None where nothing in it may be quoted but a question."""
        session, encoder = self.load()
        metadata, offset = hit.node.metadata, hit.node.start_char_idx  # type: ignore[attr-defined]
        quotable = [(a - offset, b - offset) for a, b, kind in metadata["sentences"] if kind not in ("heading", "rule")]
        if not quotable:
            return None
        title, date, heading = (metadata.get(name) or "" for name in ("title", "date", "heading"))
        one = encoder.encode(question, title, date, hit.node.get_content(), heading=shown_heading(title, heading))
        feed = {"input_ids": np.array([one.ids], np.int64), "segments": np.array([one.segments], np.int64)}
        answerable, start, end = session.run(OUTPUTS, feed)
        span = answer_span(one, start[0], end[0], quotable)
        if span is None or _is_question(hit.node.get_content(), quotable, span):
            return None
        return Reading(float(answerable[0]), (offset + span[0], offset + span[1]))


def _is_question(text: str, sentences: Sequence[tuple[int, int]], span: tuple[int, int]) -> bool:
    """Whether the span lies in a sentence that asks, or tells what to say when asked: neither is an answer itself."""
    inside = [text[a:b] for a, b in sentences if a <= span[0] and span[1] <= b]
    return any(one.rstrip("\"'”’»)* ").endswith("?") or _SAY_WHEN_ASKED.search(one) for one in inside)


def answer_span(
    one: Encoded, start: NDArray[np.float32], end: NDArray[np.float32], sentences: Sequence[tuple[int, int]]
) -> tuple[int, int] | None:
    """The interval of the passage with the highest sum of logits that lies within one of its `sentences` (intervals).

    None where no token lies within a sentence. Ties go to the earlier one.
    """
    spans = []
    for low, high in sentences:
        inside = [one.first + number for number, (a, b) in enumerate(one.offsets) if low <= a and b <= high]
        if inside:
            spans.append(best_span(start, end, one, (inside[0], inside[-1] + 1)))
    if not spans:
        return None
    return characters(one, *max(spans, key=lambda span: start[span[0]] + end[span[1]]))


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
