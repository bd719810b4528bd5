"""Judges one answer by its case: whether it is right, and if not, why. Pure."""

from collections.abc import Sequence
from typing import Literal

from eval import metrics
from eval.exams.cases import Placed
from eval.metrics import Interval
from qa.quotes import same_text
from qa.schema import Answered, Boundary, Quote, Refused
from qa.text import text_sha256

MAX_QUOTES = 3
MAX_QUOTES_OF_PARTS = 6
MAX_CHARS = 500

Outcome = Literal["correct", "incorrect", "not_attempted", "refused_rightly", "answered_wrongly"]
Cause = Literal["not_retrieved", "refused", "read_wrongly", "quoted_wrongly", "should_refuse", "inexact"]


class Judgement(Boundary):
    """The verdict on one case and its value for every metric; None when the case is not eligible."""

    right: bool
    outcome: Outcome
    cause: Cause | None
    inexact: tuple[str, ...]  # the place of each shown quote that is not the exact slice it claims to be
    quotes: int
    quote_precision: float | None
    quote_recall: float | None
    exact_match: float | None
    token_f1: float | None
    large_print: metrics.Print | None
    ranked: tuple[frozenset[int], ...] | None  # which parts each hit covers, best first
    parts: int
    conflict_expected: bool
    conflict_found: bool
    conflicts_marked: int
    conflicts_right: int


def judge(placed: Placed, answer: Answered | Refused, texts: dict[str, str]) -> Judgement:
    """Judge the answer. `texts` are the documents as they are now; a quote from any other text is inexact."""
    case = placed.case
    gold = [passage for part in placed.parts for passage in part]
    quotes: tuple[Quote, ...] = answer.quotes if isinstance(answer, Answered) else ()
    quoted = [interval(quote) for quote in quotes]
    shown = answer.nearest if isinstance(answer, Refused) else quotes
    inexact = tuple(f"{q.document}:{q.start}-{q.end}" for q in shown if not is_exact(q, texts))
    ranked = [covered((hit.document, hit.start, hit.end), placed) for hit in answer.trace.hits]
    outcome: Outcome
    cause: Cause | None
    if not case.answerable:
        outcome = "answered_wrongly" if quotes else "refused_rightly"
        cause = "should_refuse" if quotes else None
    elif not quotes:
        outcome, cause = "not_attempted", "refused" if _all_retrieved(placed, answer, ranked) else "not_retrieved"
    elif _is_right(placed, quotes, quoted):
        outcome, cause = "correct", None
    else:
        outcome, cause = "incorrect", _cause(placed, answer, quoted, ranked)
    if inexact:  # this cause takes precedence over all others
        outcome, cause = "incorrect" if outcome == "correct" else outcome, "inexact"
    short = (answer.short_answer or "") if isinstance(answer, Answered) else ""
    marked = answer.conflicts if isinstance(answer, Answered) else ()
    right_pairs = [pair for pair in marked if _is_planted(placed, quoted, pair)]
    return Judgement(
        right=cause is None,
        outcome=outcome,
        cause=cause,
        inexact=inexact,
        quotes=len(shown),
        quote_precision=metrics.quote_precision(quoted, gold) if quotes else None,
        quote_recall=metrics.quote_recall(quoted, placed.parts) if gold else None,
        exact_match=metrics.exact_match(short, case.short_answers) if gold else None,
        token_f1=metrics.token_f1(short, case.short_answers) if gold else None,
        large_print=_large_print(placed, answer),
        ranked=tuple(ranked) if gold else None,
        parts=len(placed.parts),
        conflict_expected=case.conflict is not None,
        conflict_found=bool(right_pairs),
        conflicts_marked=len(marked),
        conflicts_right=len(right_pairs),
    )


def _large_print(placed: Placed, answer: Answered | Refused) -> metrics.Print | None:
    """None where nothing that could be printed is right: yes and no stand in no text, several answers not in one."""
    case = placed.case
    disputed = case.conflict == "sources"
    accepted = [short for short in case.short_answers if short.lower() not in ("yes", "no")]
    eligible = disputed or (accepted and len(placed.parts) == 1)
    if isinstance(answer, Refused) or not eligible:
        return None
    return metrics.large_print(answer.short_answer, accepted, disputed=disputed)


def covered(one: Interval, placed: Placed) -> frozenset[int]:
    """The parts, counted from 0, of which the interval overlaps a gold passage."""
    return frozenset(
        number for number, part in enumerate(placed.parts) if any(metrics.overlaps(one, gold) for gold in part)
    )


def interval(quote: Quote) -> Interval:
    return quote.document, quote.start, quote.end


def is_exact(quote: Quote, texts: dict[str, str]) -> bool:
    """Whether the quote keeps promise 1 in the documents themselves, at its place and at each of its other places."""
    text = texts.get(quote.document)
    if text is None or text_sha256(text) != quote.document_sha256:
        return False
    others = [(texts.get(place.document, ""), place) for place in quote.also_at]
    return _is_slice(text, quote.start, quote.end, quote.text) and all(
        place.end <= len(other) and same_text(other[place.start : place.end]) == same_text(quote.text)
        for other, place in others
    )


def _is_slice(text: str, start: int, end: int, quoted: str) -> bool:
    """Whether the text at start:end is the quoted text. Unlike a slice, an end beyond the text is not accepted."""
    return bool(quoted) and end - start == len(quoted) and text[start:end] == quoted


def _is_right(placed: Placed, quotes: Sequence[Quote], quoted: Sequence[Interval]) -> bool:
    max_quotes = MAX_QUOTES_OF_PARTS if len(placed.parts) > 1 else MAX_QUOTES
    if len(quotes) > max_quotes or any(len(quote.text) > MAX_CHARS for quote in quotes):
        return False
    is_distractor = any(metrics.overlaps(quoted[0], distractor) for distractor in placed.distractors)
    if is_distractor and not covered(quoted[0], placed):
        return False
    return metrics.quote_recall(quoted, placed.parts) == 1.0


def _all_retrieved(placed: Placed, answer: Answered | Refused, ranked: Sequence[frozenset[int]]) -> bool:
    """Whether each part is covered by a hit. A refusal without a search does not count as a failure of the search."""
    return not answer.trace.hits or len(frozenset[int]().union(*ranked)) == len(placed.parts)


def _cause(
    placed: Placed, answer: Answered | Refused, quoted: Sequence[Interval], ranked: Sequence[frozenset[int]]
) -> Cause:
    """Why an answer is wrong: a part was not retrieved, its passage not quoted, or the wrong words of it quoted."""
    if not _all_retrieved(placed, answer, ranked):
        return "not_retrieved"
    missed = frozenset(range(len(placed.parts))).difference(*(covered(place, placed) for place in quoted))
    hits = zip(answer.trace.hits, ranked, strict=True)
    passages = [(hit.document, hit.start, hit.end) for hit, covers in hits if covers & missed]
    near = any(metrics.overlaps(quote, passage) for quote in quoted for passage in passages)
    return "quoted_wrongly" if near or not missed else "read_wrongly"


def _is_planted(placed: Placed, quoted: Sequence[Interval], pair: tuple[int, int]) -> bool:
    """Whether a marked pair of quote numbers (0 is the question) is the conflict that the case expects."""
    if placed.case.conflict is None or not all(0 <= number <= len(quoted) for number in pair):
        return False
    covers = [covered(quoted[number - 1], placed) for number in pair if number]
    if placed.case.conflict == "question":
        return len(covers) == 1 and bool(covers[0])
    return len(covers) == 2 and covers[0] | covers[1] >= {0, 1}
