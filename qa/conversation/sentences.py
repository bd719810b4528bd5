"""Sentences: cleans a message, cuts it into sentences, and removes courtesies and injected commands.

Also `table`, in which all rules of the package are written: one pattern in each line, matched regardless of case.
"""

import re
import unicodedata

MAX_CHARS = 2_000  # of a standalone question

_SHORTHAND = {  # what {name} stands for in a pattern; a pattern here may use the names after it
    "asks": "(?:who|whom|whose|what|which|when|where|why|how|{aux})",
    "aux": """(?:is|are|was|were|am|do|does|did|can|could|will|would|should|shall|may|might|must|has|have|had
        |isn't|aren't|don't|doesn't|didn't|can't)""",
    "hi": """(?:(?:hi+|hello+|hey+|hiya|greetings|dear (?:sir|madam|team|all)|good (?:morning|afternoon|evening|day))
        (?: (?:there|all|everyone|team|again))?)""",
    "nod": """(?:thanks(?: a lot| so much| again)?|thank you(?: so much| very much)?|ok(?:ay)?|great|perfect|cool|nice
        |good|alright|right|yes|yeah|no|nope|hm+|u[mh]+|oh|wow|well|sorry|excuse me|listen|i see|got it|interesting
        |understood|fine|sure|wait|actually|really)""",
    "doc": "(?:documents?|docs?|files?|pdfs?|texts?|articles?|reports?|sources?|books?|papers?|collection|library)",
    "ignore": """(?:ignore|disregard|forget|bypass|override)\\b(?: \\w+){0,5}? (?:instructions?|rules?|prompts?
        |guidelines?|documents?|sources?|files?|above|everything|restrictions?|directions?)\\b""",
    "month": """(?:jan(?:uary)?|feb(?:ruary)?|march|mar|april|apr|june?|july?|aug(?:ust)?|sept?(?:ember)?
        |oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|may(?=\\s+\\d|\\W*$)|(?<=in )may)""",  # not the verb "may"
    "year": "(?:1[5-9]\\d\\d|20\\d\\d)(?![\\d%]|[,.]\\d)",
}


def table(patterns: str, **shorthand: str) -> re.Pattern[str]:
    """One regular expression from alternatives, one in each line.

    Case is ignored, ' matches any apostrophe, and {name} stands for a pattern of `shorthand` or `_SHORTHAND`.
    """
    for name, pattern in (shorthand | _SHORTHAND).items():
        patterns = patterns.replace("{" + name + "}", re.sub(r"\s*\n\s*", "", pattern))
    lines = (line.strip() for line in patterns.splitlines())
    return re.compile("|".join(f"(?:{line})" for line in lines if line).replace("'", "['’]"), re.IGNORECASE)


_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])")
_ABBREVIATION = table(
    r"(?:^|[\s(])(?:dr|mrs?|ms|prof|st|nos?|art|sec|e\.g|i\.e|vs|inc|ltd|co|etc|approx|fig|jr|sr|pp|[^\W\d_])\.$"
)
_INJECTED_TAIL = table(r"[,;:(–—.-]\s*(?:(?:and|then|but|now|please)\s+)*(?:{ignore}|(?:system|assistant)\s*:).*")
_COURTESY = table(
    r"""(?:{hi}|{nod})(?:\s(?:{hi}|{nod}))*\s*[,.!:;…–—-]+\s*(?=\S)
    (?:{hi}|thanks|thank you|ok(?:ay)?|so)\s+(?=(?:{asks}|please|tell|and|i|what about|how about)\b)
    (?:please|pls|kindly)[\s,]+(?=\S)
    (?:(?:can|could|would|will) you )?(?:please |kindly |just |maybe )*(?:tell|show) (?:me|us)[\s,:]+(?={asked})
    (?:let me know|any idea|(?:can|may|could) i ask(?: you)?)[\s,:]+(?={asked})
    i(?: would|'d)?(?: really)? (?:like|want|need|wish) to (?:know|find out|ask|understand)\s+(?={asked})
    i(?: was| am|'m) (?:just )?(?:wondering|curious)[\s,:]+(?={asked})
    (?:do|would) you (?:happen to )?know\s+(?={asked})
    (?:(?:and|but|so|also|then|or)[\s,]+)+(?={asks}\b(?! about\b| of\b))""",
    asked=r"(?:(?:at|in|on|to|for|by|from|with) )?{asks}\b|the\b",
)
_FAREWELL = table(r"(?:\s|,)+(?:please|pls|thanks|thank you)(?: in advance| a lot| so much)?(?=[.!?]*$)")


def clean(message: str) -> str:
    """The message with white space and control characters as single spaces, of at most MAX_CHARS characters."""
    return cap(" ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in message).split()))


def cap(text: str) -> str:
    """At most MAX_CHARS of the text: its questions when it is longer, else its beginning, cut between words."""
    if len(text) <= MAX_CHARS:
        return text
    asking = " ".join(sentence for sentence in _cut(text) if sentence.endswith("?") and len(sentence) <= MAX_CHARS)
    start = (asking or text)[: MAX_CHARS + 1]
    return start[: start.rfind(" ")].rstrip() if len(start) > MAX_CHARS and " " in start else start[:MAX_CHARS]


def is_latin(text: str) -> bool:
    """Whether most letters are Latin; the rules do not cover other scripts."""
    letters = [c for c in text if c.isalpha()]
    return 2 * sum(c < "\u0250" for c in letters) >= len(letters)


def sentences(text: str) -> list[str]:
    """The sentences of a cleaned text that contain letters or digits, each without an injected command at its end."""
    kept = (_INJECTED_TAIL.sub("", sentence) for sentence in _cut(text))
    return [sentence for sentence in kept if any(map(str.isalnum, sentence))]


def _cut(text: str) -> list[str]:
    """Cut into sentences: not after an abbreviation, inside double quotes, or after dots before a lower-case letter."""
    found, start, scanned, is_open = [], 0, 0, False
    for end in _SENTENCE_END.finditer(text):
        is_open ^= sum(c in '"“”' for c in text[scanned : end.end()]) % 2 == 1
        scanned = end.end()
        mark = text[max(start, end.start() - 8) : end.start()]
        is_pause = mark.endswith(("..", "…")) and text[end.end() : end.end() + 1].islower()
        if not (is_open or is_pause or _ABBREVIATION.search(mark)):
            found.append(text[start : end.end()])
            start = end.end()
    return [sentence for sentence in map(str.strip, (*found, text[start:])) if sentence]


def without_courtesies(sentence: str) -> str:
    """The sentence without greetings and phrases like "could you please tell me" around the question."""
    rest, before = sentence, ""
    while rest != before:
        before = rest
        courtesy = _COURTESY.match(rest)
        rest = _FAREWELL.sub("", rest[courtesy.end() :] if courtesy else rest)
    return rest if any(map(str.isalnum, rest)) else sentence


def bare(text: str) -> str:
    """The text without punctuation around it. Patterns are matched with this form."""
    start, end = 0, len(text)
    while start < end and not (text[start].isalnum() or text[start] in "$€£<["):
        start += 1
    while end > start and not (text[end - 1].isalnum() or text[end - 1] in "%>]"):
        end -= 1
    return text[start:end]


def without_end(question: str) -> str:
    """The question without punctuation at its end."""
    return question.rstrip(" ?!.,;:")
