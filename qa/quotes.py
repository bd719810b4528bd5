"""Spans → quotes: whole sentences inside the passage they were read in, collapsed and verified."""

import itertools
from collections.abc import Sequence

from qa.chunks import clause_ends
from qa.errors import QuoteError
from qa.schema import Place, Quote, Sentence
from qa.stages import Passage, Reading
from qa.store.ports import TextStore
from qa.text import text_sha256
from qa.words import CLINGING, NEGATIONS

MAX_QUOTES = 3  # of an answer to one question; of several parts as many as passages are chosen
MAX_SENTENCES = 3
MAX_CHARS = 500
MIN_CUT_CHARS = 100  # a shorter part of a long sentence ("However,") says nothing

_QUOTE_MARKS = str.maketrans({**dict.fromkeys("‘’‚‛‹›´`", "'"), **dict.fromkeys("“”„‟«»", '"')})


def quote_spans(
    text: str, sentences: Sequence[Sentence], passage: tuple[int, int], span: tuple[int, int]
) -> tuple[int, int] | None:
    """The interval to quote for `span`: whole sentences inside the passage, None where that cannot be done safely.

    A sentence that takes back part of the one before it ("Except …", "Not …") goes with it, where both fit. A
    sentence longer than MAX_CHARS, or than its passage, is cut at its last clause end there, unless something is
    denied or excepted behind it, or the answer lies behind it.
    """
    start, end = passage
    quotable = [sentence for sentence in sentences if sentence.kind != "rule" and sentence.start >= start]
    touched = [sentence for sentence in quotable if sentence.start < span[1] and sentence.end > span[0]]
    if any(sentence.kind != "heading" for sentence in touched):  # a heading is quoted alone: where nothing else answers
        quotable = [sentence for sentence in quotable if sentence.kind != "heading"]
        touched = [sentence for sentence in touched if sentence.kind != "heading"]
    else:
        quotable = touched = touched[:1]
    if not touched:
        return None
    first = quotable.index(touched[0])
    if touched[0].end > end or touched[0].end - touched[0].start > MAX_CHARS:
        return _cut_long(text, touched[0], end, span)
    last = first
    while last + 1 < len(quotable) and (quotable[last + 1] in touched or _clings(text, quotable[last + 1])):
        if not _fits(quotable, first, last + 1, end):
            break
        last += 1
    while first and _clings(text, quotable[first]) and _fits(quotable, first - 1, last, end):
        first -= 1
    first, last = _with_lead(text, quotable, first, last, end)
    return quotable[first].start, quotable[last].end


def make_quotes(texts: TextStore, chosen: Sequence[tuple[Reading, float]]) -> list[Quote]:
    """A verified quote for each (reading, probability) that has one, in order, the same text only once."""
    quotes: dict[str, Quote] = {}
    with texts.read():  # what another process purges meanwhile is still there for all of them
        made = [quote for reading, probability in chosen for quote in _quotes_of(texts, reading, probability)]
    for quote in made[: max(MAX_QUOTES, len(chosen))]:
        key = same_text(quote.text)
        known = quotes.get(key)
        if known is None:
            quotes[key] = quote
        else:
            places = {(p.document, p.start): p for p in (*known.also_at, _place(quote), *quote.also_at)}
            places.pop((known.document, known.start), None)
            quotes[key] = known.model_copy(update={"also_at": tuple(places[place] for place in sorted(places))})
    return _without_overlaps(list(quotes.values()))


def same_text(text: str) -> str:
    """Equal for two texts only where they differ in nothing but case, white space and quote marks.

    Of these the form inside, and whether there are any at the ends: a sentence may open or close a quotation. Not
    `casefold`, which makes two names one (Weiß, Weiss).
    """
    return " ".join(text.lower().translate(_QUOTE_MARKS).split()).strip(" \"'")


def verify_quote(quote: Quote, text: str) -> None:
    """Promise 1: raises QuoteError unless the quote is the exact slice of this document's text."""
    exact = quote.text and text[quote.start : quote.end] == quote.text
    if not exact or quote.end - quote.start != len(quote.text):  # a slice forgives an end beyond the text
        raise QuoteError(f"a quote from {quote.document} is not what stands at {quote.start}:{quote.end}.")
    if text_sha256(text) != quote.document_sha256:
        raise QuoteError(f"{quote.document} is not the text that was quoted.")


def _quotes_of(texts: TextStore, reading: Reading, probability: float) -> list[Quote]:
    """The quote for a reading; before it that of the sentence that denies it, where it is an item of a list."""
    passage = reading.passage
    window = (passage.start, passage.end)
    text = texts.text(passage.content)
    interval = quote_spans(text, passage.sentences, window, reading.span or window)
    if interval is None or CLINGING.match(text, interval[1]):
        return []  # what follows takes part of it back and does not fit
    whole = [one for one in passage.sentences if one.kind not in ("rule", "heading") and one.start >= passage.start]
    at = next((at for at, sentence in enumerate(whole) if sentence.start == interval[0]), None)
    lead = None if at is None else lead_of(text, whole, at)
    intervals = [interval]
    if lead is not None and NEGATIONS.search(text, whole[lead].start, whole[lead].end):
        intervals.insert(0, (whole[lead].start, whole[lead].end))
    return [quote for one in intervals if (quote := _make_quote(texts, passage, probability, text, one))]


def _make_quote(
    texts: TextStore, passage: Passage, probability: float, text: str, interval: tuple[int, int]
) -> Quote | None:
    before, after = texts.context(passage.content, *interval)
    first = next(sentence for sentence in passage.sentences if sentence.start == interval[0])
    quote = Quote(
        text=text[slice(*interval)],
        document=passage.document,
        title=passage.title,
        date=passage.date,
        page=first.page,
        locator=first.locator,
        heading=_heading(texts, passage, interval[0]),
        start=interval[0],
        end=interval[1],
        document_sha256=passage.sha256,
        score=probability,
        before=before,
        after=after,
        also_at=tuple(Place(document=path, start=interval[0], end=interval[1]) for path in passage.also_in),
    )
    try:
        verify_quote(quote, text)
    except QuoteError:
        return None
    return quote


def _heading(texts: TextStore, passage: Passage, start: int) -> str | None:
    """The headings above `start`: the passage's, unless one stands between its first sentence and `start`."""
    first = next((sentence.start for sentence in passage.sentences if sentence.kind != "heading"), start)
    changes = any(sentence.kind == "heading" and first < sentence.start <= start for sentence in passage.sentences)
    return texts.heading(passage.content, start) if changes else passage.heading


def _cut_long(text: str, sentence: Sentence, passage_end: int, span: tuple[int, int]) -> tuple[int, int] | None:
    start = sentence.start
    whole = span[0] <= sentence.start and span[1] >= min(sentence.end, passage_end)
    answer_end = start if whole else span[1]  # a span of the whole sentence names no place
    ends = clause_ends(text, start, min(start + MAX_CHARS, passage_end))
    # A dash opens an aside as often as it ends a clause; only those before one are white space.
    end = max((end for end in ends if not text[end - 1].isspace()), default=start)
    taken_back = NEGATIONS.search(text, end, sentence.end) or CLINGING.match(text, sentence.end)
    if taken_back or end < answer_end or end - start <= MIN_CUT_CHARS:
        return None  # an earlier clause end would leave out even more
    return start, end


def _fits(quotable: Sequence[Sentence], first: int, last: int, passage_end: int) -> bool:
    return (
        last - first < MAX_SENTENCES
        and quotable[last].end <= passage_end
        and quotable[last].end - quotable[first].start <= MAX_CHARS
    )


def _with_lead(text: str, quotable: Sequence[Sentence], first: int, last: int, end: int) -> tuple[int, int]:
    """The run with the sentence that its items hang on ("You may not bring:"), or that one's items, where all fits."""
    lead = lead_of(text, quotable, first)
    if lead is not None and _fits(quotable, lead, last, end):
        return lead, last
    if lead is None and is_lead(text, quotable, last):
        items = itertools.takewhile(lambda at: quotable[at].kind == "item", range(last + 1, len(quotable)))
        last = max((at for at in items if _fits(quotable, first, at, end)), default=last)
    return first, last


def is_lead(text: str, sentences: Sequence[Sentence], at: int) -> bool:
    """Whether the list items behind this sentence hang on it."""
    sentence = sentences[at]
    followed = at + 1 < len(sentences) and sentences[at + 1].kind == "item"
    return followed and sentence.kind == "text" and text[sentence.start : sentence.end].endswith(":")


def lead_of(text: str, sentences: Sequence[Sentence], at: int) -> int | None:
    """The index of the sentence that this list item hangs on; None where it is no item or hangs on none."""
    lead = at
    while lead > 0 and sentences[lead].kind == "item":
        lead -= 1
    return lead if lead < at and is_lead(text, sentences, lead) else None


def _clings(text: str, sentence: Sentence) -> bool:
    return CLINGING.match(text, sentence.start, sentence.end) is not None


def _place(quote: Quote) -> Place:
    return Place(document=quote.document, start=quote.start, end=quote.end)


def _without_overlaps(quotes: list[Quote]) -> list[Quote]:
    """The quotes without those that lie inside or across an earlier one of the same document."""
    kept: list[Quote] = []
    for quote in quotes:
        if not any(q.document == quote.document and q.start < quote.end and quote.start < q.end for q in kept):
            kept.append(quote)
    return kept
