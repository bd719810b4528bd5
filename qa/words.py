"""The content words, numbers, years and names of a text, in forms that can be compared. Pure; for English."""

import re
import unicodedata
from functools import cache, lru_cache

from snowballstemmer.english_stemmer import EnglishStemmer

FUNCTION_WORDS = frozenset(
    (
        "a about above after again against all also am among an and any are aren't as at be because been before"
        " being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't"
        " down during each either else ever every few for from further get gets got had hadn't has hasn't have"
        " haven't having he her here hers herself him himself his how i if in into is isn't it its itself just"
        " let's like many may me might more most much must my myself neither no nor not of off on once one only"
        " onto or other ought our ours ourselves out over own per please quite rather really s same shall she"
        " should shouldn't since so some such t than that the their theirs them themselves then there these they"
        " this those though through thus to too under until up upon us very via was wasn't we were weren't what"
        " what's when where which while who who's whom whose why will with within without won't would wouldn't yet"
        " you your yours yourself tell know say said says give find show explain describe mean exactly actually"
    ).split()
)
_FAMILIES = (  # words for the same thing: by some people ask, by others columns are headed
    "cost price fee charge rate fare tariff pay paid expensive cheap amount eur euro usd gbp pound dollar",
    "long length",
    "high tall height",
    "wide broad width breadth",
    "deep depth",
    "heavy weigh weight kg",
    "large big size area",
    "fast speed",
    "old age",
    "who name person contact",
    "when date day time",
    "where place location address room",
    "phone telephone call extension",
    "mean meaning stand",
)
_ASKING = frozenset("who when where".split())  # function words that say what is asked for
_HOW_MUCH = re.compile(r"\bhow much (?:is|are|was|were|for)\b", re.IGNORECASE)
NEGATIONS = re.compile(
    r"\b(?:not|no|never|none|neither|nor|nobody|nothing|nowhere|unless|except(?:ing|ed)?|excluding|without|cannot|only"
    r"|provided|other than|save for|apart from|subject to|however|but|although|though|if|hardly|barely|rarely"
    r"|den(?:y|ies|ied|ying)|false|untrue|exception|exceptions)\b|\b\w+n['’]t\b",
    re.IGNORECASE,
)
"""Words that may reverse or restrict what the text around them says; a quote is never cut so that one is lost."""

CLINGING = re.compile(
    r"\W*(?:\d{1,3}\]\W*)?(?:(?:and|or|but|yet) )?"
    r"(?:not|nor|unless|except(?:ing|ion|ions)?|excluding|save for|other than|apart from|with the exception"
    r"|provided|only if|but only)\b",
    re.IGNORECASE,
)
"""Matches the start of a sentence that takes back part of the one before it; the two are quoted together."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d[\d.,:/-]*\d|\d")
_GROUP_MARK = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_RAISED = re.compile(r"[⁰¹²³⁴-⁹]+")
_FRACTION = re.compile(r"[¼-¾⅐-⅞]")
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<sign>(?<!\d )[-−](?=[\d$€£¥]))?(?P<money>[$€£¥])?"
    r"(?P<digits>\d{1,3}(?:[ \u00a0\u2009\u202f’']\d{3})+(?!\d)|\d[\d.,]*\d|\d)(?P<fraction>[¼-¾⅐-⅞])?"
)
_NAME_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_JOINTS = frozenset("of the de van von der al bin for and".split())  # small words that can stand inside a name
_AROUND_NAMES = FUNCTION_WORDS | _JOINTS
_TEENS = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_ONES = "one two three four five six seven eight nine".split()
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = (
    {"zero": 0}
    | {word: value for value, word in enumerate([*_ONES, "ten", *_TEENS], 1)}
    | {word: 10 * value for value, word in enumerate(_TENS, 1)}
)
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SCALES_AFTER_DIGITS = {**_SCALES, "m": 10**6, "mn": 10**6, "bn": 10**9, "k": 1000}
_SCALE_AFTER = re.compile(r"(?P<gap>[\s-]*)(?P<scale>hundred|thousand|million|billion|trillion|dozen|mn?|bn|k)\b", re.I)
_TWO_DIGITS = rf"(?:(?:{'|'.join(_TENS[1:])})(?: (?:{'|'.join(_ONES)}))?|ten|{'|'.join(_TEENS)})"
_UP_TO_99 = rf"(?:{_TWO_DIGITS}|{'|'.join(_ONES)}|zero)"
_SCALED = rf"(?: (?:{'|'.join(_SCALES)}))"
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        1,
    )
}
_PHRASE = re.compile(
    rf"\b(?:(?P<century>{'|'.join(_TEENS)}|twenty) (?P<year>{_TWO_DIGITS})"
    rf"|(?:{_UP_TO_99}|half an?|an?){_SCALED}+(?:(?: and)? {_UP_TO_99}\b{_SCALED}*)*|{_UP_TO_99})\b"
)


def fold(text: str) -> str:
    """`text` with case, quote marks, dashes, white space and forms of letters unified: to compare, never to quote."""
    text = _FRACTION.sub(r" \g<0>", _RAISED.sub(r"^\g<0>", text))  # else 10² would become 102, and 1½ 11/2
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = text.replace("i\u0307", "i")  # the dot that case folding leaves of İ
    return " ".join(text.translate(_SIGNS).split())


_SIGNS = str.maketrans(
    {**dict.fromkeys("‘’‚‛´`ʼ′", "'"), **dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‐‑‒–—−", "-"), "⁄": "/"}
)


def words(text: str) -> list[str]:
    """All words and numbers in order, folded; 1,358 becomes 1358."""
    return _WORD.findall(_GROUP_MARK.sub("", fold(text)))


def content_words(text: str) -> list[str]:
    """The stemmed words in order, without function words and single letters."""
    return [stem(word) for word in words(text) if word not in FUNCTION_WORDS and (len(word) > 1 or word.isdigit())]


def asked_for(text: str) -> set[str]:
    """The content words of a question or a column's name; words for the same thing (costs, price) as one of them."""
    asking = [word for word in words(text) if word in _ASKING]
    asking += ["cost"] if _HOW_MUCH.search(text) else []
    return {_families().get(word, word) for word in (*content_words(text.replace("-", " ")), *map(stem, asking))}


@cache
def _families() -> dict[str, str]:
    """Stem → the first word of its family."""
    return {stem(word): family.split()[0] for family in _FAMILIES for word in family.split()}


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The word without its English endings (Porter2)."""
    return str(EnglishStemmer().stemWord(word))  # a stemmer has state, so each call makes one: safe between threads


def numbers(text: str) -> set[float]:
    """The values of all numbers in digits (1,358 · 14.6 million · 1½) or in English words (forty-two), years included.

    5m can mean five million or five metres and gives both values. A date or version gives its parts, a range its ends.
    """
    found: set[float] = {unicodedata.numeric(sign) for sign in _FRACTION.findall(re.sub(r"\d[¼-¾⅐-⅞]", "", text))}
    for match in _NUMBER.finditer(text):
        *parts, value = _values(match["digits"])
        value += unicodedata.numeric(match["fraction"]) if match["fraction"] else 0
        scale = _SCALE_AFTER.match(text, match.end())
        unit = scale["scale"].lower() if scale else ""
        if scale and unit in ("m", "k") and not match["money"]:  # without a currency sign, "5 m" is a length
            found |= {value}
            unit = "" if scale["gap"] else unit
        value *= _SCALES_AFTER_DIGITS.get(unit, 1)
        found |= {*parts, -value if match["sign"] else value}
    return found | _spelled(words(text.replace("-", " ")))


def _values(digits: str) -> list[float]:
    """The value of a number as written, or the values of its parts when it is a list, date or version."""
    if re.search(r"[^\d.,]", digits) or re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = re.sub(r"[^\d.]", "", digits)
    elif re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", digits):
        digits = digits.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d+(?:\.\d+)?", digits):
        return [float(digits)]
    return [float(part) for part in re.split(r"[.,]+", digits)]


def _spelled(tokens: list[str]) -> set[float]:
    """The values of number words. A lone "one" is left out: it is a pronoun as often as a number."""
    found: set[float] = set()
    for match in _PHRASE.finditer(" ".join(tokens)):
        if match["century"]:
            found.add(100 * _sum(match["century"]) + _sum(match["year"]))
        elif match[0] != "one":
            found.add(_sum(match[0]))
    return found


def in_digits(text: str) -> str:
    """The folded text with its number words in digits: "twenty-five days" → "25 days"."""
    return _PHRASE.sub(
        lambda match: match[0] if match["century"] else f"{_sum(match[0]):g}", fold(text.replace("-", " "))
    )


def ordinals(text: str) -> set[float]:
    """The values of the ordinals in words: "the fifth day" has 5."""
    return {float(_ORDINALS[word]) for word in words(text) if word in _ORDINALS}


def _sum(phrase: str) -> float:
    total = current = 0.0
    for token in phrase.split():
        current += 0.5 if token == "half" else _SMALL.get(token, 0)  # noqa: S105
        current = (current or 1) * _SCALES[token] if token in _SCALES else current
        if _SCALES.get(token, 0) >= 1000:
            total, current = total + current, 0.0
    return total + current


def years(text: str) -> set[int]:
    """The years from 1000 to 2100 that the text names."""
    return {int(year) for year in re.findall(r"(?<![\d.,$€£])(1\d{3}|20\d{2}|2100)(?![\d,.]\d|\d)", text)}


def names(text: str) -> list[str]:
    """Runs of capitalised words in order, without function words at their ends."""
    found: list[str] = []
    run: list[str] = []
    end = 0
    for match in _NAME_WORD.finditer(text):
        if not text[end : match.start()].isspace():
            found += _name(run)
            run = []
        end = match.end()
        if match[0][0].isupper() or (run and match[0] in _JOINTS):
            run.append(match[0])
        else:
            found += _name(run)
            run = []
    return found + _name(run)


def _name(run: list[str]) -> list[str]:
    """The run as a list of one name; an empty list when it has only function words or single letters."""
    kept = [number for number, word in enumerate(run) if fold(word) not in _AROUND_NAMES]
    parts = run[kept[0] : kept[-1] + 1] if kept else []
    return [" ".join(parts)] if any(len(part) > 1 for part in parts) else []
