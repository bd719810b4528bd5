"""What a question names as its source: a document, a folder's list, a numbered section. Pure; for English.

Only a plain name counts: a file's name with its ending, "the document NAME", "according to NAME", a full title of
several words behind such a cue, or a folder's name right before what its document is called ("the 2025 price list").
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qa import words
from qa.stages import Passage

TITLE_WORDS = 2  # a shorter title is a common word as often as a name

_CUE = r"(?:according to|as (?:stated|written|said) in|in|from|of|by|under)(?: the)?"
_PLAIN_CUE = (
    r"(?:according to (?:the )?|(?:in |from |by )?the (?:document|file|text|page|mail) (?:named |called |titled )?)"
)
_SECTION = re.compile(
    r"\b(?:section|chapter|clause|article|paragraph|rule)\s+(?P<number>\d+(?:\.\d+)*)(?![\w.]*\d)|§\s*(?P<sign>\d+(?:\.\d+)*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\W*(?:(?:section|chapter|clause|article|paragraph|rule)\s+|§\s*)?(?P<number>\d+(?:\.\d+)*)\.?(?=[\s:)–—-]|\Z)",
    re.IGNORECASE,
)


_SAYS = re.compile(
    r"^\W*what (?:does|do|is) (?:the )?(?:section|chapter|clause|article|paragraph|rule|§)\s*\d+(?:\.\d+)*"
    r" (?:say|state|tell us|rule|lay down) (?:about|on|of) ",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document that can be named: its path in the folder, and its title."""

    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Focus:
    """Where a `part` of a question is answered from: `documents` that it names (none: any), a numbered `section`.

    `bare` is the part without what only names these.
    """

    part: str
    documents: frozenset[str]
    section: str | None
    bare: str

    def put(self, passages: Iterable[Passage]) -> str:
        """The part as it is put to these passages: without its source, where that is among them."""
        section = self.section
        inside = section is not None and any(stands_in_section(one.heading, section) for one in passages)
        return self.bare if inside or self.documents else self.part

    def answering(self, passages: Iterable[Passage]) -> frozenset[str]:
        """The ids of those of the passages that may answer."""
        inside = [one for one in passages if not self.documents or self.documents & set(one.documents)]
        section = self.section
        if section is not None and any(stands_in_section(one.heading, section) for one in inside):
            inside = [one for one in inside if stands_in_section(one.heading, section)]
        return frozenset(one.chunk for one in inside)


def focus(part: str, sources: Iterable[Source]) -> Focus:
    """What the part names as its source, among the documents that may be used."""
    sources = list(sources)
    named, section = names_document(part, sources), section_asked(part)
    if len(named) == len(sources):
        named = frozenset()
    bare = without_source(part, [one for one in sources if one.path in named]) if named or section else part
    return Focus(part, named, section, bare)


def names_document(question: str, documents: Iterable[Source]) -> frozenset[str]:
    """The paths of the documents that the question names plainly; none where it names none."""
    asked = " ".join(words.fold(question).split())
    spoken = words.words(question)
    return frozenset(one.path for one in documents if _is_named(asked, spoken, one))


def section_asked(question: str) -> str | None:
    """The number of the one section that the question names, such as "2.1"; None where it names none or several."""
    found = {match["number"] or match["sign"] for match in _SECTION.finditer(question)}
    return found.pop() if len(found) == 1 else None


def stands_in_section(headings: str | None, number: str) -> bool:
    """Whether one of the headings, joined by " › ", has this number or one below it (2.1.3 is in 2.1)."""
    marks = [_NUMBERED.match(heading) for heading in (headings or "").split(" › ")]
    return any(mark and f"{mark['number']}.".startswith(f"{number}.") for mark in marks)


def without_source(question: str, named: Iterable[Source]) -> str:
    """The question as it is put to the passages of its source: what only names the source or section is left out.

    "According to cabin.md, how many beds …?" asks "how many beds …?" of that file; "What does section 2 say about
    guests?" asks "What about guests?" of that section.
    """
    rest = _SAYS.sub(r"What about ", question)
    for one in named:
        *folders, file = one.path.split("/")
        called = set(words.content_words(f"{file.rsplit('.', 1)[0]} {one.title}"))
        for name in (file, file.rsplit(".", 1)[0], one.title.strip("#*= ")):
            rest = _left_out(rest, rf"(?:(?:document|file|text|page|mail)\s+)?[\"'“]?{re.escape(name)}[\"'”]?")
        for folder in folders:
            kind = next((m[1] for m in re.finditer(rf"{re.escape(folder)}((?:\s+[\w-]+){{1,3}})", rest, re.I)), "")
            kept = [word for word in kind.split() if set(words.content_words(word)) & called]
            rest = _left_out(rest, r"\s+".join(map(re.escape, [folder, *kept]))) if kept else rest
    rest = _left_out(rest, rf"(?:{_SECTION.pattern.replace('?P<number>', '?:').replace('?P<sign>', '?:')})")
    return rest if len(words.content_words(rest)) >= 1 else question


def _left_out(question: str, name: str) -> str:
    """Without the phrase "in the NAME" and the comma behind it; not where the name is what the question speaks of."""
    found = re.sub(rf"(?:^|\s+){_CUE}\s+{name}(?![\w-])\s*,?", " ", question, flags=re.IGNORECASE)
    return " ".join(found.split()).replace(" ?", "?")


def _is_named(asked: str, spoken: list[str], one: Source) -> bool:
    *folders, file = words.fold(one.path).split("/")
    stem = file.rsplit(".", 1)[0]
    if _stands(asked, file) and "." in file:
        return True
    title = " ".join(words.fold(one.title).split()).strip("#*= ")
    if any(_stands(asked, name, _PLAIN_CUE) for name in {stem, title} if name):
        return True
    is_long = len(words.content_words(title)) >= TITLE_WORDS and len(title.split()) > TITLE_WORDS
    if is_long and _stands(asked, title, rf"(?:{_CUE}|\"|')\s?"):
        return True
    called = set(words.content_words(f"{stem} {title}"))
    return any(_called_by_folder(spoken, words.words(folder), called) for folder in folders)


def _stands(asked: str, name: str, cue: str = "") -> bool:
    """Whether the question has this name, as whole words, behind the cue."""
    return name in asked and re.search(rf"(?<![\w/.-]){cue}[\"']?{re.escape(name)}(?![\w-])", asked) is not None


def _called_by_folder(spoken: list[str], folder: list[str], called: set[str]) -> bool:
    """Whether the folder's name stands right before words that are all of what the document is called."""
    for at in range(len(spoken) - len(folder)) if folder else ():
        if spoken[at : at + len(folder)] != folder:
            continue
        behind = spoken[at + len(folder) : at + len(folder) + 2]
        stems = [stem for word in behind for stem in words.content_words(word)]
        if stems and stems[0] in called and (len(stems) == 1 or stems[1] in called or _is_last(behind[0])):
            return at > 0 and spoken[at - 1] in ("the", "to", "in")
    return False


def _is_last(word: str) -> bool:
    """Whether the word alone says that a document is meant."""
    return words.stem(word) in _KINDS


_KINDS = frozenset(map(words.stem, "list report plan rules minutes agenda manual guide budget rota".split()))
