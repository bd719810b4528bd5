"""A question and its history → a standalone question, which can be understood without the history. Rules only, no I/O.

A message is cut into sentences. Courtesies, injected commands and pressure are dropped. Requests that quoting cannot
serve are classified. The remaining question is completed from the person's own earlier questions. Where no rule fits,
the question stays as typed: a wrong rewriting is worse than none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qa.conversation.coreference import Context, person_in
from qa.conversation.ellipsis import LEAD, completed
from qa.conversation.parts import MAX_PARTS, split
from qa.conversation.phrases import asks
from qa.conversation.requests import kind
from qa.conversation.sentences import MAX_CHARS, cap, clean, is_latin, sentences, without_courtesies
from qa.schema import Turn

__all__ = ["MAX_CHARS", "MAX_PARTS", "Standalone", "standalone"]

MAX_TURNS = 6  # of the history that are taken into account


@dataclass(frozen=True, slots=True)
class Standalone:
    """A standalone question: `text` is shown, `parts` are searched for; `request` is set if quoting cannot serve it."""

    text: str
    parts: tuple[str, ...]  # 1–6 questions that stand alone; none when nothing is asked
    request: str | None  # "chat", "summary", "count" or "task"


class _Past(NamedTuple):
    """What is kept of earlier turns: the context for completing a question, and the question that pressure repeats."""

    context: Context = Context()
    again: Standalone | None = None


def standalone(question: str, history: Sequence[Turn] = ()) -> Standalone:
    """The standalone form of `question` after `history` (oldest turn first); its text is empty if nothing is asked."""
    past = _Past()
    for turn in history[-MAX_TURNS:]:
        past = _remember(past, _ask(turn.question, past), turn.text)
    return _ask(question, past)


def _remember(past: _Past, asked: Standalone, answer: str) -> _Past:
    """`past` with one more turn. Only questions give context for later ones; chat is forgotten."""
    if not asked.text or asked.request == "chat":
        return past
    if asked.request or LEAD.match(asked.text):  # with a lead such as "and what about": it could not be completed
        return past._replace(again=asked)
    kept = past.context.person if asked == past.again else ""
    return _Past(_after(past.context, asked.parts[-1])._replace(person=person_in(answer) or kept), asked)


def _after(context: Context, question: str) -> Context:
    return context._replace(questions=(question, *context.questions)[:MAX_TURNS])


def _ask(message: str, past: _Past) -> Standalone:
    """One turn as a standalone question. Idempotent: asking the result again, without history, changes nothing."""
    text = clean(message)
    asked = _read(text, past)
    if past == _Past():
        is_stable = _read(asked.text, past).text == asked.text
        return asked if is_stable else Standalone(text, (text,), asked.request)
    alone = _ask(asked.text, _Past())
    return asked if alone.text == asked.text else alone


def _read(text: str, past: _Past) -> Standalone:
    """Apply the rules to one cleaned message."""
    if not any(map(str.isalnum, text)):
        return Standalone("", (), None)
    if not is_latin(text):
        return Standalone(text, (text,), None)
    again = past.again
    found = sentences(text)
    kinds = [kind(sentence, repeats=again is not None) for sentence in found]
    is_asking = any(k is None and asks(sentence) for sentence, k in zip(found, kinds, strict=True))
    if again and not is_asking and {"pressure", "claim"} & {*kinds}:
        return again  # also when statements stand beside the pressure, such as "My boss needs this."
    kinds = [None if k == "claim" else k for k in kinds]  # a claim beside a question is read with it
    if None in kinds:
        return _complete(found, kinds, past.context)
    return Standalone(text, (text,), next((k for k in ("task", "count", "summary") if k in kinds), "chat"))


def _complete(found: Sequence[str], kinds: Sequence[str | None], context: Context) -> Standalone:
    """The questions of one message (those of kind None), each completed from the sentences before it."""
    resolved: list[str] = []
    parts: list[str] = []
    for sentence, kind_ in zip(found, kinds, strict=True):
        if kind_ is None:
            full = cap(completed(without_courtesies(sentence), context))
            questions = split(full)
            resolved.append(full)
            parts += questions if asks(full) else []
            context = _after(context, questions[-1])
        elif kind_ in ("summary", "count"):  # context for the next: "Summarise the treaty. When was it signed?"
            context = _after(context, sentence)
    text = cap(" ".join(resolved))
    parts = list(dict.fromkeys(parts))[:MAX_PARTS]
    return Standalone(text, tuple(parts) if len(parts) > 1 else (text,), None)
