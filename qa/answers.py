"""What the reader answered, inside the quotes that were made for it: which words, for which part, how probable."""

from collections.abc import Sequence
from dataclasses import replace

from qa import short
from qa.conflicts import AnswerSpan
from qa.decide import Decision
from qa.schema import Place, Quote
from qa.stages import Passage, Reading
from qa.store.ports import TextStore


def corrected(texts: TextStore, part: str, reading: Reading) -> Reading:
    """The reading with the row that is called as is asked for, where the row read names nothing of the question.

    Both must be rows of one table, and no other may be called so.
    """
    passage, span = reading.passage, reading.span
    rows = [(sentence.start, sentence.end) for sentence in passage.sentences if sentence.kind == "row"]
    read = next((row for row in rows if span and row[0] <= span[0] and span[1] <= row[1]), None)
    if read is None or short.names_asked(part, _said(passage, read)):
        return reading
    header = texts.header_row(passage.content, read[0])
    others = [row for row in rows if header and row[0] > header.start and short.is_called(part, _said(passage, row))]
    if len(others) == 1 and header == texts.header_row(passage.content, others[0][0]):
        return replace(reading, span=others[0])
    return reading


def _said(passage: Passage, interval: tuple[int, int]) -> str:
    """What the passage says there."""
    return passage.text[interval[0] - passage.start : interval[1] - passage.start]


def _held(reading: Reading, quote: Quote) -> tuple[str, tuple[int, int]] | None:
    """The quote, or an identical one, as it stands where the passage does, and where the reading's answer is in it.

    The whole quote where the reading names no answer, None where the answer stands elsewhere.
    """
    passage, span = reading.passage, reading.span
    places: list[Quote | Place] = [quote, *quote.also_at]
    for place in places:
        if place.document != passage.document:
            continue
        if span and place.start <= span[0] and span[1] <= place.end:
            return _said(passage, (place.start, place.end)), (span[0] - place.start, span[1] - place.start)
        if not span and passage.start <= place.start < passage.end:
            return quote.text, (0, len(quote.text))
    return None


def answer_in(quote: Quote, decisions: Sequence[Decision]) -> AnswerSpan | None:
    """What the quote was made for: the answer of the most probable passage, and of which part."""
    found = [
        (p, number, held)
        for number, decision in enumerate(decisions)
        for reading, p in decision.chosen
        if reading.span and (held := _held(reading, quote))
    ]
    if not found:
        return None
    _, number, (said, span) = max(found, key=lambda answer: answer[0])
    question = decisions[number].part
    picked = short.pick(question, said, quote.before, span)
    if picked is None:
        return None
    large = short.short_answer(question, said, picked)
    printed = said[slice(*large)] if large else None
    return AnswerSpan(number, said[slice(*picked)], printed if printed and printed in quote.text else None)


def probability(decision: Decision, made: Sequence[Quote]) -> float | None:
    """That the quotes answer this part: of the best passage whose answer is quoted, None where none is."""
    return max((p for reading, p in decision.chosen if any(_held(reading, quote) for quote in made)), default=None)
