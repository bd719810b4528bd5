"""The reader's span → the short answer: one cell of a row, or a span with what limits it; None where neither is safe.

All intervals are of the quote's text. Pure. The rules are on English words; a span without any of them stays as it is.
"""

import re
from collections.abc import Sequence

from qa import words
from qa.rows import Cell, cells, header_above, is_row

MOST_CHARS = 160  # of a span that has grown; a longer one is a quote, not a short answer
SMALL_NAMES = frozenset(("since", "until"))  # function words that columns are called by
CELL_CHARS = 80  # of a cell that is printed whole


def _rule(pattern: str) -> re.Pattern[str]:
    """In any case; a space in the pattern is white space in the text."""
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


_STRUCK = re.compile(r"~~(?=\S)[^~]+(?<=\S)~~")
_NEGATION = (
    r"(?:(?:may|must|can|could|shall|should|will|would|is|are|was|were|do|does|did|has|have|had|need|be|been)\s+)?"
    r"\b(?:not|never|no longer)\b|\bcannot\b|\b\w+n['’]t\b"
)
_NOBODY = r"\b(?:nobody|no one|none|neither|nothing|without|no)\b"
_DENIED_BEFORE = _rule(rf"(?P<verb>{_NEGATION})|{_NOBODY}")
_DENIED_AFTER = _rule(
    rf"(?:(?!\b(?:and|or|who|which|that|because|so|when|where|while)\b)[^,;:.!?()\[\]–—])*?(?:{_NEGATION})"
)
_CONDITION = (
    r"unless|except(?:ing|ed|ion|ions)?|excluding|with the exception|other than|apart from|save for|provided|providing"
    r"|as long as|so long as|on condition|subject to|only|if|until|till|without|limited to|whichever"
)
_LIMIT_AFTER = _rule(
    rf"\b(?P<condition>{_CONDITION}|but (?:not|only|never|no|without|except))\b"
    r"|(?:[,;–—(]|\band|\bor)\s*(?:not|never|no longer|nor)\b"
)
_BOUND = (
    r"at least|at most|up to|(?:not |no )?(?:more|less|fewer|later|earlier) than|over|under|above|below|beyond"
    r"|within|until|from"
)
_BOUND_AFTER = _rule(rf"(?:\s+(?:for\s+)?)(?:{_BOUND})\s(?:[^,;:.()]*?\s)?[$€£]?\d")
_BOUND_SOON = _rule(rf"(?:\s+[^\W\d]+){{0,2}}{_BOUND_AFTER.pattern}")
_RATE = _rule(
    r"(?:\s+|(?=[%/]))(?:each\b|apiece\b|(?:for )?(?:each|every) \w+|per \w+|/\s?\w+|%"
    r"|an? (?:hour|day|night|week|month|year|term|person|head|piece|time|metre|kilometre|mile)\b)"
)
_UNIT = _rule(  # of a number that the span ends with, then the day that it counts from or to
    r"(?:(?<=\w)\s+(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|per ?cent|percent|euros?"
    r"|dollars?|pounds|EUR|USD|GBP|CHF|metres?|meters?|km|kg|grams?|kilos?|litres?|degrees?|times)\b)"
    r"|(?:(?<=minutes)|(?<=hours)|(?<=days)|(?<=weeks)|(?<=months)|(?<=years))"
    r"(?:\s+(?:before|after|from)\b[^,;:.()–—]*?(?=[,;:.()–—]|\s(?:and|or|but)\s|\Z))",
)
_UNIT_LAST = re.compile(r"\b(?:minutes|hours|days|weeks|months|years)\Z")
_STARTS_DENIED = _rule(r"(?:not|never|no longer)\b")
_VERB_BEFORE = _rule(
    r"\b(?:may|must|can|could|shall|should|will|would|is|are|was|were|do|does|did|has|have|had|need)\s+\Z"
)
_BEFORE = _rule(  # right before the span
    r"\b(?:only|not|never|no longer|not (?:before|until)|if|unless|except|without)(?:\s+(?:on|in|at|from|by|for|to))?"
    r"(?:\s+(?:an?|the))?\s+\Z"
)
_BEFORE_NUMBER = _rule(
    rf"\b(?:{_BOUND}|\w+er than|nearly|almost|about|around|roughly|approximately|till|before|after|since|by|between)"
    r"(?:\s+(?:an?|the))?(?:\s+\w+ of)?\s+\Z"
)
_OF_A_CONDITION = _rule(r"(?:above|below|beyond)\b")
_CONDITION_FIRST = _rule(
    r"(?:\A|[.;:(–—]\s*|\b(?:and|but)\s)(?P<condition>(?:if|unless|except|only|without|provided|as long as|until)\b)"
)
_CLAUSE_START = _rule(r"[,;:.!?](?=\s)|[()\[\]–—]|\s-\s|\b(?:and|but|who|which|that|because)\b")
_CLAUSE_BREAK = re.compile(r"[,;:.!?](?=\s|\Z)|[()\[\]–—]|\s-\s")
_SENTENCE_BREAK = re.compile(r"[.!?](?=\s+\W*[A-Z]|\s*\Z)|;(?=\s)")
_STARTS_WITH_NUMBER = _rule(r"[$€£¥]?\d|(?:an?|the|one)\b")
_MARKED = re.compile(r"(?:\A|\n)[ \t]*>")
_POLAR = re.compile(
    r"(?:.*[.,;:]\s*|(?:and|so|but|please)\s+)?(?:is|are|was|were|am|do|does|did|can|could|may|must|shall|should|will"
    r"|would|has|have|had|need)n?['’]?t?\s",
    re.IGNORECASE | re.DOTALL,
)


def pick(question: str, text: str, before: str, span: tuple[int, int]) -> tuple[int, int] | None:
    """Where the answer stands in the quoted `text`: of a row one cell, else the reader's `span` in whole words.

    None where no cell of the row can be told to be what is asked for. `before` is what stands before the quote
    (`Quote.before`): of a row its table's header.
    """
    if any(one.start() < span[1] and span[0] < one.end() for one in _STRUCK.finditer(text)):
        return None  # it is struck through
    first, last = _line(text, span[0])
    row = text[first:last]
    if not is_row(row):
        return _whole_words(text, *span)
    cell = _cell(question, row, header_above(row, before), (span[0] - first, span[1] - first))
    return (cell.start + first, cell.end + first) if cell else None


def short_answer(question: str, text: str, picked: tuple[int, int]) -> tuple[int, int] | None:
    """What `pick` found, grown by what limits it; None where that would exceed MOST_CHARS.

    None, too, where marks of quoted mail stand inside it, or where the sentence that it hangs on denies it.
    """
    first, last = _line(text, picked[0])
    if not is_row(text[first:last]):
        found = _with_limits(question, text, picked)
        hidden = found and (_MARKED.search(text, *found) or _is_denied_by_lead(question, text, found[0]))
        return None if hidden else found
    return picked if picked[1] - picked[0] <= CELL_CHARS else None


def _is_denied_by_lead(question: str, text: str, start: int) -> bool:
    """Whether it is part of a list item below a sentence such as "You may not bring:", which the question is not."""
    lead = re.search(r":\s*\n", text)
    return (
        lead is not None
        and lead.end() <= start
        and _DENIED_BEFORE.search(text, 0, lead.start()) is not None
        and not _asks_denied(question)
    )


def names_asked(question: str, row: str) -> bool:
    """Whether the row has a content word of the question."""
    return bool(set(words.content_words(question)) & set(words.content_words(row)))


def is_called(question: str, row: str) -> bool:
    """Whether the question has all words of the row's first cell."""
    return bool(label := _label(row)) and label <= set(words.content_words(question))


def _label(row: str) -> set[str]:
    """The words of the row's first cell that is not empty."""
    first = next((one for one in cells(row, None) if one.start < one.end), None)
    return set(words.content_words(row[first.start : first.end])) if first else set()


def _line(text: str, at: int) -> tuple[int, int]:
    """The interval of the line that holds this place."""
    end = text.find("\n", at)
    return text.rfind("\n", 0, at) + 1, end if end >= 0 else len(text)


def _cell(question: str, row: str, header: str | None, span: tuple[int, int]) -> Cell | None:
    """The cell whose header fits the question best; of several, or of none that fits, the one that the span lies in.

    A cell that the question itself names is not asked for, and of a row of which it names nothing no cell is.
    """
    asked = words.asked_for(question) | set(words.words(question)) & SMALL_NAMES
    columns = [one for one in cells(row, header) if one.start < one.end]
    said = {one: set(words.content_words(row[one.start : one.end])) for one in columns}
    named = set(words.content_words(question))
    open_ = [
        one
        for one in columns
        if not (said[one] and said[one] <= named) and any(said[other] & named for other in columns if other != one)
    ]
    fits = {one: _fit(asked, one.name) for one in open_}
    best = max(fits.values(), default=0.0)
    fitting = [one for one in open_ if fits[one] == best]
    fitting = _head(question, fitting) if best else fitting
    if best == 0 or len(fitting) > 1:
        fitting = [one for one in fitting if one.start <= span[0] and span[1] <= one.end]
    return fitting[0] if len(fitting) == 1 else None


def _head(question: str, fitting: list[Cell]) -> list[Cell]:
    """Of two columns that the question names in one breath the later: of a "meter reading" the reading is asked for."""
    spoken = words.content_words(question)
    for one in fitting:
        for other in fitting:
            if words.content_words(f"{one.name} {other.name}") in _runs(spoken, 2) and one is not other:
                return [other]
    return fitting


def _runs(spoken: list[str], length: int) -> list[list[str]]:
    return [spoken[at : at + length] for at in range(len(spoken) - length + 1)]


def _fit(asked: set[str], name: str) -> float:
    """The share of the header's words that the question has, in any form (teaches, teacher)."""
    keys = words.asked_for(name) or set(words.words(name)) & SMALL_NAMES
    return sum(any(_same(key, other) for other in asked) for key in keys) / len(keys) if keys else 0.0


def _same(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= 4 and not short.isdigit() and long.startswith(short))


def _with_limits(question: str, text: str, span: tuple[int, int]) -> tuple[int, int] | None:
    """The span grown by what limits it; None where it would exceed MOST_CHARS."""
    start, end = span
    says_nothing = not words.content_words(text[start:end]) and not _names_something(text[start:end])
    if says_nothing or _is_polar(question):
        end = max(end, _next_break(_CLAUSE_BREAK, text, end))
    grown = (start, end)
    while True:
        grown = _grown_left(question, text, *_grown_right(question, text, *grown))
        if grown == (start, end):
            break
        start, end = grown
    start, end = _trimmed(text, start, end)
    kept = (start, end) == _trimmed(text, *span)
    return (start, end) if start < end and (kept or end - start <= MOST_CHARS) else None


def _grown_right(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """Behind it: what it is counted by, a bound, a condition, an exception or a negation."""
    piece = text[start:end]
    has_number = re.search(r"\d", piece) is not None
    unit = _UNIT.match(text, end) if _ends_with_number(piece) or _UNIT_LAST.search(piece) else None
    if unit:
        return start, unit.end()
    noun = re.compile(r"\s+([^\W\d]+)").match(text, end) if _ends_with_number(piece) else None
    if noun and set(words.content_words(noun[1])) & set(words.content_words(question)):
        return start, noun.end()
    rate = _RATE.match(text, end) if has_number else None
    if rate:
        return start, rate.end()
    plain = not has_number and piece == piece.lower()
    bound = (_BOUND_SOON if plain else _BOUND_AFTER).match(text, end)
    if bound:
        return start, _next_break(_CLAUSE_BREAK, text, bound.end())
    denied = _DENIED_AFTER.match(text, end)
    if denied and not _asks_denied(question):
        return start, _next_break(_CLAUSE_BREAK, text, denied.end())
    stop = _next_break(_SENTENCE_BREAK, text, end)
    for limit in _LIMIT_AFTER.finditer(text, end, stop):
        if not _is_asked(question, text[limit.start() : stop], limit["condition"]):
            return start, stop
    following = re.compile(r"[.!?]\s+").match(text, stop)
    if following and words.CLINGING.match(text, following.end()):
        return start, _next_break(_SENTENCE_BREAK, text, following.end())
    return start, end


def _grown_left(question: str, text: str, start: int, end: int) -> tuple[int, int]:
    """Before it: a bound of its number, a negation in its clause, a condition that its sentence begins with."""
    near = _BEFORE.search(text, 0, start)
    if near is None and _STARTS_DENIED.match(text, start, end):
        near = _VERB_BEFORE.search(text, 0, start)
    if near is None and _is_number(text[start:end]):
        near = _BEFORE_NUMBER.search(text, 0, start)
    clause = max((match.end() for match in _CLAUSE_START.finditer(text, 0, start)), default=0)
    clause += len(text[clause:start]) - len(text[clause:start].lstrip())
    if near:  # a number that something holds above is not what holds
        return (clause if _OF_A_CONDITION.match(near[0]) else near.start()), end
    denied = None if _asks_denied(question) else _last(_DENIED_BEFORE, text, clause, start)
    if denied:
        close = denied["verb"] and len(text[denied.end() : start].split()) <= 3
        return (denied.start() if close else clause), end
    sentence = max((match.end() for match in _SENTENCE_BREAK.finditer(text, 0, start)), default=0)
    condition = _last(_CONDITION_FIRST, text, sentence, start)
    if condition:
        said = text[condition.start("condition") : _next_break(_CLAUSE_BREAK, text, condition.end())]
        if not _is_asked(question, said, condition["condition"]):
            return condition.start("condition"), end
    return start, end


def _is_asked(question: str, said: str, condition: str | None) -> bool:
    """Whether the question puts this condition itself; an exception is never asked for."""
    if condition is None or condition.lower() not in ("if", "as long as", "so long as", "provided", "without"):
        return False
    meant = set(words.content_words(said))
    return bool(meant) and len(meant & set(words.content_words(question))) / len(meant) >= 0.5


def _asks_denied(question: str) -> bool:
    return _DENIED_BEFORE.search(question) is not None


def _is_polar(question: str) -> bool:
    """Whether yes or no is asked for: the answer is a statement, of which a part says nothing."""
    return _POLAR.match(question) is not None and " or " not in question


def _is_number(piece: str) -> bool:
    first = piece.split()[0] if piece.split() else ""
    return bool(_STARTS_WITH_NUMBER.match(piece)) or bool(words.numbers(first) or _is_time(first))


def _ends_with_number(piece: str) -> bool:
    """Whether it ends with a number that is no year, time or price: its unit may follow."""
    last = (piece.split() or [""])[-1]
    return bool(words.numbers(last)) and not words.years(last) and not re.search(r"[:$€£¥%]", last)


def _is_time(word: str) -> bool:
    return words.fold(word.strip(".,")) in _TIMES


_TIMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday"
    " thursday friday saturday sunday noon midnight sunrise sunset".split()
)


def _names_something(piece: str) -> bool:
    """Whether there is a number or a word that is more than a link between words: a name of one letter, “once”."""
    return any(word not in words.FUNCTION_WORDS or word in ("once", "all", "both") for word in words.words(piece))


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    while start and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end


def _next_break(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Where the clause or sentence that goes on at `start` ends, before its mark."""
    match = pattern.search(text, start)
    return match.start() if match else len(text)


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    found: Sequence[re.Match[str]] = list(pattern.finditer(text, start, end))
    return found[-1] if found else None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without white space and marks at its ends; with the bracket that closes one inside it."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip(" \t\r\n,;:>"))
    end = start + len(text[start:end].rstrip(" \t\r\n,;:"))
    if text[start:end].endswith(".") and not re.search(r"\b\w\.\w?\.\Z", text[start:end]):
        end -= 1
    if text[start:end].count("(") > text[start:end].count(")") and text[end : end + 1] == ")":
        end += 1
    return start, end
