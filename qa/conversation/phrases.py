"""Phrases: the words of a question with tags, its noun phrases with their kinds, and its expressions of time.

The grammar is shallow. A word's tag comes from closed lists and from the words before it; noun phrases are then matched
in the string of tags. An unknown word counts as a noun, so that a mistake mostly leaves a question as it was typed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qa.conversation.sentences import MAX_CHARS, table
from qa.words import stem


@dataclass(frozen=True, slots=True)
class Word:
    """One word or punctuation mark. Tags: N noun, V verb, S possessive 's, "," punctuation; the others in `_TAGS`."""

    text: str
    low: str
    start: int
    end: int
    tag: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase, `question[start:end]`. `full` includes what follows with "of": "the price of a ticket"."""

    text: str
    full: str
    opens: int  # where its preposition starts, else `start`
    start: int
    end: int
    det: str
    core: tuple[Word, ...]  # without determiner and quantifier
    kind: str  # person, name, attribute or thing
    role: str  # wh, subject, object or predicate; else the preposition or conjunction before the phrase

    @property
    def head(self) -> str:
        """The noun that the other words describe, in lower case."""
        return next((word.low for word in reversed(self.core) if not word.low.isdigit()), self.core[-1].low)

    @property
    def lemma(self) -> str:
        """The head without a plural ending."""
        return self.head.removesuffix("s")

    @property
    def plural(self) -> bool:
        """Whether the head looks like a plural."""
        return self.head in _PLURALS or bool(re.search(r"[^suih]s$|[aeh]s$", self.head))


def listed(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


_TAGS = {
    word: tag
    for tag, words in {
        "W": "who whom whose what which when where why how whos whats wheres",  # question word
        "B": "is are was were am be been being isn't aren't wasn't weren't isnt wasnt 're 'm",
        "X": """do does did don't doesn't didn't dont doesnt didnt can could can't cannot couldn't will would won't
            wouldn't shall should shouldn't may might must mustn't has have had hasn't haven't 'll 'd 've""",
        "D": "a an the my your our his her its their this that these those each every some any all no both another",
        "O": "of",
        "T": "to",
        "P": """in on at for from with by about against between into through during before after above under over
            within without towards until till since per near across along around behind despite inside outside via
            like than as regarding concerning among""",  # preposition
        "R": "i you he she it they we me him them us hers theirs ours mine yours himself herself itself themselves",
        "C": "and or but if because while although though unless whether once so nor whereas &",
        "A": """not also still already ever never usually normally often always now then there here just only too again
            exactly actually really currently ago even yet else soon either neither first""",  # adverb
    }.items()
    for word in words.split()
}
_BASE_VERBS = listed(
    """accept affect agree allow announce answer appeal apply appoint approve arrive ask become begin belong bring build
    buy call cancel carry cause change charge check choose claim clean close collect come complain confirm consist
    contact contain continue cost cover create deal decide declare deliver depend describe destroy develop die differ
    discover discuss earn eat employ end enter exist expect expire explain extend fail fall feel fight fill find finish
    fix follow get give go grow handle happen help hire hold improve include increase inform introduce invent invite
    involve join keep know launch lead learn leave live look lose make manage mean measure meet mention move need notify
    obtain occur offer open operate order own park pay permit play prepare prevent produce protect prove provide publish
    put reach receive recommend record reduce refund refuse register reject release remain remove renew rent repair
    replace report represent require reset resign respond return revoke run save say see sell send serve set share show
    sign sleep speak spend stand start stay stop store submit support take talk teach tell terminate train transfer
    travel treat turn use visit vote wait wear win work write"""
)
_VERBS = frozenset(map(stem, _BASE_VERBS))
_PARTICIPLES = listed(  # irregular participles and past tenses, and adjectives that follow "is" as participles do
    """said goes went gone came took taken made built held wrote written sold bought paid sent won lost left began begun
    chose chosen broke broken kept met ran fell fallen gave given got found born knew told led brought cut spent
    grew grown rose risen stole stolen taught thought wore worn became caught read put set hit shut open closed free
    available valid due legal mandatory necessary eligible possible old big long high tall expensive heavy
    responsible refundable illegal compulsory"""
)
PERSONS = listed(
    """person man woman boy girl child people men women children adult senior student pupil teacher employer worker
    contractor staff manager director president minister mayor governor king queen officer official commissioner
    representative chief chair chairman secretary treasurer founder owner author writer editor inventor researcher
    professor doctor nurse patient lawyer judge witness victim soldier prisoner civilian captain driver passenger pilot
    customer client user member visitor guest resident citizen tenant landlord buyer seller applicant candidate winner
    player coach actor engineer farmer parent mother father son daughter brother sister husband wife partner friend
    neighbour neighbor boss colleague ceo head leader supervisor intern apprentice volunteer kid"""
)
_PLURALS = listed("people men women children staff police")
_ATTRIBUTES = listed(
    """price cost fee charge deadline date time period duration length age size weight height width name address number
    limit rate salary wage pay population penalty fine phone email hours amount procedure process requirement reason
    purpose colour color capacity speed temperature deposit maximum minimum budget area value title role password"""
)
NO_NAMES = PERSONS | listed(  # words for titles, offices, organisations and places; not part of a person's name
    """mr mrs ms dr prof sir prime vice deputy general senator ambassador coordinator spokesman ministry office service
    services agency department council committee commission court bank university college school institute hospital
    company corporation inc ltd group union party association foundation society republic kingdom states nations forces
    police team club centre center act law treaty agreement convention regulation directive article section chapter
    annex river lake island mount cape fort port sea street road avenue square park bridge city county state province
    district region north south east west new saint human rights world international national public health education
    news times prize project programme plan board trust house parliament congress airport station museum library
    theatre stadium tower hall"""
)
_QUANTIFIERS = listed("many much few several more most")
_COMMANDS = listed("list compare give show tell describe explain name find state outline summarise summarize")

TIME = table(
    r"(?:\b(?P<prep>in|on|at|for|since|by|during|until|before|after|from|of)\s+)?(?<![\w.,$€£#])(?P<span>{span})(?!\w)",
    span=r"between\s+{year}\s+and\s+{year}|from\s+{year}\s+(?:to|until)\s+{year}|{year}\s*[-–]\s*{year}|{date}|{named}",
    date=r"(?:\d\d?(?:st|nd|rd|th)?\s+)?(?:of\s+)?\b{month}\b(?:\s+\d\d?(?:st|nd|rd|th)?\b(?!\d))?(?:,?\s+{year})?",
    named=r"q[1-4](?:\s+{year})?|(?:the\s+)?(?:spring|summer|autumn|winter)(?:\s+(?:of\s+)?{year})?|{plain}",
    plain=r"(?:the\s+)?(?:1[5-9]|20)\d0s|{year}|{relative}|{day}",
    relative=r"(?:last|this|next|the\s+previous)\s+(?:year|month|week|quarter|summer|winter|spring|autumn)",
    day=r"(?:(?:the|an?)\s+)?(?:(?:mon|tues|wednes|thurs|fri|satur|sun|week)days?|weekends?)|yesterday|today|tomorrow",
)
YEAR, MONTH = table("{year}"), table(r"\b(?:{month}|q[1-4])\b")
DAY = table(r"\w+days?\b|weekend|tomorrow")

TOKEN = table(
    r"""[^\W_]+(?='(?:s|re|ll|d|ve|m)\b)
    '(?:s|re|ll|d|ve|m)\b
    [^\W_]+(?:(?:'|[.,:/&-])[^\W_]+)*
    [^\w\s]|_"""
)


@lru_cache(maxsize=128)  # the same question is tagged several times
def tag(text: str) -> tuple[Word, ...]:
    """The words and punctuation marks with their one-letter tags."""
    words: list[Word] = []
    for match in TOKEN.finditer(text[:MAX_CHARS]):
        low = match[0].lower().replace("’", "'")
        words.append(Word(match[0], low, match.start(), match.end(), _tag_of(low, match[0], words)))
    return tuple(_find_main_verb(words))


def tags_of(words: Iterable[Word]) -> str:
    """The tags as one string, for matching with regular expressions."""
    return "".join(word.tag for word in words)


def asks(sentence: str) -> bool:
    """Whether the sentence is a question or a command, and not a statement or only a topic."""
    if sentence.rstrip('"”’») ').endswith("?"):
        return True
    words = tag(sentence)
    return bool(words) and (words[0].tag in "WXB" or words[0].low in _COMMANDS)


def lowered(question: str) -> str:
    """The question with its first letter in lower case, unless its first word can be a name or is in capitals."""
    first = question.split(" ", 1)[0]
    is_kept = first.lower() not in _TAGS or first == "I" or first[1:].isupper()
    return question if is_kept else first.lower() + question[len(first) :]


def _tag_of(low: str, text: str, before: Sequence[Word]) -> str:
    """The tag of a word, given the words before it: by the lists, else verb (V) or noun (N)."""
    last = before[-1] if before else None
    tag = last.tag if last else ""
    if low == "'s":
        return "B" if last and (tag in "WR" or last.low in ("that", "this", "there", "here")) else "S"
    if low in _TAGS:
        return "N" if tag == "D" and _TAGS[low] == "A" else _TAGS[low]  # "the first woman"
    if not low[0].isalnum():
        return ","
    if last is None:
        return "V" if low in _COMMANDS else "N"
    if tag in "DPOSC," or (tag == "N" and last.text[0].isupper() and text[0].isupper()):
        return "N"
    if tag == "W" and last.low == "how" and low not in _QUANTIFIERS:
        return "A"
    return "V" if _is_verb(low, last, before) else "N"


def _is_verb(low: str, last: Word, before: Sequence[Word]) -> bool:
    """Whether a word that is on no list is a verb at this place."""
    is_known = stem(low) in _VERBS
    is_past = low in _PARTICIPLES or (low.endswith("ed") and len(low) > 3 and low not in _ATTRIBUTES)
    match last.tag:
        case "W":
            return last.low in ("who", "whom") or (last.low == "what" and (is_past or (is_known and low.endswith("s"))))
        case "R":
            return True
        case "T" | "A":
            return is_known or is_past
        case "B":
            return is_past or (is_known and low.endswith("ing"))
        case "X":
            return not _is_inverted(before) and (is_past or last.low not in ("have", "has", "had"))
        case "V":
            return is_past and last.low in ("get", "got")
        case _:
            is_first = not any(word.tag in "XBV" for word in before)
            return is_past or (is_known and low.endswith("s") and is_first)


def _is_inverted(before: Sequence[Word]) -> bool:
    """Whether the auxiliary at the end of `before` precedes its subject: "which form do …", "can …"."""
    if before[-1].low in ("do", "does", "did"):
        return True
    return before[0].low not in ("who", "whom") and all(word.tag != "N" for word in before)


def _find_main_verb(words: list[Word]) -> list[Word]:
    """Tag the main verb after an inverted auxiliary ("does the …").

    It is the last known verb before the next preposition, or the last word there when none is known.
    """
    aux = next((i for i, word in enumerate(words) if word.tag == "X"), None)
    if aux is None or not (_is_inverted(words[: aux + 1]) or tags_of(words[aux + 1 : aux + 2]) == "D"):
        return words
    start = end = aux + (2 if aux + 1 < len(words) and words[aux + 1].tag == "D" else 1)
    while end < len(words) and (words[end].tag in "NSO" or (words[end].tag == "D" and words[end - 1].tag == "O")):
        end += 1
    if end - start < 2 or (end < len(words) and words[end].tag == "V"):
        return words
    known = [i for i in range(start + 1, end) if words[i].low in _BASE_VERBS]
    verb = known[-1] if known else end - 1
    if known or not words[verb].text[0].isupper():
        words[verb] = replace(words[verb], tag="V")
    return words


_NP = re.compile(r"D?N+(?:SN+)*")
_OF_CHAIN = re.compile(r"(?:OD?N+(?:SN+)*)+")
_COPULAR = re.compile(r"WB[^VWC,]*(?:W|,|$)")


def phrases(text: str) -> list[Phrase]:
    """The noun phrases of a question, in order."""
    words = tag(text)
    tags = tags_of(words)
    found: list[Phrase] = []
    for match in _NP.finditer(tags):
        first, last = match.span()
        role, opens = _role(words, first)
        det = words[first].low if tags[first] == "D" else ""
        first += words[first + bool(det)].low in _QUANTIFIERS
        core = tuple(words[first + bool(det) : last])
        if not core:
            continue
        of = _OF_CHAIN.match(tags, last)
        full_end = words[(of.end() if of else last) - 1].end
        if not found and _COPULAR.match(tags) and words[0].low in ("what", "who", "whos", "whats", "which"):
            # "what is the fee for adults": the whole rest is one phrase
            full_end = next((word.start for word in words[last:] if word.tag == ","), len(text))
        start, end = words[first].start, core[-1].end
        full = text[start:full_end].strip(" ,")
        kind = _kind(core, det, role, words)
        found.append(Phrase(text[start:end], full, min(opens, start), start, end, det, core, kind, role))
    return found


def be(noun: str) -> str:
    """ "are" for a plural noun phrase, else "is"."""
    found = phrases(noun)
    return "are" if found and found[0].plural else "is"


def _role(words: Sequence[Word], first: int) -> tuple[str, int]:
    """The role of the phrase that starts at word `first`, and where its preposition, or else the phrase, starts."""
    before = first - 1
    while before >= 0 and words[before].tag == "A":
        before -= 1
    tag = words[before].tag if before >= 0 else ""
    if tag in ("P", "T", "O"):
        return words[before].low, words[before].start
    if tag == "C" and before and words[before - 1].tag == "N":
        return words[before].low, words[first].start
    if tag == "N":  # "is Mount Elbrus a volcano"
        return "predicate", words[first].start
    verb_before = any(word.tag == "V" for word in words[:first])
    return "wh" if tag == "W" else "object" if verb_before else "subject", words[first].start


def _kind(core: Sequence[Word], det: str, role: str, words: Sequence[Word]) -> str:
    head = core[-1]
    singular = head.low.removesuffix("s")
    is_group = re.fullmatch(r".{3,}(?:ians?|ists?|women|men)|(?!fee|comm|cof|guar|ref).{3,}ees?", head.low)
    if head.low in PERSONS or singular in PERSONS or is_group:
        return "person"
    if head.low in _ATTRIBUTES or singular in _ATTRIBUTES:
        return "attribute"
    if words[0].low in ("who", "whos") and role == "subject" and not det and len(core) <= 4:
        return "person"
    if not head.text[0].isupper():
        return "thing"
    is_full_name = 2 <= len(core) <= 3 and not det and all(word.text[0].isupper() for word in core)
    is_place = role in ("in", "at", "near") or any(word.low in NO_NAMES for word in core)
    return "person" if is_full_name and not is_place else "name"
