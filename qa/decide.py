"""Readings → covered or not (calibrated), which passages to quote, and which quotes disagree. Pure functions."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from qa import words
from qa.schema import Quote, Reason

NEAR = 0.39  # a passage comes near the question when its cosine …
SHARED_WORDS = 0.4  # … and so many times the share of the question's content words that it holds add up to this
LETTERS_COUNTED = 8  # a word weighs as much as it has letters, up to so many: long words are rare …
NAME_WEIGHT = 2  # … and a name so many times as much
ALIKE = 0.5  # statements that share this much of the shorter one's content words speak of the same thing

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
    ones, is highest on questions in people's own words. `python -m eval.near PATH` prints the shares.
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


def answer_text(quotes: Sequence[Quote], conflicts: Sequence[tuple[int, int]], not_covered: Sequence[str]) -> str:
    """What a person reads: each quote with its mark, then what disagrees and what is left open."""
    lines = [f"“{quote.text}” [{number}]" for number, quote in enumerate(quotes, 1)]
    for one, other in conflicts:
        lines.append(f"[{other}] contradicts the question." if not one else f"[{one}] and [{other}] disagree.")
    lines += [f"Not covered by the documents: {part}" for part in not_covered]
    return "\n".join(lines)


def refusal_text(reason: Reason, request: str | None, nearest: int, languages: tuple[str, str] | None = None) -> str:
    """What a person reads when there is no answer; `languages`: those of question and documents where they differ."""
    text = REQUESTS[request] if reason == "unsupported_request" and request else REFUSALS[reason]
    if languages:
        text = f"The question is in {languages[0]}, the documents are in {languages[1]}: ask in {languages[1]}."
    return text + (NEAREST if nearest else "")


@dataclass(frozen=True, slots=True)
class Span:
    """An answer inside a quote, word for word, and the number of the part of the question that it answers."""

    part: int
    text: str


def find_conflicts(
    question: str, quotes: Sequence[Quote], answers: Sequence[Span | None] = ()
) -> tuple[tuple[int, int], ...]:
    """Pairs of quote numbers (from 1; 0 is the question) that give different values for the same thing.

    `answers` are what the quotes were made for, None where one has none of its own.
    """
    texts = [question, *(quote.text for quote in quotes)]
    spans = [None, *answers, *[None] * (len(quotes) - len(answers))]
    return tuple(
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if _answers_differ(texts[one], spans[one], texts[other], spans[other]) or disagree(texts[one], texts[other])
    )


def _answers_differ(one: str, answer: Span | None, other: str, other_answer: Span | None) -> bool:
    """Whether two answers to the same part give different numbers of the same unit.

    That both were read as answers to it stands for their speaking of the same thing, unless the statements around
    them name different years, or different names on both sides.
    """
    if not answer or not other_answer or answer.part != other_answer.part:
        return False
    if _means_another(one, answer.text, other, other_answer.text):
        return False
    values, other_values = words.numbers(answer.text), words.numbers(other_answer.text)
    units, other_units = _units_of(values, one), _units_of(other_values, other)
    comparable = bool(units & other_units) or not (units or other_units)
    return bool(values and other_values) and not values & other_values and comparable


def _units_of(values: set[float], text: str) -> set[str]:
    """The units that the text gives these values in."""
    return {unit for unit, given in _units(text).items() if given & values}


def _means_another(one: str, answer: str, other: str, other_answer: str) -> bool:
    named, other_named = _name_words(one) - _name_words(answer), _name_words(other) - _name_words(other_answer)
    years, other_years = words.years(one) - words.years(answer), words.years(other) - words.years(other_answer)
    return bool(named - other_named and other_named - named) or bool(years and other_years and not years & other_years)


def disagree(one: str, other: str) -> bool:
    """Whether two statements of the same thing name different numbers of the same unit, or different dates.

    Different years, or different names on both sides, mean two things rather than one that is disputed.
    """
    named, other_named = _name_words(one), _name_words(other)
    years, other_years = words.years(one), words.years(other)
    if (named - other_named and other_named - named) or (years and other_years and not years & other_years):
        return False
    said, other_said = _statement(one), _statement(other)
    if not said or not other_said or len(said & other_said) / min(len(said), len(other_said)) < ALIKE:
        return False
    units, other_units = _units(one), _units(other)
    return any(not units[unit] & other_units[unit] for unit in units.keys() & other_units.keys())


def _statement(text: str) -> set[str]:
    return {word for word in words.content_words(text) if not word[0].isdigit()}


def _name_words(text: str) -> set[str]:
    return {word for name in words.names(text) for word in words.content_words(name)}


_QUANTITY = re.compile(
    r"(?P<sign>[$€£¥])?(?P<number>\d[\d.,]*)(?:\s?(?P<percent>%|percent\b|per cent\b))?"
    r"(?P<after>(?:[\s-]+[^\W\d]+){0,3})"
)


def _units(text: str) -> dict[str, set[float]]:
    """Unit (currency sign, percent, or one of the three words behind a number) → the values given in it."""
    units: dict[str, set[float]] = {}
    for match in _QUANTITY.finditer(text):
        values = words.numbers(match[0]) - {float(year) for year in words.years(match["number"])}
        named = [match["sign"]] if match["sign"] else ["%"] if match["percent"] else words.content_words(match["after"])
        for unit in named:
            units.setdefault(unit, set()).update(values)
    return {unit: values for unit, values in units.items() if values}
