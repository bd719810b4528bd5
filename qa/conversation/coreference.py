"""Coreference: replaces "it", "she" or "that policy" by what they refer to in the person's own earlier questions.

From an earlier answer, only the name of a person is ever taken. A pronoun stays when what it refers to (its antecedent)
is in the same sentence, is missing, or could be several things equally well: a wrong rewriting is worse than none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qa.conversation.phrases import NO_NAMES, PERSONS, TIME, TOKEN, Phrase, Word, listed, lowered, phrases, tag, tags_of
from qa.conversation.sentences import table, without_end
from qa.words import FUNCTION_WORDS

MAX_ANSWER_CHARS = 4_000  # of an earlier answer that are searched for a name
MAX_NAME_CHARS = 80


class Context(NamedTuple):
    """What earlier turns offer to complete a question."""

    questions: tuple[str, ...] = ()  # earlier standalone questions, newest first
    person: str = ""  # the person named in the last answer, if it names exactly one


_PRONOUNS = {
    **dict.fromkeys("he she him her his hers himself herself".split(), "he"),
    **dict.fromkeys("they them their theirs themselves".split(), "they"),
    **dict.fromkeys("it its".split(), "it"),
    **dict.fromkeys("this that these those".split(), "that"),
}
_EMPTY_VERBS = listed("take cost matter make help say mean")
POSSESSIVES = listed("his her its their")
_VAGUE = listed("one ones thing things way kind lot something anything someone anyone everything word")
_CITATION = re.compile(r"\[\d{1,2}\]")
_CALENDAR = table(r"{month}|(?:mon|tues|wednes|thurs|fri|satur|sun)day")


def with_referents(text: str, context: Context) -> str:
    """The question with pronouns and phrases like "that policy" replaced, when what they refer to is outside of it."""
    words = tag(text)
    seen: set[str] = set()
    changes: list[tuple[int, int, str]] = []
    for i, word in enumerate(words):
        group = _PRONOUNS.get(word.low, "")
        if not group or group in seen:
            continue
        end, reference = _demonstrative(words, i, context) if group == "that" else _pronoun(words, i, text, context)
        if reference and reference.lower() not in text.lower():
            changes.append((word.start, words[end].end, reference))
        if group != "that":
            seen.add(group)
    for start, end, new in reversed(changes):
        text = text[:start] + new + re.sub("^['’]re\\b", " are", text[end:])  # "they're"
    return text


def _pronoun(words: Sequence[Word], i: int, text: str, context: Context) -> tuple[int, str | None]:
    """(last word to replace, replacement) for the personal pronoun at `i`; the replacement is None when it stays."""
    low = words[i].low
    if _is_expletive(words, i) or _has_antecedent(words, i, text):
        return i, None
    reference = _referent(_PRONOUNS[low], context)
    if not reference or low not in POSSESSIVES or (low == "her" and tags_of(words[i + 1 : i + 2]) != "N"):
        return i, reference
    return i, None if re.search(" (?:of|that) ", reference) else reference + ("'" if reference.endswith("s") else "'s")


def _is_expletive(words: Sequence[Word], i: int) -> bool:
    """Whether "it" refers to nothing, as in "is it possible to …", or to an action, as in "do it"."""
    if words[i].low != "it":
        return False
    if i and words[i - 1].low in ("do", "doing", "done"):
        return True
    after = words[i + 1 :]
    is_empty = "B" in tags_of(words[max(0, i - 1) : i + 2]) or any(word.low in _EMPTY_VERBS for word in after[:2])
    has_clause = any(word.low in ("that", "if", "whether") for word in after)
    return is_empty and (has_clause or bool(re.search(r"T[^DN]|TN[DNRP]", tags_of(after))))


def _has_antecedent(words: Sequence[Word], i: int, text: str) -> bool:
    """Whether the pronoun refers to something in the same question: usually before it, outside of its clause."""
    group, possessive = _PRONOUNS[words[i].low], words[i].low in POSSESSIVES
    openers = ("before", "after", "since", "until", "than", "that")
    bounds = [word.start for word in words[1:i] if word.tag in "CW," or word.low in openers]
    if words[0].tag in "CPW" and any(word.text == "," for word in words[i:]):
        return True  # "if they lose it, what should employees do"
    misfits = {"he": ("thing", "attribute"), "it": ("person",), "they": ()}[group]
    before = [phrase for phrase in phrases(text) if phrase.end <= words[i].start and not TIME.fullmatch(phrase.text)]
    ends = [phrase.end for phrase in before if phrase.kind not in misfits]
    return any(possessive or any(bound >= end for bound in bounds) for end in ends)


def _demonstrative(words: Sequence[Word], i: int, context: Context) -> tuple[int, str | None]:
    """(last word, replacement) for a phrase like "that policy" at `i`: the last question's policy.

    A "that" without a noun is not replaced, since it can refer to anything.
    """
    end = next((k for k in range(i + 1, len(words)) if words[k].tag != "N"), len(words)) - 1
    if end == i or tags_of(words[max(0, i - 1) : i]) == "N":  # "the form that staff use"
        return i, None
    noun = words[end].low.removesuffix("s")
    return end, _only([phrase for phrase in phrases(context.questions[0]) if phrase.lemma == noun])


def _referent(group: str, context: Context) -> str | None:
    """What a pronoun of this group refers to. Things come from the last question, persons also from earlier ones."""
    if group == "he":
        return _person(context)
    last = context.questions[0]
    unknown, is_person = _unknown(last)
    if group == "it" and unknown and not is_person:
        return unknown
    found = [phrase for phrase in phrases(last) if not TIME.fullmatch(phrase.text) and phrase.head not in _VAGUE]
    if group == "they":
        named = [it for it in found if it.kind == "name" and it.role in ("subject", "object") and not it.det]
        return _only([phrase for phrase in found if phrase.plural], named)
    things = [phrase for phrase in found if phrase.kind != "person" and not phrase.plural and phrase.role != "wh"]
    near = [phrase for phrase in things if phrase.role in ("subject", "object", "by")]
    is_open = any(phrase.role == "wh" for phrase in found)  # "which bus goes to the airport": bus or airport
    return _only([phrase for phrase in near if phrase.kind != "name"], near, [] if is_open else things)


def _person(context: Context) -> str | None:
    """Whom "he" or "she" refers to: the person that the last question asks for, else the last one that is named."""
    for question in context.questions:
        unknown, is_person = _unknown(question)
        if is_person:
            is_answered = context.person and question == context.questions[0]
            return context.person if is_answered else unknown
        found = [it for it in phrases(question) if it.head != "person" and it.role != "wh" and not it.plural]
        people = [phrase for phrase in found if phrase.kind == "person"]
        named = [it for it in found if it.kind == "name" and it.role in ("subject", "object") and not it.det]
        if people or named:
            return _only(people, named)
    return context.person or None


def _only(*tiers: Sequence[Phrase]) -> str | None:
    """The only phrase of the first tier that is not empty, as a later question names it; None when it has several."""
    phrase, *others = next((tier for tier in tiers if tier), (None,))
    # A phrase that lies inside the first one is part of it, and no second phrase.
    if not phrase or any(other.start > phrase.start + len(phrase.full) for other in others):
        return None
    full = phrase.full if len(phrase.full) <= 2 * MAX_NAME_CHARS else phrase.text
    if phrase.det in ("a", "an"):
        return "the " + full.split(" ", 1)[1]
    return lowered(full) if phrase.det else full


def _unknown(question: str) -> tuple[str, bool]:
    """(what a question asks for, whether that is a person): "who leads it" asks for "the person who leads it"."""
    words = tag(question)
    match = re.match(r"W(N*)(?:[VB]|X(?=V))", tags_of(words))
    if not match or words[0].low not in ("who", "which", "what"):
        return "", False
    noun, verb = words[match.end(1) - 1], words[match.end(1)]
    told = without_end(question[verb.start :])
    if words[0].low == "who" and not match[1] and verb.tag != "B":  # not "who is Ada"
        return f"the person who {told}", True
    if words[0].low == "who" or not match[1] or phrases(question)[0].plural:
        return "", False
    return f"the {question[words[1].start : noun.end]} that {told}", noun.low in PERSONS


def person_in(answer: str) -> str:
    """The person named in the first quote of an answer, else in the whole answer; "" when there is not exactly one.

    A refusal cites nothing and names nobody.
    """
    answer = answer[:MAX_ANSWER_CHARS]
    mark = _CITATION.search(answer)
    for text in (answer[: mark.start()], answer) if mark else ():
        if people := set(_people(text)):
            return people.pop() if len(people) == 1 else ""
    return ""


def _people(text: str) -> Iterator[str]:
    """The names of persons: runs of two to four capitalised words that are no places or offices, without titles."""
    run: list[str] = []
    before = ""
    for match in (*TOKEN.finditer(text), None):
        word = match[0] if match else ""
        is_part = word[:1].isupper() and word.lower() not in FUNCTION_WORDS and re.sub("[-'’.]", "", word).isalpha()
        if is_part and not _CALENDAR.fullmatch(word):
            run.append(word)
            continue
        offices = [i for i, part in enumerate(run) if part.lower() in NO_NAMES or part[1:].isupper()]
        name = run[offices[-1] + 1 :] if offices else run
        is_place = before in ("in", "at", "near", "from")  # a name next to a place is skipped too: "in Lisbon Ana Reis"
        if 2 <= len(name) <= 4 and not is_place and len(" ".join(name)) <= MAX_NAME_CHARS:
            yield " ".join(name)
        run, before = [], word.lower()
