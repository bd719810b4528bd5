"""Readings → covered or not (calibrated), which passages to quote, and how sure that is. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from qa import words
from qa.schema import Reason

NEAR_COSINE = 0.3  # a passage comes near the question with this cosine …
NEAR_COVERAGE = 0.5  # … or with this share of the question's content words
LEVELS = (  # from this probability on, in words
    (0.9, "Very likely right"),
    (0.7, "Likely right"),
    (0.5, "More likely right than not"),
)
UNSURE = "Uncertain: read the source"

REFUSALS: dict[Reason, str] = {
    "empty_question": "There is no question. Ask something that the documents may answer.",
    "no_documents": "No documents are indexed, or the filter leaves none. Add documents or widen the filter.",
    "nothing_relevant": "Nothing in the documents comes near this question.",
    "not_covered": "The documents come near this question but do not answer it.",
    "unverified": "Passages were found, but none could be quoted exactly and safely, so nothing is shown as an answer.",
    "unsupported_request": "",  # by kind, below
}
REQUESTS = {
    "chat": "This assistant only answers questions from the indexed documents. Ask about something they say.",
    "summary": "It quotes and does not summarise. Ask about one point, and it shows what the documents say.",
    "count": "It does not count or list across the collection. Ask for a fact that the documents state.",
    "task": "It only quotes what the documents say and carries out no other task. Ask for what they say instead.",
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: probability = 1 / (1 + exp(-(slope * logit(score) + intercept)))."""

    slope: float
    intercept: float

    def __call__(self, score: float) -> float:
        score = min(max(score, 1e-6), 1 - 1e-6)
        z = self.slope * math.log(score / (1 - score)) + self.intercept
        return 1 / (1 + math.exp(-max(min(z, 50.0), -50.0)))


def level(confidence: float) -> int:
    """How many of LEVELS the probability reaches; 0: the answer is marked uncertain."""
    return sum(confidence >= least for least, _ in LEVELS)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is known of one part of the question. `chosen` are (hit, probability), best first."""

    part: str
    covered: bool
    probability: float
    why: str
    chosen: tuple[tuple[NodeWithScore, float], ...]
    near: tuple[NodeWithScore, ...]


def decide(
    part: str, read: Sequence[NodeWithScore], calibration: Calibration, threshold: float, *, most: int = 3
) -> Decision:
    """Whether the read passages (best first) cover this part, and the at most `most` to quote."""
    probabilities = [calibration(hit.score or 0.0) for hit in read]
    best = max(probabilities, default=0.0)
    near = tuple(hit for hit in read if _is_near(part, hit))
    covered = bool(read) and best >= threshold
    why = (
        f"best passage {best:.2f}, threshold {threshold:.2f}"
        if near or covered
        else "no passage shares the question's words or meaning"
    )
    chosen = [(hit, p) for hit, p in zip(read, probabilities, strict=True) if p >= threshold] if covered else []
    return Decision(part, covered, best, why, tuple(chosen[:most]), near)


def _is_near(part: str, hit: NodeWithScore) -> bool:
    if hit.node.metadata["scores"].get("dense", -1.0) >= NEAR_COSINE:
        return True
    asked = set(words.content_words(part))
    said = set(words.content_words(f"{hit.node.metadata['title']} {hit.node.get_content()}"))
    return bool(asked) and len(asked & said) / len(asked) >= NEAR_COVERAGE


def refusal_text(reason: Reason, request: str | None, nearest: int) -> str:
    """What a person reads when there is no answer."""
    text = REQUESTS[request] if reason == "unsupported_request" and request else REFUSALS[reason]
    return text + (" The nearest passages are shown; they are not an answer." if nearest else "")
