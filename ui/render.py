"""Answers → HTML. Pure; every text is escaped, for documents, names and questions are data."""

from html import escape

from qa.schema import Answered, Quote, Refused

CSS = """
.answer { max-width: 46rem; line-height: 1.5; }
.answer .asked { opacity: .75; font-size: .9rem; }
.answer blockquote { margin: .75rem 0; padding: .5rem 1rem; border-left: 4px solid #2563eb; white-space: pre-line; }
.answer.refused { border: 1px dashed currentColor; border-radius: .5rem; padding: .5rem 1rem; }
.answer.refused blockquote { border-left-color: #9ca3af; }
.answer cite { display: block; font-size: .85rem; opacity: .8; font-style: normal; overflow-wrap: anywhere; }
"""


def render_answer(answer: Answered | Refused) -> str:
    """The answer's or the refusal's HTML."""
    asked = "" if answer.asked == answer.question.strip() else f'<p class="asked">Asked: {escape(answer.asked)}</p>'
    if isinstance(answer, Refused):
        nearest = "".join(render_quote(quote) for quote in answer.nearest)
        shown = f"<details><summary>Nearest passages: not an answer</summary>{nearest}</details>" if nearest else ""
        return (
            f'<div class="answer refused">{asked}<p><strong>No answer.</strong> {escape(answer.text)}</p>{shown}</div>'
        )
    quotes = "".join(render_quote(quote, number) for number, quote in enumerate(answer.quotes, 1))
    notes = [
        f"[{other}] contradicts the question." if not one else f"[{one}] and [{other}] disagree."
        for one, other in answer.conflicts
    ]
    notes += [f"Not covered by the documents: {part}" for part in answer.not_covered]
    notes.append(f"Probability that this answers the question: {answer.confidence:.0%}")
    return f'<div class="answer">{asked}{quotes}{"".join(f"<p>{escape(note)}</p>" for note in notes)}</div>'


def render_quote(quote: Quote, number: int | None = None) -> str:
    """A quote with its place; numbered where it is part of an answer."""
    place = [quote.document, f"page {quote.page}" if quote.page else "", quote.locator, quote.heading, quote.date]
    where = ", ".join([*filter(None, place), f"characters {quote.start}–{quote.end}"])
    mark = f"[{number}] " if number else ""
    return f"<blockquote>{escape(quote.text)}<cite>{mark}{escape(where)}</cite></blockquote>"
