"""A question and its history → the standalone question that is really asked. Rules only: no model, no I/O.

A message is cut into sentences; courtesies, injected commands and pressure are dropped, requests that quoting cannot
serve are named, and what remains is completed from the person's own earlier questions. Where no rule fits, the question
stays as typed: a wrong rewriting is worse than none.
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

__all__ = ["MAX_CHARS", "MAX_PARTS", "Asked", "standalone"]

MAX_TURNS = 6  # looked back


@dataclass(frozen=True, slots=True)
class Asked:
    """What is really asked: `text` for the person, `parts` for the search, `request` when quoting cannot serve it."""

    text: str
    parts: tuple[str, ...]  # 1–6 questions that stand alone; none when nothing is asked
    request: str | None  # "chat", "summary", "count" or "task"


class _Past(NamedTuple):
    """What earlier turns leave behind: what a question may lean on, and what pressure asks again."""

    context: Context = Context()
    again: Asked | None = None


def standalone(question: str, history: Sequence[Turn] = ()) -> Asked:
    """The question that stands for `question` after `history` (oldest first); empty text when nothing is asked."""
    past = _Past()
    for turn in history[-MAX_TURNS:]:
        past = _remember(past, _ask(turn.question, past), turn.text)
    return _ask(question, past)


def _remember(past: _Past, asked: Asked, answer: str) -> _Past:
    """`past` with one more turn; only questions are leant on, and chat leaves no trace at all."""
    if not asked.text or asked.request == "chat":
        return past
    if asked.request or LEAD.match(asked.text):  # a lead that is left: a follow-up that could not be completed
        return past._replace(again=asked)
    kept = past.context.person if asked == past.again else ""
    return _Past(_after(past.context, asked.parts[-1])._replace(person=person_in(answer) or kept), asked)


def _after(context: Context, question: str) -> Context:
    return context._replace(questions=(question, *context.questions)[:MAX_TURNS])


def _ask(message: str, past: _Past) -> Asked:
    """One turn as it is asked, given what went before; the outcome, asked by itself, gives itself again."""
    text = clean(message)
    asked = _read(text, past)
    if past == _Past():
        is_stable = _read(asked.text, past).text == asked.text
        return asked if is_stable else Asked(text, (text,), asked.request)
    alone = _ask(asked.text, _Past())
    return asked if alone.text == asked.text else alone


def _read(text: str, past: _Past) -> Asked:
    """What one cleaned message asks by the rules."""
    if not any(map(str.isalnum, text)):
        return Asked("", (), None)
    if not is_latin(text):
        return Asked(text, (text,), None)
    again = past.again
    found = sentences(text)
    kinds = [kind(one, repeats=again is not None) for one in found]
    is_asking = any(k is None and asks(one) for one, k in zip(found, kinds, strict=True))
    if again and not is_asking and {"pressure", "claim"} & {*kinds}:
        return again  # with statements around it, such as "My boss needs this."
    kinds = [None if k == "claim" else k for k in kinds]  # said on the way to a question
    if None in kinds:
        return _complete(found, kinds, past.context)
    return Asked(text, (text,), next((k for k in ("task", "count", "summary") if k in kinds), "chat"))


def _complete(found: Sequence[str], kinds: Sequence[str | None], context: Context) -> Asked:
    """The questions of one message (kind None), each completed from what stands before it."""
    resolved: list[str] = []
    parts: list[str] = []
    for sentence, kind_ in zip(found, kinds, strict=True):
        if kind_ is None:
            full = cap(completed(without_courtesies(sentence), context))
            questions = split(full)
            resolved.append(full)
            parts += questions if asks(full) else []
            context = _after(context, questions[-1])
        elif kind_ in ("summary", "count"):  # "Summarise the treaty. When was it signed?"
            context = _after(context, sentence)
    text = cap(" ".join(resolved))
    parts = list(dict.fromkeys(parts))[:MAX_PARTS]
    return Asked(text, tuple(parts) if len(parts) > 1 else (text,), None)
