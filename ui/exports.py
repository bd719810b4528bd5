"""A conversation as Markdown, JSON and eval cases. Pure; a quote that is not exact any more says so or is left out."""

import json
import re
from collections.abc import Mapping, Sequence

from qa.schema import Answered, Quote
from ui.conversations import Conversation, Exchange
from ui.render import reason_text
from ui.sources import changed_quotes, quotes_of

Texts = Mapping[str, str | None]
"""Document → its text as it is now, None where it is gone."""

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>&~$:=@\"'^])")
MAX_CASE_TURNS = 4


def as_json(one: Conversation, texts: Texts) -> str:
    """The whole conversation with every quote's place and hash, and the quotes whose source has changed."""
    data = one.model_dump(mode="json")
    for exchange, kept in zip(data["exchanges"], one.exchanges, strict=True):
        exchange["changed"] = sorted(changed_quotes(quotes_of(kept.answer), texts))
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_markdown(one: Conversation, texts: Texts) -> str:
    """The conversation as it reads, each quote with its place and hash; no text of it is markup."""
    parts = [f"# {_plain(one.title)}"]
    for exchange in one.exchanges:
        answer = exchange.answer
        changed = changed_quotes(quotes_of(answer), texts)
        parts.append(f"## {_plain(answer.question)}")
        if answer.asked != answer.question.strip():
            parts.append(f"Asked as: {_plain(answer.asked)}")
        if isinstance(answer, Answered):
            parts += [f"**{_plain(answer.short_answer)}**"] if answer.short_answer and 1 not in changed else []
            parts += [_quote(quote, n, n in changed) for n, quote in enumerate(answer.quotes, 1)]
            parts += [_conflict(pair) for pair in answer.conflicts]
            parts += [f"Not covered by the documents: {_plain(part)}" for part in answer.not_covered]
            parts.append(f"Confidence {answer.confidence:.2f}")
        else:
            parts.append(f"**No answer.** {_plain(reason_text(answer))} ({answer.reason})".replace("_", "\\_"))
            parts += ["Nearest passages, not an answer:"] if answer.nearest else []
            parts += [_quote(quote, n, n in changed) for n, quote in enumerate(answer.nearest, 1)]
        if exchange.rating:
            parts.append(f"Rated {exchange.rating}. {_plain(exchange.comment)}".strip())
    return "\n\n".join(parts) + "\n"


def as_cases(conversations: Sequence[Conversation], texts: Texts) -> str:
    """The rated answers as lines of an eval case file (`eval/exam.py`).

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
    """The passage and which of its occurrences it is, counted as `eval.exam` does: overlapping ones too."""
    nth, at = 0, -1
    while at < quote.start:
        at = text.index(quote.text, at + 1)
        nth += 1
    return {"document": quote.document, "quote": quote.text, "nth": nth}


def _quote(quote: Quote, number: int, changed: bool) -> str:
    lines = [f"> {_plain(line)}" if line.strip() else ">" for line in re.split(r"\r\n?|\n", quote.text)]
    page = f", page {quote.page}" if quote.page else ""
    where = f"[{number}] {quote.document}{page}, characters {quote.start}–{quote.end}, text sha256 "
    flag = "\n> **The source has changed since.**" if changed else ""
    return "\n".join(lines) + f"\n>\n> {_plain(where)}{quote.document_sha256}{flag}"


def _conflict(pair: tuple[int, int]) -> str:
    one, other = pair
    return f"\\[{other}\\] contradicts the question." if not one else f"\\[{one}\\] and \\[{other}\\] disagree."


def _plain(text: str) -> str:
    """`text` as Markdown that shows it as it is: no character of it is markup, in the middle or at a line's start."""
    line = " ".join(text.split("\n")).replace("\r", " ")
    bare = line.lstrip(" \t")
    return "&#32;" * (len(line) - len(bare)) + _MARKS.sub(r"\\\1", bare)  # four plain spaces would begin code
