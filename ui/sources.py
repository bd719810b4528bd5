"""The cited document at the place → HTML. Pure. A quote is marked only where it is the exact slice it claims to be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qa.errors import QuoteError
from qa.quotes import same_text, verify_quote
from qa.rows import is_row
from qa.schema import Answered, Quote, Refused
from ui.html import button, name, text
from ui.render import place

WHOLE_CHARS = 30_000  # a text no longer than this is shown whole
AROUND_CHARS = 6000  # of a longer one, each side of the quote …
WIDER = 4  # … and so many times as many with each step
MOST_STEPS = 4  # up to 1.5 million characters a side

EMPTY = '<div class="source empty"><p>Press a number beside a quote to read it where it stands.</p></div>'


def quotes_of(answer: Answered | Refused) -> tuple[Quote, ...]:
    """What is shown verbatim, in the order of its numbers."""
    return answer.quotes if isinstance(answer, Answered) else answer.nearest


def changed_quotes(quotes: Sequence[Quote], texts: Mapping[str, str | None]) -> frozenset[int]:
    """The numbers of the quotes that are no exact slices of these texts (promise 1); None: the document is gone."""
    return frozenset(number for number, quote in enumerate(quotes, 1) if not is_exact(quote, texts.get(quote.document)))


def is_exact(quote: Quote, now: str | None) -> bool:
    """Whether the quote is the exact slice of this text, and the text the one that was quoted."""
    if now is None:
        return False
    try:
        verify_quote(quote, now)
    except QuoteError:
        return False
    return True


def standing(quote: Quote, text_of: Callable[[str], str | None]) -> Quote:
    """The quote with those of its other places at which the same words still stand (promise 6)."""
    there = [
        one
        for one in quote.also_at
        if (now := text_of(one.document)) is not None and same_text(now[one.start : one.end]) == same_text(quote.text)
    ]
    return quote.model_copy(update={"also_at": tuple(there)})


def render_source(
    quote: Quote, number: int, count: int, turn: int, now: str | None, *, earlier: int = 0, later: int = 0
) -> str:
    """The panel for one of an answer's `count` quotes, over the document's text as it is now (None: gone).

    `earlier` and `later`: how often more was asked for on that side.
    """
    if now is not None and is_exact(quote, now):
        body = _text(quote, now, {"turn": turn, "quote": number, "earlier": earlier, "later": later})
    else:
        body = _flag(quote, now)
    return (
        f'<div class="source"><header>{_steps(number, count, turn)}'
        f'<h2 tabindex="-1"><span class="chip still">{number}</span> {name(_title(quote))}</h2>'
        f'<p class="place">{name(place(quote))}</p>'
        f'<p class="small">Characters {quote.start}–{quote.end} · text {quote.document_sha256[:12]}</p>{_also(quote)}'
        f"</header>{body}</div>"
    )


def _title(quote: Quote) -> str:
    """The document's title, its path where the title is but a table's first row."""
    return quote.title if quote.title and not is_row(quote.title) else quote.document


def _steps(number: int, count: int, turn: int) -> str:
    """Previous and next citation, and the way back."""

    def step(label: str, title: str, to: int) -> str:
        if not 1 <= to <= count:
            return f'<button type="button" class="plain" disabled aria-label="{title}">{label}</button>'
        return button(label, "cite", title=title, turn=turn, quote=to)

    return (
        f'<nav class="steps" aria-label="Citations">{step("‹", "Previous citation", number - 1)}'
        f"<span>{number} of {count}</span>{step('›', 'Next citation', number + 1)}"
        f"{button('×', 'close-source', css='plain close', title='Close the source')}</nav>"
    )


def _also(quote: Quote) -> str:
    if not quote.also_at:
        return ""
    places = "; ".join(f"{one.document}, characters {one.start}–{one.end}" for one in quote.also_at)
    return f'<p class="small">The same words also stand in {name(places)}.</p>'


def _text(quote: Quote, now: str, shown: dict[str, int]) -> str:
    """The text around the quote with this one occurrence marked, whatever else repeats it; `shown`: what was asked."""
    first, last = _window(quote, len(now), shown["earlier"], shown["later"])
    if first:
        first = now.find("\n", first, quote.start) + 1 or first
    if last < len(now):
        last = now.rfind("\n", quote.end, last) + 1 or last
    before = after = ""
    if first:
        before = _cut("earlier", first, shown)
    if last < len(now):
        after = _cut("later", len(now) - last, shown)
    return (
        f'<div class="document" tabindex="0" role="region" aria-label="Text of the document">{before}'
        f'<div class="verbatim">{text(now[first : quote.start])}<mark id="cited">{text(quote.text)}</mark>'
        f"{text(now[quote.end : last])}</div>{after}</div>"
    )


def _window(quote: Quote, length: int, earlier: int, later: int) -> tuple[int, int]:
    """What of the text is shown, before it is cut at line ends."""
    if length <= WHOLE_CHARS:
        return 0, length
    before, after = (AROUND_CHARS * WIDER ** min(steps, MOST_STEPS) for steps in (earlier, later))
    return max(0, quote.start - before), min(length, quote.end + after)


def _cut(side: str, left_out: int, shown: dict[str, int]) -> str:
    """Where the text is cut: how much is left out, and the way to see more of it."""
    wider: dict[str, Any] = {**shown, side: shown[side] + 1}
    more = button(f"Show {side} text", "cite", css="plain wider", **wider) if wider[side] <= MOST_STEPS else ""
    return f'<p class="cut">{left_out:,} characters left out {more}</p>'


def _flag(quote: Quote, now: str | None) -> str:
    """What is shown instead of a mark that could be at the wrong place."""
    what = "is no longer among the documents" if now is None else "has changed"
    return (
        f'<div class="changed"><p><strong>This document {what} since it was quoted.</strong> '
        "Nothing is marked in it; ask again for an answer from the documents as they are.</p></div>"
        f'<blockquote class="quote stale"><p class="verbatim">{text(quote.text)}</p>'
        f"<footer>As quoted then.</footer></blockquote>"
    )
