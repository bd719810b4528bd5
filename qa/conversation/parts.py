"""Parts: splits a sentence that asks several things into questions that can each be understood alone.

A sentence is cut only where both sides are complete questions, and a list only when its items are parallel. Otherwise
it stays one question, for which the search can still find passages.
"""

import re

from qa.conversation.coreference import Context, with_referents
from qa.conversation.phrases import be, tag, tags_of
from qa.conversation.sentences import bare, table, without_end

MAX_PARTS = 6

_CLAUSE = table(
    r"""(?:,\s*|\s+)(?:and|&|plus|but)(?:\s+(?:also|then|if so))?,?\s+(?={asks}\b)
    ;\s+(?:and\s+)?(?={asks}\b)
    ,\s+(?=(?:when|where|why|what|how(?:\s+(?:many|much|long|often|old|big|far|high)(?:\s+\w+)?)?)\s+{aux}\b)"""
)
_BOTH_ADVERBS = table(r"(?P<one>when|where|why|how),?\s+and\s+(?P<two>when|where|why|how)\s+(?={aux}\b)")
_TOGETHER = table(r"\b(?:total|combined|together|altogether|(?:between|from) {year})\b")
_TIMES = table(
    r"\b(?P<items>{unit}(?:,\s*{unit}){0,4},?\s+(?:and|&)\s+{unit})\b(?P<tail>(?:\s+{year})?)(?!\w)",
    unit="(?:{month}|{year})",
)
_UNIT = table(r"\b{month}\b|{year}")
_COMPARE = table(
    r"(?:{verb})\s(?:(?P<head>[^,]{1,60}? (?:for|of|in))\s)?(?P<items>.{1,200})",
    verb="compare|list|(?:give|show) me|(?:what(?:'?s| is| are)|explain|describe) the differences? (?:between|in)",
)
_TWO_HEADS = table(r"what (?:is|are) (?P<items>the [^,]{1,40} and the [^,]{1,40}?) (?P<tail>(?:of|for|in) [^,]{1,80})")
_ITEM_END = table(r",\s*(?:and|or|with)?\s*|\s+(?:and|with|to|versus|vs\.?|&)\s+(?!$)")
_WHOLE = re.compile(r"(?:WN*A*[BXV]|W.*[NR][BXV]|[XB][RDNA])[^W]*(?<![DCX])")


def split(question: str) -> list[str]:
    """The questions that one sentence asks, each complete by itself; [question] when that is not clear."""
    parts: list[str] = []
    for clause in _clauses(question):
        parts += _values(with_referents(clause, Context(tuple(reversed(parts)))) if parts else clause)
    return parts[:MAX_PARTS] if len(parts) > 1 else [question]


def _clauses(question: str) -> list[str]:
    """Cut before "and when was …" where both sides are complete questions."""
    if both := _BOTH_ADVERBS.match(question):
        rest = without_end(question[both.end() :])
        return [f"{both['one']} {rest}?", f"{both['two']} {rest}?"]
    found, start = [], 0
    for cut in _CLAUSE.finditer(question):
        if _is_whole(question[start : cut.start()]) and _is_whole(question[cut.end() :]):
            found.append(question[start : cut.start()])
            start = cut.end()
    return [f"{without_end(clause)}?" for clause in (*found, question[start:])] if found else [question]


def _is_whole(clause: str) -> bool:
    """Whether the clause is a complete question, and contains no other question to which the next could be parallel."""
    tags = tags_of(tag(_CLAUSE.split(clause, maxsplit=1)[0])).rstrip(",")
    return (len(tags) > 2 or tags == "WV") and bool(_WHOLE.fullmatch(tags))


def _values(question: str) -> list[str]:
    """One question for each year, month or compared thing, when these are clear; else the question itself."""
    if _TOGETHER.search(question):
        return [question]
    if times := _TIMES.search(question):
        start, end = times.span()
        units = _UNIT.finditer(times["items"])
        return [question[:start] + unit[0] + times["tail"] + question[end:] for unit in units]
    for pattern in (_COMPARE, _TWO_HEADS):
        if (match := pattern.fullmatch(bare(question))) and (parts := _things(match)):
            return parts
    return [question]


def _things(match: re.Match[str]) -> list[str]:
    """One question for each item of a comparison or list; none when the items are not clear."""
    items = [item.strip() for item in _ITEM_END.split(match["items"]) if item.strip()]
    groups = match.groupdict()
    head, tail = groups.get("head") or "", groups.get("tail", "")
    tags = [tags_of(tag(item)) for item in items]
    is_clear = all(re.fullmatch("D?N[DNSOP]{0,5}", of_item) for of_item in tags) and len(set(items)) == len(items) > 1
    if not is_clear or len(tags[-1]) > min(map(len, tags)):  # "the basic and the premium plan" share their noun
        return []
    if head and not head.lower().startswith("the "):
        head = f"the {head}"
    return [" ".join(f"What {be(head or item)} {head} {item} {tail}".split()) + "?" for item in items]
