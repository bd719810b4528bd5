"""What a person reads of an answer, made of its quotes. Pure."""

from collections.abc import Sequence

from qa.conflicts import date_of, is_later
from qa.schema import Quote


def answer_text(quotes: Sequence[Quote], conflicts: Sequence[tuple[int, int]], not_covered: Sequence[str]) -> str:
    """Each quote with its mark, then what disagrees and what is left open."""
    lines = [f"“{quote.text}” [{number}]" for number, quote in enumerate(quotes, 1)]
    lines += [conflict_text(quotes, pair) for pair in conflicts]
    lines += [f"Not covered by the documents: {part}" for part in not_covered]
    return "\n".join(lines)


def conflict_text(quotes: Sequence[Quote], pair: tuple[int, int]) -> str:
    """What disagrees, and which of two sources is dated later where their dates tell."""
    one, other = pair
    if not one:
        return f"[{other}] contradicts the question."
    return " ".join(filter(None, (f"[{one}] and [{other}] disagree.", later_text(quotes, pair))))


def later_text(quotes: Sequence[Quote], pair: tuple[int, int]) -> str:
    """Which of two sources is dated later, with both dates; "" where the dates do not tell.

    That a later date is in force already is not said: it may lie in the future.
    """
    for one, other in (pair, pair[::-1]):
        if one and other and is_later(quotes[one - 1], quotes[other - 1]):
            return f"[{one}] is dated later: {date_of(quotes[one - 1])}, [{other}] {date_of(quotes[other - 1])}."
    return ""
