"""One answer against one case: right or not, and if not, why. Pure."""

from collections.abc import Sequence
from typing import Literal

from eval import metrics
from eval.exam import Placed
from eval.metrics import Interval
from qa.documents import text_sha256
from qa.schema import Answered, Boundary, Quote, Refused

MAX_QUOTES = 3
MAX_QUOTES_OF_PARTS = 6
MAX_CHARS = 500

Outcome = Literal["correct", "incorrect", "not_attempted", "refused_rightly", "answered_wrongly"]
Cause = Literal["not_retrieved", "refused", "read_wrongly", "quoted_wrongly", "should_refuse"]


class Judgement(Boundary):
    """A case's verdict and its share of every metric; None: not eligible."""

    right: bool
    outcome: Outcome
    cause: Cause | None
    inexact: tuple[str, ...]  # every shown quote that is not the slice it claims to be
    quotes: int
    quote_precision: float | None
    quote_recall: float | None
    exact_match: float | None
    token_f1: float | None
    ranked: tuple[bool, ...] | None  # relevance of the hits, best first
    relevant: int  # parts
    conflict_expected: bool | None
    conflict_found: bool


def judge(placed: Placed, answer: Answered | Refused, texts: dict[str, str]) -> Judgement:
    """`texts` are the documents as they are now; a quote from any other text is inexact."""
    case = placed.case
    gold = [one for part in placed.parts for one in part]
    answered = isinstance(answer, Answered)
    shown = answer.quotes if isinstance(answer, Answered) else answer.nearest
    quoted = [interval(quote) for quote in answer.quotes] if isinstance(answer, Answered) else []
    inexact = tuple(f"{q.document}:{q.start}-{q.end}" for q in shown if not is_exact(q, texts))
    found_conflict = isinstance(answer, Answered) and _finds_conflict(placed, answer)
    ranked = [
        any(metrics.overlaps((hit.document, hit.start, hit.end), one) for one in gold) for hit in answer.trace.hits
    ]
    if case.answerable:
        right = (
            answered
            and not inexact
            and _is_right(placed, answer.quotes if isinstance(answer, Answered) else (), quoted)
        )
        outcome: Outcome = "correct" if right else "incorrect" if answered else "not_attempted"
        cause = None if right else _cause(placed, answered, quoted, ranked, answer)
    else:
        right = not answered and not inexact
        outcome = "refused_rightly" if not answered else "answered_wrongly"
        cause = None if right else "should_refuse"
    short = answer.short_answer if isinstance(answer, Answered) else None
    return Judgement(
        right=right,
        outcome=outcome,
        cause=cause,
        inexact=inexact,
        quotes=len(shown),
        quote_precision=metrics.quote_precision(quoted, gold) if answered else None,
        quote_recall=metrics.quote_recall(quoted, placed.parts) if gold else None,
        exact_match=None if short is None else metrics.exact_match(short, case.short_answers),
        token_f1=None if short is None else metrics.token_f1(short, case.short_answers),
        ranked=tuple(ranked) if gold else None,
        relevant=len(placed.parts),
        conflict_expected=case.conflict is not None if case.answerable else None,
        conflict_found=found_conflict,
    )


def interval(quote: Quote) -> Interval:
    return quote.document, quote.start, quote.end


def is_exact(quote: Quote, texts: dict[str, str]) -> bool:
    """Promise 1, checked against the documents themselves."""
    text = texts.get(quote.document)
    return (
        text is not None
        and bool(quote.text)
        and text[quote.start : quote.end] == quote.text
        and text_sha256(text) == quote.document_sha256
    )


def _is_right(placed: Placed, quotes: Sequence[Quote], quoted: Sequence[Interval]) -> bool:
    most = MAX_QUOTES_OF_PARTS if len(placed.parts) > 1 else MAX_QUOTES
    if len(quotes) > most or any(len(quote.text) > MAX_CHARS for quote in quotes):
        return False
    if any(metrics.overlaps(quoted[0], one) for one in placed.distractors) and not any(
        metrics.overlaps(quoted[0], one) for part in placed.parts for one in part
    ):
        return False
    return metrics.quote_recall(quoted, placed.parts) == 1.0


def _cause(
    placed: Placed, answered: bool, quoted: Sequence[Interval], ranked: Sequence[bool], answer: Answered | Refused
) -> Cause:
    if answer.trace.hits and not any(ranked):
        return "not_retrieved"
    if not answered:
        return "refused"
    passages = [(hit.document, hit.start, hit.end) for hit, good in zip(answer.trace.hits, ranked, strict=True) if good]
    near = any(metrics.overlaps(quote, passage) for quote in quoted for passage in passages)
    return "quoted_wrongly" if near else "read_wrongly"


def _finds_conflict(placed: Placed, answer: Answered) -> bool:
    """Whether the marked pair is the planted one; where none is planted, whether any pair is marked."""
    if placed.case.conflict is None:
        return bool(answer.conflicts)
    hits = [
        {
            number
            for number, part in enumerate(placed.parts, 1)
            for one in part
            if metrics.overlaps(interval(quote), one)
        }
        for quote in answer.quotes
    ]
    if placed.case.conflict == "question":
        return any(first == 0 and hits[other - 1] for first, other in answer.conflicts)
    return any(first and hits[first - 1] | hits[other - 1] >= {1, 2} for first, other in answer.conflicts)
