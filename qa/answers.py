"""What the reader answered, inside the quotes that were made for it: which words, for which part, how probable."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore

from qa import short
from qa.conflicts import Span
from qa.decide import Decision
from qa.schema import Place, Quote
from qa.store.local import Library


def correct_row(library: Library, part: str, hit: NodeWithScore) -> None:
    """Take the row that is called as is asked for the one that was read, where that names nothing of the question.

    Both must be rows of one table, and no other may be called so.
    """
    node: Any = hit.node
    span, content = node.metadata.get("span"), node.metadata["content"]
    rows = [(start, end) for start, end, kind in node.metadata["sentences"] if kind == "row"]
    read = next((row for row in rows if span and row[0] <= span[0] and span[1] <= row[1]), None)
    if read is None or short.names_asked(part, _said(node, read)):
        return
    header = library.header_row(content, read[0])
    others = [row for row in rows if header and row[0] > header.start and short.is_called(part, _said(node, row))]
    if len(others) == 1 and header == library.header_row(content, others[0][0]):
        node.metadata["span"] = list(others[0])


def _said(node: Any, interval: tuple[int, int]) -> str:
    """What the passage says there."""
    return str(node.text[interval[0] - node.start_char_idx : interval[1] - node.start_char_idx])


def _held(hit: NodeWithScore, quote: Quote) -> tuple[str, tuple[int, int]] | None:
    """The quote, or an identical one, as it stands where the hit does, and the interval of it that is the hit's answer.

    The whole quote where the hit names no answer, None where the answer stands elsewhere.
    """
    node: Any = hit.node
    span = node.metadata.get("span")
    places: list[Quote | Place] = [quote, *quote.also_at]
    for place in places:
        if place.document != node.metadata["document"]:
            continue
        if span and place.start <= span[0] and span[1] <= place.end:
            return _said(node, (place.start, place.end)), (span[0] - place.start, span[1] - place.start)
        if not span and node.start_char_idx <= place.start < node.end_char_idx:
            return quote.text, (0, len(quote.text))
    return None


def answer_in(quote: Quote, decisions: Sequence[Decision]) -> Span | None:
    """What the quote was made for: the answer of the most probable passage, and of which part."""
    found = [
        (p, number, held)
        for number, decision in enumerate(decisions)
        for hit, p in decision.chosen
        if hit.node.metadata.get("span") and (held := _held(hit, quote))
    ]
    if not found:
        return None
    _, number, (said, span) = max(found, key=lambda one: one[0])
    question = decisions[number].part
    picked = short.pick(question, said, quote.before, span)
    if picked is None:
        return None
    large = short.short_answer(question, said, picked)
    printed = said[slice(*large)] if large else None
    return Span(number, said[slice(*picked)], printed if printed and printed in quote.text else None)


def probability(decision: Decision, made: Sequence[Quote]) -> float | None:
    """That the quotes answer this part: of the best passage whose answer is quoted, None where none is."""
    return max((p for hit, p in decision.chosen if any(_held(hit, quote) for quote in made)), default=None)
