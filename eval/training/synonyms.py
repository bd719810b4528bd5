"""WordNet's files → synonyms, to reword questions so that they differ from the passage. For training only.

    synonyms = load(Path("/usr/share/wordnet"))    # Debian's package wordnet-base, WordNet 3.0
    synonyms["buy"]                                # ("purchase",)
    reword("Who bought the mill?", synonyms, random)

Only a word whose commonest sense is by far its commonest is replaced, and by words of which the same is true.
"""

import re
from collections import defaultdict
from pathlib import Path
from random import Random

POS = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
MOSTLY = 0.6  # of a word's counted uses must be of its commonest sense
SHARE = 0.7  # of the words that can be replaced are replaced
_WORD = re.compile(r"[a-z]{4,}")
_KEPT = frozenset(
    "what which when where whom whose many much long time year have does with from that this they were will would"
    " could should about into between after before during other than first last name type kind more most".split()
)
Synonyms = dict[str, tuple[str, ...]]


def load(folder: Path) -> Synonyms:
    """Word, inflected or not → the words that share its commonest sense as their own, in the same form."""
    uses: dict[str, dict[tuple[str, int], int]] = defaultdict(dict)  # word → (part of speech, sense) → uses counted
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, sense, count = line.split()
        word, _, rest = key.partition("%")
        uses[word][POS[rest[0]], int(sense)] = int(count)
    found: Synonyms = {}
    for pos in ("noun", "verb", "adj", "adv"):
        irregular = {form for line in (folder / f"{pos}.exc").read_text().splitlines() for form in line.split()[1:]}
        meant: dict[str, list[str]] = defaultdict(list)  # sense → the words that mostly mean it
        for line in (folder / f"index.{pos}").read_text().splitlines():
            word, *parts = line.split()
            if (
                not line.startswith(" ")
                and word.islower()
                and uses[word].get((pos, 1), 0) >= MOSTLY * sum(uses[word].values()) > 0
            ):
                meant[parts[-int(parts[1])]].append(word.replace("_", " "))
        for words in meant.values():
            for word in words:
                others = [other for other in words if other.split()[0] != word.split()[0]]
                for form, inflect in _FORMS[pos]:
                    if form and {other.split()[0] for other in words} & irregular:
                        continue
                    if others and _WORD.fullmatch(word):
                        found.setdefault(inflect(word), tuple(map(inflect, others)))
    return found


def reword(question: str, synonyms: Synonyms, random: Random) -> str:
    """The question with some of its words replaced by others that mean the same; names and numbers stay."""
    return _WORD_IN.sub(lambda match: _other(match[0], synonyms, random), question)


_WORD_IN = re.compile(r"(?<![\w'’-])[a-z]{4,}(?![\w'’-])")


def _other(word: str, synonyms: Synonyms, random: Random) -> str:
    others = () if word in _KEPT else synonyms.get(word, ())
    return random.choice(others) if others and random.random() < SHARE else word


def _plural(word: str) -> str:
    head, _, last = word.rpartition(" ")
    made = re.sub(r"(?<=[^aeiou])y\Z", "ie", last) + "s" if not re.search(r"(?:s|x|ch|sh)\Z", last) else last + "es"
    return f"{head} {made}".strip()


def _past(word: str) -> str:
    first, space, rest = word.partition(" ")
    return re.sub(r"(?<=[^aeiou])y\Z", "i", first.removesuffix("e")) + "ed" + space + rest


def _third(word: str) -> str:
    first, space, rest = word.partition(" ")
    return _plural(first) + space + rest


_FORMS = {
    "noun": (("", str), ("s", _plural)),
    "verb": (("", str), ("ed", _past), ("s", _third)),
    "adj": (("", str),),
    "adv": (("", str),),
}
