"""Readings → covered or not (calibrated), which passages to quote, and how sure that is. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from qa import words
from qa.schema import Reason

NEAR = 0.39  # a passage comes near the question when its cosine …
SHARED_WORDS = 0.4  # … and so many times the share of the question's content words that it holds add up to this
LETTERS_COUNTED = 8  # a word weighs as much as it has letters, up to so many: long words are rare …
NAME_WEIGHT = 2  # … and a name so many times as much
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
NEAREST = " The nearest passages are shown; they are not an answer."  # behind a refusal that shows some
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
    near = tuple(hit for hit in read if is_near(part, hit))
    covered = bool(read) and best >= threshold
    why = (
        f"best passage {best:.2f}, threshold {threshold:.2f}"
        if near or covered
        else "no passage shares the question's words or meaning"
    )
    chosen = [(hit, p) for hit, p in zip(read, probabilities, strict=True) if p >= threshold] if covered else []
    return Decision(part, covered, best, why, tuple(chosen[:most]), near)


def is_near(part: str, hit: NodeWithScore) -> bool:
    """Whether the passage comes near the question: what tells `not_covered` from `nothing_relevant`.

    NEAR is where the share of questions that come near their own document, less the share that come near unrelated
    ones, is highest on questions in people's own words. `python -m eval.benchmarks.near PATH` prints the shares.
    """
    cosine: float = hit.node.metadata["scores"].get("dense", 0.0)
    return cosine + SHARED_WORDS * _shared(part, f"{hit.node.metadata['title']} {hit.node.get_content()}") >= NEAR


def _shared(part: str, text: str) -> float:
    """The share of the question's content words that the text holds, by weight; from 0 to 1."""
    named = {word for name in words.names(part) for word in words.words(name)}
    weights = {
        stem: min(len(word), LETTERS_COUNTED) * (NAME_WEIGHT if word in named else 1)
        for word in words.words(part)
        for stem in words.content_words(word)
    }
    said = set(words.content_words(text))
    return sum(weight for stem, weight in weights.items() if stem in said) / (sum(weights.values()) or 1)


def refusal_text(reason: Reason, request: str | None, nearest: int, languages: tuple[str, str] | None = None) -> str:
    """What a person reads when there is no answer; `languages`: those of question and documents where they differ."""
    text = REQUESTS[request] if reason == "unsupported_request" and request else REFUSALS[reason]
    if languages:
        text = f"The question is in {languages[0]}, the documents are in {languages[1]}: ask in {languages[1]}."
    return text + (NEAREST if nearest else "")
