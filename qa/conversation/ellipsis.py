"""Ellipsis: completes "and in 2023?", "why?" or "what about seniors?" with the words of the last question.

A fragment replaces the only phrase of its kind. A circumstance, such as a time, that has no counterpart is put at the
end. When several phrases could be meant, or none, the fragment stays as typed: a wrong rewriting is worse than none.
"""

import re

from qa.conversation.coreference import POSSESSIVES, Context, with_referents
from qa.conversation.phrases import DAY, MONTH, TIME, YEAR, Phrase, asks, listed, lowered, phrases, tag, tags_of
from qa.conversation.sentences import bare, table, without_end

MAX_WORDS = 24  # a longer question is taken to be complete

LEAD = table(
    r"""(?:(?:and|but|or|also|so|then|now|no|sorry|plus)[\s,]+)*(?:what|how)(?: about|'?s about| of)\s
    (?:(?:and|but|no|sorry|so)[\s,]+)*i meant?\s
    (?:and )?(?:the )?same(?: question| thing)?\s(?=(?:for|in|about|with|on|at)\b)
    (?:(?:and|but|or|also|so|then|plus|&)[\s,]+)+(?=\S)"""
)
_QUESTION_WORD = table(
    r"""(?P<adverb>when|where|why|how(?: come|(?: long| often| far| soon| \w+ly))?|{circumstance})(?: {tail})?
    (?:who|what|which|whose|how (?:many|much))(?: {tail})?""",
    circumstance=r"(?:under|in|for|on|at|to|from|with|by|until|since) (?:what|which|whom|when|where|how)(?: \w+){0,2}",
    tail="(?:exactly|(?:is|was) that|so|then)",
)
_ABOUT_ALL = table(  # questions in which "that" or "it" refers to the whole last question
    r"""(?:who|where|when) (?:said|says?|announced|reported|confirmed|claimed|stated|denied|decided) (?:that|this|it|so)
    how long (?:does|will|did|would|can) it take"""
)
_NO_PREPOSITION = table(r"last|this|next|yesterday|today|tomorrow|between|from|the prev")
_BOUND = table(r"\s(?:that|who|which|under|over|aged|above|below|and|or|&)\s")  # what follows belongs to the phrase
_CONDITIONS = listed("if unless even because although while")
_UNCLEAR = listed("this that these those same other another else one ones")
_WH_PHRASE = re.compile(r"P?W[NAPD]*")


def completed(sentence: str, context: Context) -> str:
    """The sentence completed from earlier questions; unchanged when nothing shows that it depends on them."""
    if not context.questions or len(sentence.split()) > MAX_WORDS:
        return sentence
    lead = LEAD.match(sentence)
    body = sentence[lead.end() :] if lead else sentence
    core, last = bare(body), context.questions[0]
    if _ABOUT_ALL.fullmatch(core):
        return f"{without_end(last)}: {core}?"
    full = _with_question_word(core, last) or _with_fragment(core, context, is_marked=bool(lead) or body.endswith("?"))
    return full or (with_referents(sentence, context) if asks(sentence) else sentence)


def _with_question_word(core: str, last: str) -> str | None:
    """ "why?" after "When did the office close?" → "why did the office close?" """
    match = _QUESTION_WORD.fullmatch(core)
    if not match:
        return None
    adverb, words = match["adverb"], tag(last)
    tags = tags_of(words)
    if adverb and tags[:1] in ("X", "B"):
        return f"{adverb} {lowered(without_end(last))}?"
    asked = _WH_PHRASE.match(tags)
    if adverb and asked and tags[asked.end() : asked.end() + 1] in ("X", "B"):
        aux = words[asked.end()]
        first = [word.low for word in words[:2]]
        if tags[0] == "P" or (first[0] in ("when", "where", "why", "how") and first[1] in (aux.low, "long", "often")):
            return f"{adverb} {without_end(last[aux.start :])}?"
    return f"{without_end(last)}, {core}?"


def _with_fragment(core: str, context: Context, *, is_marked: bool) -> str | None:
    """ "in 2023" → the last question with its time replaced by "in 2023", or, if it has none, with it at the end."""
    last, words = context.questions[0], tag(core)
    tags = tags_of(words)
    if time := TIME.fullmatch(core):
        return _swap_time(time, last)
    if not words or not is_marked:
        return None
    if words[0].low in _CONDITIONS:
        return None if re.match(".[XB]|.*[W,]", tags) else f"{without_end(last)} {core}?"
    if tags[0] == "W":
        return _swap_counted(core, last)
    if not re.fullmatch("[DNOPSTA][DNOPSTVA,]*", tags) or any(word.low in _UNCLEAR for word in words):
        return None
    if words[0].low in POSSESSIVES and tags[1:2] == "N":
        full = with_referents(core, context)
        return None if full == core else f"{'Who' if phrases(core)[0].kind == 'person' else 'What'} is {full}?"
    return _swap_prepositional(core, last) if tags[0] in "PTO" else _swap_noun(core, last)


def _swap_time(new: re.Match[str], last: str) -> str | None:
    """The last question at another time: a year replaces a year, a month a month, else the whole expression of time."""
    span, preposition = new["span"], new["prep"]
    is_placed = preposition or _NO_PREPOSITION.match(span)
    placed = new[0] if is_placed else f"{'on' if DAY.search(span) else 'in'} {span}"
    olds = [old for old in TIME.finditer(last) if old.start() or old["prep"] or old["span"][0].isdigit()]
    if len(olds) > 1:
        olds = [old for old in olds if bool(DAY.search(old["span"])) == bool(DAY.search(span))]
        if len(olds) != 1:
            return None
    if not olds or bool(DAY.search(olds[0]["span"])) != bool(DAY.search(span)):
        return f"{without_end(last)} {placed}?"
    old = olds[0]
    for unit, larger in ((YEAR, MONTH), (MONTH, YEAR)):
        within = list(unit.finditer(old["span"]))
        is_like = not (preposition and old["prep"]) or preposition.lower() == old["prep"].lower()
        if unit.fullmatch(span) and len(within) == 1 and (is_like or larger.search(old["span"])):
            at = old.start("span")
            return last[: at + within[0].start()] + span + last[at + within[0].end() :]
    if MONTH.fullmatch(span) and YEAR.fullmatch(old["span"]) and old["prep"]:
        return f"{last[: old.start()]}{preposition or 'in'} {span} {old['span']}{last[old.end() :]}"
    start, new_text = (old.start(), placed) if is_placed or not old["prep"] else (old.start("span"), span)
    return last[:start] + new_text + last[old.end() :]


def _swap_counted(core: str, last: str) -> str | None:
    """ "how many civilians?" after "How many soldiers were freed?" """
    words, new = tag(last), tag(core)
    old = re.match(r"WN+(?=[VBX])", tags_of(words))
    if not old or not re.fullmatch(r"WN+", tags_of(new)) or words[0].low != new[0].low:
        return None
    return core + last[words[old.end() - 1].end :]


def _swap_prepositional(core: str, last: str) -> str | None:
    """ "for children" replaces "for adults"; a circumstance of another kind is put at the end."""
    new = phrases(core)
    olds = [old for old in phrases(last) if not TIME.fullmatch(old.text) and old.start > old.opens]
    olds = [old for old in olds if new and (old.role == new[0].role or old.head == new[0].head)]
    if not olds:
        return f"{without_end(last)} {core}?"
    end = olds[0].start + len(olds[0].full)
    return None if len(olds) > 1 or _BOUND.match(last, end) else last[: olds[0].opens] + core + last[end:]


def _swap_noun(core: str, last: str) -> str | None:
    """ "the museum" after "When does the library open?" replaces the only phrase of its kind, "the library"."""
    found = phrases(core)
    if not found or found[0].start > 0 or len(found) > 2:
        return None
    new = found[0]
    olds = [old for old in phrases(last) if not TIME.fullmatch(old.text)]
    scores = [_likeness(new, old) for old in olds]
    if not any(scores) or scores.count(max(scores)) != 1:
        return None
    old = olds[scores.index(max(scores))]
    if old.role in ("and", "or", "&") or _BOUND.match(last, old.end):
        return None
    if "S" in tags_of(old.core):  # "the firm's address"
        owner = max(word.end for word in old.core if word.tag == "S")
        return f"{last[:owner]} {core[new.core[0].start :]}{last[old.end :]}"
    kept = old.det if old.det in ("the", "a", "an") and not new.plural else ""
    is_bare = old.role == "wh" or (new.kind == "person" and new.plural and not old.det)
    det = "" if is_bare else new.det or kept
    return last[: old.start] + f"{det} {core[new.core[0].start :]}".lstrip() + last[old.end :]


def _likeness(new: Phrase, old: Phrase) -> int:
    """How well `new` can replace `old`; 0 when it cannot."""
    if new.lemma == old.lemma and new.text.lower() != old.text.lower():
        return 10
    if new.kind != old.kind:
        is_name = {new.kind, old.kind} == {"person", "name"} and new.core[0].text[0].isupper()
        return 4 if is_name and not new.plural and not old.det else 0
    is_alike = new.plural == old.plural and new.det[:1] == old.det[:1] and old.role != "wh"
    misfits = {
        "thing": not is_alike,
        "person": new.plural != old.plural,
        "attribute": old.role not in ("subject", "object"),
    }
    return 0 if misfits.get(new.kind) else 3 + (new.plural == old.plural) + (new.det == old.det)
