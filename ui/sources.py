"""Renders the source panel: the cited document around the quote. Pure. Only an exact slice is marked as the quote."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qa.errors import QuoteError
from qa.quotes import same_text, verify_quote
from qa.rows import is_row
from qa.schema import Answered, Quote, Refused
from ui.html import button, name, text
from ui.render import place

WHOLE_CHARS = 30_000  # a text of at most this length is shown whole
AROUND_CHARS = 6000  # of a longer text, so many characters are shown on each side of the quote, …
WIDER = 4  # … and after each step so many times as many
MAX_STEPS = 4  # up to 1.5 million characters on a side

CHANGED = "The source has changed since this was quoted."
READ_DIFFERENTLY = "The file is unchanged; it is read differently by this version."

EMPTY = '<div class="source empty"><p>Press a number beside a quote to read it where it stands.</p></div>'


def never(quote: Quote) -> bool:
    """The default of `read_differently`: a text that differs is that of a changed file."""
    return False


def quotes_of(answer: Answered | Refused) -> tuple[Quote, ...]:
    """All quotes that are shown with an answer or refusal, in the order of their numbers."""
    return answer.quotes if isinstance(answer, Answered) else answer.nearest


def changed_quotes(
    quotes: Sequence[Quote], texts: Mapping[str, str | None], read_differently: Callable[[Quote], bool] = never
) -> dict[int, str]:
    """Number → why, of the quotes that are not exact slices of these texts (promise 1). A text is None if it is gone.

    `read_differently` says whether only this version reads another text from the file, which is unchanged.
    """
    return {
        number: READ_DIFFERENTLY if read_differently(quote) else CHANGED
        for number, quote in enumerate(quotes, 1)
        if not is_exact(quote, texts.get(quote.document))
    }


def is_exact(quote: Quote, now: str | None) -> bool:
    """Whether this text (None: it is gone) is the one that was quoted, and the quote is its exact slice."""
    if now is None:
        return False
    try:
        verify_quote(quote, now)
    except QuoteError:
        return False
    return True


def standing(quote: Quote, text_of: Callable[[str], str | None]) -> Quote:
    """The quote without those of its other places where the same words no longer stand (promise 6)."""
    there = [
        also
        for also in quote.also_at
        if (now := text_of(also.document)) is not None
        and same_text(now[also.start : also.end]) == same_text(quote.text)
    ]
    return quote.model_copy(update={"also_at": tuple(there)})


def render_source(
    quote: Quote,
    number: int,
    count: int,
    turn: int,
    now: str | None,
    *,
    earlier: int = 0,
    later: int = 0,
    read_differently: Callable[[Quote], bool] = never,
) -> str:
    """The panel for one of an answer's `count` quotes. `now` is the document's current text, None if it is gone.

    `earlier` and `later`: how many times more text was asked for on that side.
    """
    if now is not None and is_exact(quote, now):
        body = _text(quote, now, {"turn": turn, "quote": number, "earlier": earlier, "later": later})
    else:
        body = _flag(quote, now, read_differently=read_differently(quote))
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
    """The buttons for the previous and next citation, and for closing the panel."""

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
    places = "; ".join(f"{also.document}, characters {also.start}–{also.end}" for also in quote.also_at)
    return f'<p class="small">The same words also stand in {name(places)}.</p>'


def _text(quote: Quote, now: str, shown: dict[str, int]) -> str:
    """The text around the quote. Only this occurrence is marked, also when the words are repeated elsewhere.

    `shown` holds the numbers that identify the panel: turn, quote, earlier and later.
    """
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
    """The interval of the text that is shown, before it is shortened to whole lines."""
    if length <= WHOLE_CHARS:
        return 0, length
    before, after = (AROUND_CHARS * WIDER ** min(steps, MAX_STEPS) for steps in (earlier, later))
    return max(0, quote.start - before), min(length, quote.end + after)


def _cut(side: str, left_out: int, shown: dict[str, int]) -> str:
    """The line where the text is cut: how many characters are left out, and a button to show more."""
    wider: dict[str, Any] = {**shown, side: shown[side] + 1}
    more = button(f"Show {side} text", "cite", css="plain wider", **wider) if wider[side] <= MAX_STEPS else ""
    return f'<p class="cut">{left_out:,} characters left out {more}</p>'


def _flag(quote: Quote, now: str | None, *, read_differently: bool) -> str:
    """The note that is shown instead of the document when a mark could be at the wrong place."""
    what = "is no longer among the documents" if now is None else "has changed"
    why = READ_DIFFERENTLY if read_differently else f"This document {what} since it was quoted."
    return (
        f'<div class="changed"><p><strong>{why}</strong> '
        "Nothing is marked in it; ask again for an answer from the documents as they are.</p></div>"
        f'<blockquote class="quote stale"><p class="verbatim">{text(quote.text)}</p>'
        f"<footer>As quoted then.</footer></blockquote>"
    )
