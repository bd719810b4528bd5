"""Coreference: "it", "she", "that policy" replaced by what they stand for in the person's own earlier questions.

Of an earlier answer only the name of a person is ever taken. A pronoun stays where its antecedent is in the same
sentence, where there is none, and where there are several equally near: a wrong rewriting is worse than none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qa.conversation.phrases import NO_NAMES, PERSONS, TIME, TOKEN, Phrase, Word, listed, lowered, phrases, tag, tags_of
from qa.conversation.sentences import table, without_end
from qa.words import FUNCTION_WORDS

MAX_ANSWER_CHARS = 4_000  # of an earlier answer, searched for a name
MAX_NAME_CHARS = 80


class Context(NamedTuple):
    """What a question may lean on."""

    questions: tuple[str, ...] = ()  # standalone, newest first
    person: str = ""  # the one person named in the last answer


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
    """A question with pronouns and "that policy" replaced where their antecedent stands outside of it."""
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
    """The personal pronoun at `i`: itself, and what stands for it if anything does."""
    low = words[i].low
    if _is_expletive(words, i) or _has_antecedent(words, i, text):
        return i, None
    reference = _referent(_PRONOUNS[low], context)
    if not reference or low not in POSSESSIVES or (low == "her" and tags_of(words[i + 1 : i + 2]) != "N"):
        return i, reference
    return i, None if re.search(" (?:of|that) ", reference) else reference + ("'" if reference.endswith("s") else "'s")


def _is_expletive(words: Sequence[Word], i: int) -> bool:
    """Whether an "it" stands for nothing: "is it possible to …", or for an action: "do it"."""
    if words[i].low != "it":
        return False
    if i and words[i - 1].low in ("do", "doing", "done"):
        return True
    after = words[i + 1 :]
    is_empty = "B" in tags_of(words[max(0, i - 1) : i + 2]) or any(word.low in _EMPTY_VERBS for word in after[:2])
    has_clause = any(word.low in ("that", "if", "whether") for word in after)
    return is_empty and (has_clause or bool(re.search(r"T[^DN]|TN[DNRP]", tags_of(after))))


def _has_antecedent(words: Sequence[Word], i: int, text: str) -> bool:
    """Whether the pronoun's antecedent stands in the same question, as a rule before it and outside of its clause."""
    group, possessive = _PRONOUNS[words[i].low], words[i].low in POSSESSIVES
    openers = ("before", "after", "since", "until", "than", "that")
    bounds = [word.start for word in words[1:i] if word.tag in "CW," or word.low in openers]
    if words[0].tag in "CPW" and any(word.text == "," for word in words[i:]):
        return True  # "if they lose it, what should employees do"
    misfits = {"he": ("thing", "attribute"), "it": ("person",), "they": ()}[group]
    before = [one for one in phrases(text) if one.end <= words[i].start and not TIME.fullmatch(one.text)]
    ends = [one.end for one in before if one.kind not in misfits]
    return any(possessive or any(bound >= end for bound in bounds) for end in ends)


def _demonstrative(words: Sequence[Word], i: int, context: Context) -> tuple[int, str | None]:
    """ "that policy" at `i`: its last word and the last question's policy. A bare "that" may be anything."""
    end = next((k for k in range(i + 1, len(words)) if words[k].tag != "N"), len(words)) - 1
    if end == i or tags_of(words[max(0, i - 1) : i]) == "N":  # "the form that staff use"
        return i, None
    noun = words[end].low.removesuffix("s")
    return end, _only([phrase for phrase in phrases(context.questions[0]) if phrase.lemma == noun])


def _referent(group: str, context: Context) -> str | None:
    """What a pronoun of the group stands for; persons are remembered longer than things."""
    if group == "he":
        return _person(context)
    last = context.questions[0]
    unknown, is_person = _unknown(last)
    if group == "it" and unknown and not is_person:
        return unknown
    found = [phrase for phrase in phrases(last) if not TIME.fullmatch(phrase.text) and phrase.head not in _VAGUE]
    if group == "they":
        named = [one for one in found if one.kind == "name" and one.role in ("subject", "object") and not one.det]
        return _only([one for one in found if one.plural], named)
    things = [one for one in found if one.kind != "person" and not one.plural and one.role != "wh"]
    near = [one for one in things if one.role in ("subject", "object", "by")]
    is_open = any(one.role == "wh" for one in found)  # "which bus goes to the airport": either may be meant
    return _only([one for one in near if one.kind != "name"], near, [] if is_open else things)


def _person(context: Context) -> str | None:
    """Who "he" or "she" is: whom the last question asks for, else the last person that a question names."""
    for question in context.questions:
        unknown, is_person = _unknown(question)
        if is_person:
            is_answered = context.person and question == context.questions[0]
            return context.person if is_answered else unknown
        found = [one for one in phrases(question) if one.head != "person" and one.role != "wh" and not one.plural]
        people = [one for one in found if one.kind == "person"]
        named = [one for one in found if one.kind == "name" and one.role in ("subject", "object") and not one.det]
        if people or named:
            return _only(people, named)
    return context.person or None


def _only(*tiers: Sequence[Phrase]) -> str | None:
    """The one phrase of the first tier that has any, as it is referred to; None where it has several."""
    phrase, *others = next((tier for tier in tiers if tier), (None,))
    if not phrase or any(one.start > phrase.start + len(phrase.full) for one in others):  # else it is part of the first
        return None
    full = phrase.full if len(phrase.full) <= 2 * MAX_NAME_CHARS else phrase.text
    if phrase.det in ("a", "an"):
        return "the " + full.split(" ", 1)[1]
    return lowered(full) if phrase.det else full


def _unknown(question: str) -> tuple[str, bool]:
    """What a question asks for ("who leads the club": "the person who leads the club"), and whether it is a person."""
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
    """The one person named in an answer's first quote, else in all of it; none in a refusal, which cites nothing."""
    answer = answer[:MAX_ANSWER_CHARS]
    mark = _CITATION.search(answer)
    for text in (answer[: mark.start()], answer) if mark else ():
        if people := set(_people(text)):
            return people.pop() if len(people) == 1 else ""
    return ""


def _people(text: str) -> Iterator[str]:
    """Runs of two to four capitalised words that are neither places nor offices, without titles."""
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
        is_place = before in ("in", "at", "near", "from")  # and who is next to it: "in Lisbon Ana Reis"
        if 2 <= len(name) <= 4 and not is_place and len(" ".join(name)) <= MAX_NAME_CHARS:
            yield " ".join(name)
        run, before = [], word.lower()
