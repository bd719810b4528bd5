"""Answers and refusals → HTML. Pure: the same result gives the same page, and every text of it is data."""

from collections.abc import Mapping

from qa.conflicts import date_of
from qa.decide import LEVELS, NEAREST, REFUSALS, UNSURE, level
from qa.rows import header_above, is_row
from qa.schema import Answered, Quote, Reason, Refused
from qa.wording import later_text
from ui.html import button, counted, details, name, table, text, tip

TIP_CHARS = 280

WHAT_NEXT: dict[Reason, str] = {
    "empty_question": "Type a question, for instance one of the suggestions.",
    "no_documents": "Add files under Documents, or clear the choice of documents under the question.",
    "nothing_relevant": "Try the words that the documents themselves would use, or add the document that would know.",
    "not_covered": "Ask for one fact at a time, look at the nearest passages, or add the document that would know.",
    "unsupported_request": "Ask for a single fact: who, what, when, where, how many.",
    "unverified": "Press “Ask again”: the documents may have changed while they were being read.",
}
REASONS: dict[Reason, str] = {
    "empty_question": "There is no question.",
    "no_documents": "There are no documents to look in.",
    "nothing_relevant": "Nothing in the documents comes near it.",
    "not_covered": "The documents come near it but do not answer it.",
    "unsupported_request": "This is not something that a quote can answer.",
    "unverified": "No passage could be quoted exactly.",
}


def render_answer(
    answer: Answered | Refused, *, turn: int = 0, changed: Mapping[int, str] = {}, worded: str = ""
) -> str:
    """The whole result. `turn` is its place in the conversation, `changed` the quotes whose source is another now.

    `worded` is what the owner of the documents tells whoever gets no answer.
    """
    if isinstance(answer, Refused):
        return _refused(answer, turn, changed, worded)
    large = "" if 1 in changed else large_print(answer)  # it was read in the first quote
    short = f'<p class="short">{text(large)} {chip(answer.quotes[0], 1, turn)}</p>' if large else ""
    paired = frozenset(number for pair in answer.conflicts for number in pair)
    quotes = "".join(
        render_quote(quote, number, turn, changed=changed.get(number, ""))
        for number, quote in enumerate(answer.quotes, 1)
        if number not in paired
    )
    open_parts = "".join(
        f'<p class="left-open"><strong>Not covered by the documents:</strong> {text(part)}</p>'
        for part in answer.not_covered
    )
    conflicts = "".join(_conflict(answer, pair, turn, changed) for pair in answer.conflicts)
    return (
        f'<div class="answer answered"><h3 class="for-readers">Answer</h3>{_asked(answer)}{short}'
        f"{quotes}{conflicts}{open_parts}"
        f'<p class="foot">{confidence(answer.confidence)}</p>{_why(answer)}</div>'
    )


def large_print(answer: Answered) -> str:
    """The short answer; none where an answer that was kept by an earlier version is unsure or disputed."""
    disputed = any(one for one, _ in answer.conflicts)
    return answer.short_answer or "" if level(answer.confidence) and not disputed else ""


def render_quote(quote: Quote, number: int, turn: int, *, changed: str = "", css: str = "quote") -> str:
    """A quote, word for word, with the chip that opens its source and the place in words; a row with its header."""
    header = None if changed else header_above(quote.text, quote.before)
    above = f'<p class="small columns">{text(header)}</p>' if header else ""
    flag = f'<p class="changed">{text(changed)}</p>' if changed else ""
    css = f"{css} stale" if changed else css
    return (
        f'<blockquote class="{css}">{above}<p class="verbatim">{text(quote.text)}</p>{flag}'
        f'<footer>{chip(quote, number, turn)} <span class="place">{name(place(quote))}</span></footer></blockquote>'
    )


def chip(quote: Quote, number: int, turn: int) -> str:
    """The numbered citation: hovering shows the quote, pressing opens its source."""
    shown = quote.text if len(quote.text) <= TIP_CHARS else quote.text[:TIP_CHARS].rsplit(" ", 1)[0] + " …"
    tooltip = f'<span class="tip" role="tooltip">{text(shown)}<span class="from">{name(quote.document)}</span></span>'
    opener = button(
        str(number), "cite", css="chip", title=f"Source {number}: {quote.document}", turn=turn, quote=number
    ).replace(' title="', ' data-name="', 1)  # the tooltip shows more than the browser's own would
    return f'<span class="tipped">{opener}{tooltip}</span>'


def place(quote: Quote) -> str:
    """Where a quote stands, in words: document, page or locator, heading, date."""
    page = f"page {quote.page}" if quote.page else None
    heading = quote.heading
    named = quote.title in (quote.document, quote.text) or (heading or "").startswith(quote.title)
    named = named or is_row(quote.title)  # of a table without a title its first row
    title = None if named else quote.title
    return " · ".join(filter(None, [quote.document, title, page, quote.locator, heading, quote.date]))


def confidence(value: float) -> str:
    """The probability in words, with the number and what it means on hover."""
    reached = level(value)
    words = LEVELS[-reached][1] if reached else UNSURE
    meaning = (
        f"Confidence {value:.2f}: of 100 answers shown with this number, about {round(100 * value)} are expected to"
        " answer their question. It was fitted on questions whose answers are known."
    )
    return tip(f"{words} · {value:.0%}", meaning, f"confidence level-{reached}")


def _asked(answer: Answered | Refused) -> str:
    if answer.asked == answer.question.strip():
        return ""
    return f'<p class="asked">Asked as: {text(answer.asked)}</p>'


def _conflict(answer: Answered, pair: tuple[int, int], turn: int, changed: Mapping[int, str]) -> str:
    head = "The sources disagree" if pair[0] else "A source contradicts the question"
    sides = "".join(
        f'<div class="side"><p class="date">{name(_dated(answer, number))}</p>'
        f"{_side(answer, number, turn, changed)}</div>"
        for number in pair
    )
    told = later_text(answer.quotes, pair)
    later = f'<p class="later">{text(told)}</p>' if told else ""
    return (
        f'<section class="conflict"><p class="head">{text(head)}</p><div class="sides">{sides}</div>{later}</section>'
    )


def _dated(answer: Answered, number: int) -> str:
    if not number:
        return "The question says"
    quote = answer.quotes[number - 1]
    return f"{date_of(quote) or 'No date'} · {quote.document}"


def _side(answer: Answered, number: int, turn: int, changed: Mapping[int, str]) -> str:
    if not number:
        return f'<blockquote class="quote asked-side"><p class="verbatim">{text(answer.asked)}</p></blockquote>'
    return render_quote(answer.quotes[number - 1], number, turn, changed=changed.get(number, ""))


def _refused(answer: Refused, turn: int, changed: Mapping[int, str], worded: str) -> str:
    nearest = "".join(
        render_quote(quote, number, turn, changed=changed.get(number, ""), css="quote nearest")
        for number, quote in enumerate(answer.nearest, 1)
    )
    count = len(answer.nearest)
    passages = f"{counted(count, 'nearest passage')}: not an answer"
    looked = answer.asked.strip() or "nothing"
    told = f'<p class="worded">{text(worded)}</p>' if worded and answer.reason != "empty_question" else ""
    only = answer.trace.documents
    searched = f"<dt>Searched</dt><dd>only {name(', '.join(only))}</dd>" if only else ""
    return (
        '<div class="answer refused"><h3 class="head"><span class="mark" aria-hidden="true">∅</span> No answer</h3>'
        f"{told}<dl><dt>Looked for</dt><dd>{text(looked)}</dd>{searched}"
        f'<dt>Why not</dt><dd class="reason">{text(reason_text(answer))}</dd>'
        f"<dt>What next</dt><dd>{text(WHAT_NEXT[answer.reason])}</dd></dl>"
        f"{details(passages, nearest, 'near') if count else ''}{_why(answer)}</div>"
    )


def reason_text(answer: Refused) -> str:
    """The typed reason in words; what the assistant says itself where that says more."""
    said = answer.text.removesuffix(NEAREST)
    return REASONS[answer.reason] if said in REFUSALS.values() else said


def _why(answer: Answered | Refused) -> str:
    """The trace as a person reads it: the parts and what was decided, the passages read, the rest small."""
    trace = answer.trace
    verdicts = [
        (text(one.part), "covered" if one.covered else "not covered", f"{one.probability:.2f}", text(one.why))
        for one in trace.verdicts
    ]
    hits = [
        (
            name(hit.document),
            f"{hit.start}–{hit.end}",
            *(_score(hit.scores, stage) for stage in ("dense", "keyword", "fused", "reader")),
        )
        for hit in trace.hits
    ]
    total = sum(trace.timings_ms.values())
    parts = [
        f"<p>Answered from a probability of {trace.threshold:.2f} on; below it is refused.</p>",
        table(("Part of the question", "Verdict", "Probability", "Why"), verdicts) if verdicts else "",
        table(("Passage read", "Characters", "Meaning", "Words", "Fused", "Reader"), hits) if hits else "",
        f'<p class="small">{text(_facts(total, trace.timings_ms, trace.store))}</p>',
    ]
    question = "Why this answer?" if isinstance(answer, Answered) else "Why no answer?"
    return details(question, "".join(parts), "why")


def _score(scores: dict[str, float], stage: str) -> str:
    return f"{scores[stage]:.2f}" if stage in scores else "–"


def _facts(total: float, timings: dict[str, float], store: str) -> str:
    steps = ", ".join(f"{step} {ms:.0f} ms" for step, ms in timings.items())
    return f"{total:.0f} ms{f': {steps}' if steps else ''}. Index {store[:12]}."
