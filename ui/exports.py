"""A conversation as Markdown, JSON and eval cases, and an answer to be copied.

Pure; a quote that is not exact any more says so or is left out.
"""

import json
from collections.abc import Callable, Mapping, Sequence

from qa.rows import header_above
from qa.schema import Answered, Quote, Refused
from qa.wording import conflict_text
from ui.conversations import Conversation, Exchange
from ui.markdown import blockquote, heading, one_line
from ui.render import large_print, place, reason_text
from ui.sources import READ_DIFFERENTLY, changed_quotes, never, quotes_of

Texts = Mapping[str, str | None]
"""Document → its text as it is now, None where it is gone."""

MAX_CASE_TURNS = 4


def as_json(one: Conversation, texts: Texts, read_differently: Callable[[Quote], bool] = never) -> str:
    """The whole conversation with every quote's place and hash, and the quotes whose source has changed."""
    data = one.model_dump(mode="json")
    for exchange, kept in zip(data["exchanges"], one.exchanges, strict=True):
        changed = changed_quotes(quotes_of(kept.answer), texts, read_differently)
        exchange["changed"] = sorted(changed)
        exchange["read_differently"] = sorted(number for number, why in changed.items() if why == READ_DIFFERENTLY)
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_markdown(one: Conversation, texts: Texts, read_differently: Callable[[Quote], bool] = never) -> str:
    """The conversation as it reads, each quote with its place and hash; no text of it is markup."""
    parts = [heading(one.title, 1)]
    for exchange in one.exchanges:
        answer = exchange.answer
        parts.append(heading(answer.question, 2))
        if answer.asked != answer.question.strip():
            parts.append(f"Asked as: {one_line(answer.asked)}")
        parts += _answer(answer, changed_quotes(quotes_of(answer), texts, read_differently), whole=True)
        if exchange.rating:
            parts.append(f"Rated {exchange.rating}. {one_line(exchange.comment)}".strip())
    return "\n\n".join(parts) + "\n"


def answer_as_markdown(answer: Answered | Refused, changed: Mapping[int, str] = {}) -> str:
    """One answer to paste: its quotes, each with file, page or row, and date."""
    return "\n\n".join(_answer(answer, changed, whole=False)) + "\n"


def answer_as_text(answer: Answered | Refused, changed: Mapping[int, str] = {}) -> str:
    """The same as plain text."""
    parts = [] if isinstance(answer, Answered) else [_refusal(answer)]
    for number, quote in enumerate(quotes_of(answer), 1):
        flag = f"\n{changed[number]}" if number in changed else ""
        header = header_above(quote.text, quote.before)
        above = f"{header}\n" if header else ""
        parts.append(f"{above}“{quote.text}”\n[{number}] {place(quote)}{flag}")
    return "\n\n".join([*parts, *_remarks(answer)]) + "\n"


def _answer(answer: Answered | Refused, changed: Mapping[int, str], *, whole: bool) -> list[str]:
    """An answer's paragraphs in Markdown; `whole`: with what it prints large and its quotes' offsets and hashes."""
    parts = []
    if isinstance(answer, Refused):
        parts.append(f"**No answer.** {one_line(_refusal(answer).removeprefix('No answer. '))}")
    elif whole and 1 not in changed and (large := large_print(answer)):
        parts.append(f"**{one_line(large)}**")
    parts += [_quote(quote, n, changed.get(n, ""), whole=whole) for n, quote in enumerate(quotes_of(answer), 1)]
    parts += map(one_line, _remarks(answer))
    if whole and isinstance(answer, Answered):
        parts.append(f"Confidence {answer.confidence:.2f}")
    return parts


def _refusal(answer: Refused) -> str:
    near = " Nearest passages, not an answer:" if answer.nearest else ""
    return f"No answer. {reason_text(answer)} ({answer.reason}){near}"


def _remarks(answer: Answered | Refused) -> list[str]:
    """What disagrees, and what is left open."""
    if isinstance(answer, Refused):
        return []
    conflicts = [conflict_text(answer.quotes, pair) for pair in answer.conflicts]
    return [*conflicts, *(f"Not covered by the documents: {part}" for part in answer.not_covered)]


def as_cases(conversations: Sequence[Conversation], texts: Texts) -> str:
    """The rated answers as lines of an eval case file (`eval/exams/cases.py`).

    A thumb up confirms: an answer's quotes become gold, a refusal a case without an answer. A thumb down on an
    answer says that these quotes do not answer: kept as a case to be refused, for a person to look through. A thumb
    down on a refusal names no passage, and what quotes a changed source could not be placed: both are left out.
    """
    cases = [
        _case(one, turn, texts)
        for one in conversations
        for turn, exchange in enumerate(one.exchanges)
        if exchange.rating
    ]
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases if case)


def _case(one: Conversation, turn: int, texts: Texts) -> dict[str, object] | None:
    exchange = one.exchanges[turn]
    quotes = quotes_of(exchange.answer)
    if changed_quotes(quotes, texts) or not exchange.answer.question.strip():
        return None
    answered, liked = isinstance(exchange.answer, Answered), exchange.rating == "up"
    if not answered and not liked:
        return None
    placed = [_gold(quote, texts[quote.document] or "") for quote in quotes]
    earlier = one.exchanges[max(0, turn + 1 - MAX_CASE_TURNS) : turn + 1]
    only = exchange.answer.trace.documents
    return {
        "id": f"rated-{one.id[:12]}-{turn + 1}",
        "kind": "rated",
        "turns": [each.answer.question for each in earlier],
        "docs": list(only) if only else None,
        "answerable": answered and liked,
        "gold": placed if answered and liked else [],
        "near": None if (answered and liked) or not placed else placed[0],
        "short_answers": _short(exchange) if liked else [],
        "note": " ".join(filter(None, ["" if liked else "rated down, to be looked through:", exchange.comment])),
    }


def _short(exchange: Exchange) -> list[str]:
    short = exchange.answer.short_answer if isinstance(exchange.answer, Answered) else None
    return [short] if short else []


def _gold(quote: Quote, text: str) -> dict[str, object]:
    """The passage and which of its occurrences it is, counted as `eval.exams.cases` does: overlapping ones too."""
    nth, at = 0, -1
    while at < quote.start:
        at = text.index(quote.text, at + 1)
        nth += 1
    return {"document": quote.document, "quote": quote.text, "nth": nth}


def _quote(quote: Quote, number: int, changed: str, *, whole: bool) -> str:
    """The quote as a block quotation, its header before it where it is a row, its place behind it."""
    header = header_above(quote.text, quote.before)
    where = f"[{number}] {place(quote)}"
    if whole:
        where += f", characters {quote.start}–{quote.end}, text sha256 {quote.document_sha256}"
    above = f"{blockquote(header)}\n>\n" if header else ""
    flag = f"\n> **{changed}**" if changed else ""
    return f"{above}{blockquote(quote.text)}\n>\n{blockquote(where)}{flag}"
