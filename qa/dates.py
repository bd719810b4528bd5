"""Dates in text → ISO, partial dates kept partial (2023, 2023-11). Pure; month names in English, German and French."""

import datetime
import re

LABEL_CHARS = 1000  # how far down a document's own date may stand
NAME_CHARS = 80  # a longer title is a sentence, and what it mentions is not its date

_MONTHS = (  # each with its names, and the short forms that stand for no other month
    "january jan januar jänner janvier",
    "february feb februar février fevrier févr",
    "march mar märz mars",
    "april apr avril avr",
    "may mai",
    "june jun juni juin",
    "july jul juli juillet",
    "august aug août aout",
    "september sep sept septembre",
    "october oct oktober okt octobre",
    "november nov novembre",
    "december dec dezember dez décembre decembre",
)
_NUMBERS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_MONTH = "(?P<{0}>" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + r")\b\.?"
_YEAR = r"(?:1\d|20)\d\d"
_DAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?(?:(?:the|le|den|dem) )?"
    rf"(?:(?P<iso>{_YEAR}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?)"
    rf"|(?P<day3>\d{{1,2}})\.(?: )?(?P<month3>\d{{1,2}})\.(?: )?(?P<year3>{_YEAR})"
    rf"|(?P<day1>\d{{1,2}})(?:st|nd|rd|th|er|\.)?(?: of)?(?: |-){_MONTH.format('month1')},?(?: |-)(?P<year1>{_YEAR})"
    rf"|{_MONTH.format('month2')} (?:(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,? )?(?P<year2>{_YEAR}))(?!\d)"
).replace(" ", r"[ \t\xa0]+")  # one space in the pattern is white space in a line
_FROM = re.compile(_DAY, re.IGNORECASE)
_DATE = re.compile(
    _DAY + r"(?![\d-]|\.\d|[ \t\xa0]*(?:[–/]|to\b|until\b)[ \t\xa0]*\d)",  # a span of time is not a date
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:^|(?<=\r))[ \t*_>#(\[|-]{0,8}"
    r"(?:(?:meeting |issue |version )?date(?: of (?:issue|publication))?|dated|(?:first )?published"
    r"|(?:publication|release) date|posted|released|(?:last )?(?:updated|modified|revised|reviewed)|issued"
    r"|effective(?: date)?|valid from|as of|datum|stand|gültig ab|en vigueur (?:depuis|dès))\b"
    r"(?: on\b| from\b| le\b)?[ \t*_]*(?P<colon>[:=|])?[ \t*_]*",
    re.IGNORECASE | re.MULTILINE,
)
# What may stand behind a date whose label has no colon. Anything else is a sentence that begins like a label.
_LINE_END = re.compile(
    r"(?:T[\d:.]+Z?|,?[ \t]+(?:at )?\d{1,2}[:.]\d\d\b[^\r\n]{0,12})?[ \t*_)\].;,]*"
    r"(?:[|·•–—][^\r\n]*|by\b[^\r\n]{0,60})?(?=[\r\n]|\Z)",
    re.IGNORECASE,
)
_IN_FORCE = re.compile(
    r"\b(?:(?:valid|in force|effective|applicable|appl(?:y|ies)|in effect|with effect)[ \t]+(?:as[ \t]+)?"
    r"(?:from|since|as of|of)|gültig[ \t]+(?:ab|seit)(?:[ \t]+(?:dem|den))?|gilt[ \t]+(?:ab|seit)(?:[ \t]+dem)?"
    r"|(?:en vigueur|valables?|applicables?)[ \t]+(?:depuis|dès|à partir|à compter)(?:[ \t]+(?:du|de|le))?)[ \t*_:]+",
    re.IGNORECASE,
)
# Whose validity is the document's own; “the ticket is valid from …” is not.
_OWN = re.compile(
    r"\b(?:prices?|list|tariffs?|fees?|rates?|rules?|polic(?:y|ies)|edition|version|document|terms|conditions"
    r"|regulations?|schedule|timetable|hours|statutes|by-?laws|agreement|notice|code|plan|preise?|preisliste|tarife?"
    r"|ordnung|fassung|tarifs?|prix|règlement|horaires?)\b",
    re.IGNORECASE,
)
_AS_OF = re.compile(r"\b(?:as of|as at|as from|status|stand)[ \t]+", re.IGNORECASE)
_SPAN_BEFORE = re.compile(r"(?:[\d.,–/-]|\d[ \t]*(?:to|until|bis|and|–|-)[ \t]*)\Z", re.IGNORECASE)


def iso_date(text: str) -> str | None:
    """The date that `text` begins with, as ISO, partial dates kept partial; None where there is none."""
    return _iso(_DATE.match(text.strip()))


def stated_date(text: str) -> str | None:
    """The date that a document's beginning states as its own.

    Behind a label at the start of a line ("Date:", "Published on", …), as that from which its prices or rules are
    valid, or as that of its title's line ("…, as of 5 May 2024").
    """
    return labelled_date(text) or _own_validity(text[: 2 * LABEL_CHARS]) or _as_of(text[: 2 * LABEL_CHARS])


def labelled_date(text: str) -> str | None:
    """The first date that stands behind a label ("Date:", "Published on", …) at the start of one of the first lines."""
    for label in _LABEL.finditer(text, 0, LABEL_CHARS):
        match = _DATE.match(text, label.end())
        date = _iso(match)
        # "Issued: 1500 shares" is not a year; "date 2024-05" needs no colon, as no sentence begins so.
        named = label["colon"] or label[0].strip(" \t*_>#([|-").lower() == "date"
        plain = named and date and len(date) > len("2024")
        if match and date and (plain or _LINE_END.match(text, match.end())):
            return date
    return None


def in_force_from(text: str) -> str | None:
    """The date from which on something is valid by these words, where they name one alone."""
    found = {date for match in _IN_FORCE.finditer(text) if (date := _iso(_FROM.match(text, match.end())))}
    return found.pop() if len(found) == 1 else None


def named_date(name: str) -> str | None:
    """The date in a title, heading or file name: its only one, no span of time."""
    matches = list(_DATE.finditer(name)) if len(name) <= NAME_CHARS else []
    found = {date for match in matches if (date := _iso(match)) and date >= "1900"}
    spans = any(_SPAN_BEFORE.search(name, 0, match.start()) for match in matches)
    return found.pop() if len(found) == 1 and not spans else None


def _own_validity(text: str) -> str | None:
    """Where a sentence begins so, or says it of prices, rules and the like."""
    for match in _IN_FORCE.finditer(text, 0, LABEL_CHARS):
        before = re.split(r"[.!?][ \t]|[\r\n]", text[: match.start()])[-1]
        date = _iso(_FROM.match(text, match.end()))
        if date and (not re.search(r"\w", before) or _OWN.search(before)):
            return date
    return None


def _as_of(text: str) -> str | None:
    """Where a line ends so and is no sentence."""
    for match in _AS_OF.finditer(text, 0, LABEL_CHARS):
        found = _DATE.match(text, match.end())
        date = _iso(found)
        if found and date and re.match(r"[ \t*_)\]]*(?=[\r\n]|\Z)", text[found.end() :]):
            return date
    return None


def _iso(match: re.Match[str] | None) -> str | None:
    if match is None:
        return None
    date = match["iso"]
    if date is None:
        named = match["month1"] or match["month2"]
        month = _NUMBERS[named.lower()] if named else int(match["month3"])
        day = match["day1"] or match["day2"] or match["day3"]
        year = match["year1"] or match["year2"] or match["year3"]
        date = f"{year}-{month:02}" + (f"-{int(day):02}" if day else "")
    try:
        datetime.date.fromisoformat(date + "-01-01"[len(date) - 4 :])
    except ValueError:  # 30 February
        return None
    return str(date)
