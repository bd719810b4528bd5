"""Slips of the keyboard in a question, corrected for one passage by what it says and by a list of common words. Pure.

Only a word that nobody knows is changed, and never into what the passage writes as a name: a name is not taken for
another one that looks like it.
"""

import re
from collections.abc import Callable
from functools import lru_cache

SHORTEST = 4  # letters; a shorter word is one slip away from too many others
LONGEST = 30  # letters; nobody mistypes a longer one, and its slips would fill the memory
_WORD = re.compile(r"[^\W\d_]+")
COMMON = 6000  # words of the list; what the passage does not say either is only ever taken for one of these
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er", "ers")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def correct(question: str, passage: str, rank: Callable[[str], int | None]) -> str:
    """The question with each unknown word replaced by the likeliest word one slip away, where there is one.

    A slip is a letter lost, added or changed, or two swapped, behind the first letter. `rank` is a word's place in a
    list of common words in lower case, the commonest first, None where it is not in it. Likeliest is a word that the
    passage uses, then one of the same letters, then the commonest. A capital inside the question marks a name, which
    stays.
    """
    parts, at = list[str](), 0
    has_capitals = any(match[0][0].isupper() for match in _WORD.finditer(question) if match.start())
    said: frozenset[str] | None = None
    for match in _WORD.finditer(question):
        word = match[0].lower()
        is_name = has_capitals and match.start() > 0 and not match[0].islower()
        if is_name or not SHORTEST <= len(word) <= LONGEST or not word.isascii() or _is_known(word, rank):
            continue
        said = frozenset(_WORD.findall(passage)) if said is None else said
        used, named = {one for one in said if one.islower()}, {one.lower() for one in said if not one.islower()}
        if word in used | named:
            continue
        ranks = {one: rank(one) for one in _slips(word) if one not in named - used}
        close = {one: at for one, at in ranks.items() if at is not None and (one in used or at < COMMON)}
        if close:
            best = min(close, key=lambda one: (one not in used, sorted(one) != sorted(word), close[one]))
            parts += [question[at : match.start()], best]
            at = match.end()
    return "".join([*parts, question[at:]])


def _is_known(word: str, rank: Callable[[str], int | None]) -> bool:
    """Whether the word, or what is left without an ending, is in the list."""
    return any(rank(word.removesuffix(ending)) is not None for ending in ("", *_ENDINGS))


@lru_cache(maxsize=64)  # a question is read beside several passages
def _slips(word: str) -> frozenset[str]:
    """All that one slip behind the first letter makes of the word, or that made it."""
    cuts = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    lost = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    changed = {a + letter + b[1:] for a, b in cuts if b for letter in _LETTERS}
    added = {a + letter + b for a, b in cuts for letter in _LETTERS}
    return frozenset(one for one in lost | swapped | changed | added if len(one) >= SHORTEST and one != word)
