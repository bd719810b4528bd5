"""Readings → covered or not (calibrated), which passages to quote, and how sure that is. Pure functions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from qa import words
from qa.reader.base import Reader, probability
from qa.schema import Reason, Skipped
from qa.stages import Hit, Reading

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

LEFT_OUT_ON_PURPOSE = ("hidden", "left out by", "a link")  # reasons for which a file was never to be read

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


def level(confidence: float) -> int:
    """How many of LEVELS the probability reaches; 0: the answer is marked uncertain."""
    return sum(confidence >= least for least, _ in LEVELS)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is known of one part of the question. `chosen` are (reading, probability), best first."""

    part: str
    covered: bool
    probability: float
    why: str
    chosen: tuple[tuple[Reading, float], ...]
    near: tuple[tuple[Reading, float], ...]  # of passages that come near the question, answering or not


def decide(
    part: str,
    hits: Sequence[Hit],
    readings: Sequence[Reading],
    reader: Reader,
    threshold: float,
    *,
    max_quotes: int = 3,
    answering: Collection[str] | None = None,
) -> Decision:
    """Whether the readings cover this part of the question, and the at most `max_quotes` to quote.

    `hits` are those whose passages were read. `answering` are the ids of passages that may answer (None: all may);
    the others can only be shown as near.
    """
    ordered = sorted(readings, key=lambda reading: -reading.score)
    read = [(reading, probability(reader, reading)) for reading in ordered]
    judged = [(reading, p) for reading, p in read if answering is None or reading.passage.chunk in answering]
    best = max((p for _, p in judged), default=0.0)
    close = {hit.passage.chunk for hit in hits if is_near(part, hit)}
    beside = [one for one in read if one not in judged]
    near = tuple((reading, p) for reading, p in (*judged, *beside) if reading.passage.chunk in close)
    covered = bool(judged) and best >= threshold
    why = (
        f"best passage {best:.2f}, threshold {threshold:.2f}"
        if near or covered
        else "no passage shares the question's words or meaning"
    )
    chosen = [(reading, p) for reading, p in judged if p >= threshold] if covered else []
    return Decision(part, covered, best, why, tuple(chosen[:max_quotes]), near)


def is_near(part: str, hit: Hit) -> bool:
    """Whether the passage comes near the question: what tells `not_covered` from `nothing_relevant`.

    NEAR is where the share of questions that come near their own document, less the share that come near unrelated
    ones, is highest on questions in people's own words. `python -m eval.benchmarks.near PATH` prints the shares.
    """
    said = f"{hit.passage.title} {hit.passage.text}"
    return hit.scores.get("dense", 0.0) + SHARED_WORDS * _shared(part, said) >= NEAR


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


def refusal_text(
    reason: Reason,
    request: str | None,
    nearest: int,
    languages: tuple[str, str] | None = None,
    left_out: Sequence[Skipped] = (),
) -> str:
    """What a person reads when there is no answer.

    `languages` are those of question and documents where they differ. Where files were left out on reading, it is not
    said that nothing comes near: what was left out is named, for it may hold the answer.
    """
    text = REQUESTS[request] if reason == "unsupported_request" and request else REFUSALS[reason]
    unread = [file for file in left_out if not file.reason.startswith(LEFT_OUT_ON_PURPOSE)]
    if reason == "nothing_relevant" and unread:
        more = f" (and {len(unread) - 1:,} more)" if len(unread) > 1 else ""
        first = f"{unread[0].path}: {unread[0].reason}"
        text = f"What could be read does not come near this question. Left out: {first}{more}."
    if languages:
        text = f"The question is in {languages[0]}, the documents are in {languages[1]}: ask in {languages[1]}."
    return text + (NEAREST if nearest else "")
