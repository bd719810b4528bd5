"""Which quotes disagree, with each other or with the question, and which of them is dated later. Pure.

A conflict that is none misleads more than one that is missed: two statements disagree only where both speak of what is
asked, of the same thing, and in the same unit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qa import words
from qa.dates import in_force_from, named_date
from qa.rows import Cell, cells, header_above, is_row
from qa.schema import Quote

ALIKE = 0.5  # statements that share this much of the shorter one's content words speak of the same thing
SAME_RULE = 0.75  # of the longer one's words: two forms of one sentence, of which one denies the other


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """An answer inside a quote, word for word, and the number of the part of the question that it answers.

    `short` is what of the quote may be printed large for it, None where nothing may.
    """

    part: int
    text: str
    short: str | None = None


def find_conflicts(
    question: str, quotes: Sequence[Quote], answers: Sequence[AnswerSpan | None] = ()
) -> tuple[tuple[int, int], ...]:
    """Pairs of quote numbers (from 1; 0 is the question) that give different values for the same thing.

    `answers` are what the quotes were made for, None where one has none of its own.
    """
    spans = [*answers, *[None] * (len(quotes) - len(answers))]
    claimed = _without_identifiers(question)
    denied = [(0, number) for number, quote in enumerate(quotes, 1) if disagree(claimed, quote.text)]
    asked = [one for one in range(len(quotes)) if _is_of_the_year(question, quotes[one])]
    return tuple(denied) + tuple(
        (one + 1, other + 1)
        for one in asked
        for other in asked
        if one < other
        and _speak_of_the_same(question, quotes[one], quotes[other])
        and _differ(quotes[one], spans[one], quotes[other], spans[other])
    )


def _without_identifiers(question: str) -> str:
    """The question without numbers that say which one is meant: room 305, the bus 61, form 12. They measure nothing.

    Such a number stands behind a noun, and that behind a word that opens a phrase. A verb can stand there too ("to pay
    12 euros"), so words that verbs follow do not count.
    """

    def kept(match: re.Match[str]) -> str:
        return match[0] if words.words(match["noun"])[-1] in words.FUNCTION_WORDS else match["noun"]

    return _IDENTIFIER.sub(kept, question)


def is_later(one: Quote, other: Quote) -> bool:
    """Whether the dates tell that `one` is the later; a year and a day of that year do not."""
    date, other_date = date_of(one) or "", date_of(other) or ""
    known = min(len(date), len(other_date))
    return date[:known] > other_date[:known]


def date_of(quote: Quote) -> str | None:
    """From when on what is quoted holds: a date that it states itself, its heading's, its document's, its title's.

    At last that of the file's name. Partial dates stay partial.
    """
    file = quote.document.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("_", " ")
    file = re.sub(r"(?<!\d)-|-(?!\d)", " ", file)  # prices-2024
    headings = reversed((quote.heading or "").split(" › "))  # the innermost first
    named = (*map(named_date, headings), quote.date, named_date(quote.title), named_date(file))
    return in_force_from(quote.text) or next(filter(None, named), None)


def later_first(quotes: Sequence[Quote], conflicts: Sequence[tuple[int, int]]) -> list[int]:
    """The order, as indices, in which of two quotes that disagree the later stands first; the others as they are."""
    order = list(range(len(quotes)))
    for one, other in ((one - 1, other - 1) for one, other in conflicts if one):
        for later, earlier in ((one, other), (other, one)):
            if is_later(quotes[later], quotes[earlier]) and order.index(earlier) < order.index(later):
                order.remove(later)
                order.insert(order.index(earlier), later)
    return order


def renumbered(conflicts: Sequence[tuple[int, int]], order: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The pairs by the quotes' numbers in this order."""
    numbers = {0: 0} | {index + 1: number for number, index in enumerate(order, 1)}
    pairs = (sorted((numbers[one], numbers[other])) for one, other in conflicts)
    return tuple(sorted((one, other) for one, other in pairs))


def _is_of_the_year(question: str, quote: Quote) -> bool:
    """Whether the quote may be about the years that the question names."""
    years = words.years(question)
    about = words.years(quote.text) or words.years(f"{date_of(quote) or ''} {quote.title} {quote.heading}")
    return not years or not about or bool(years & about)


def _speak_of_the_same(question: str, one: Quote, other: Quote) -> bool:
    """Whether the two name the same of what is asked, but for one word or less than half.

    A row says what its header names without naming it: it may name less. Where neither names anything: whether they
    are alike.
    """
    asked = _statement(question)
    named, other_named = asked & _statement(one.text), asked & _statement(other.text)
    if not named | other_named:
        return not asked or _are_alike(one.text, other.text)
    common = len(named & other_named)
    apart = len(asked & (_statement(f"{one.text} {_header(one)}") ^ _statement(f"{other.text} {_header(other)}")))
    less = (is_row(one.text) and named <= other_named) or (is_row(other.text) and other_named <= named)
    return common > 0 and (common > apart or apart == 1 or less)


def _header(quote: Quote) -> str:
    return header_above(quote.text, quote.before) or ""


def _differ(one: Quote, answer: AnswerSpan | None, other: Quote, other_answer: AnswerSpan | None) -> bool:
    """Whether the two quotes say different things, by their answers or by the statements as wholes."""
    rows = is_row(one.text), is_row(other.text)
    if all(rows) and not _are_of_one_column(one, answer, other, other_answer):
        return False
    if _answers_differ(one.text, answer, other.text, other_answer):
        return True
    return not any(rows) and (disagree(one.text, other.text) or _denies(one.text, other.text))


def _are_of_one_column(one: Quote, answer: AnswerSpan | None, other: Quote, other_answer: AnswerSpan | None) -> bool:
    """Whether two rows are about the same thing: what they are called, and the columns of their answers."""
    column, other_column = _column(one, answer), _column(other, other_answer)
    if column is None or other_column is None:
        return False
    name, other_name = words.asked_for(column.name), words.asked_for(other_column.name)
    return (not name or not other_name or bool(name & other_name)) and _label(one, column) == _label(
        other, other_column
    )


def _column(quote: Quote, answer: AnswerSpan | None) -> Cell | None:
    found = cells(quote.text, _header(quote))
    return next((one for one in found if answer and quote.text[one.start : one.end] == answer.text), None)


def _label(quote: Quote, answer: Cell) -> set[str]:
    """What the row is called: the words of its first cell that is not the answer."""
    first = next((one for one in cells(quote.text, None) if one.start < one.end and one.start != answer.start), None)
    return set(words.content_words(quote.text[first.start : first.end])) if first else set()


def _answers_differ(one: str, answer: AnswerSpan | None, other: str, other_answer: AnswerSpan | None) -> bool:
    """Whether two answers to the same part give different numbers of the same unit.

    That both were read as answers to it stands for their speaking of the same thing, unless the statements around
    them name different years, or different names on both sides.
    """
    if not answer or not other_answer or answer.part != other_answer.part:
        return False
    if _means_another(one, answer.text, other, other_answer.text):
        return False
    (kind, values), (other_kind, other_values) = _values(answer.text), _values(other_answer.text)
    units, other_units = _units_of(values, one), _units_of(other_values, other)
    comparable = kind == other_kind and (bool(units & other_units) or not (units or other_units))
    return bool(values and other_values) and not values & other_values and comparable


def _values(text: str) -> tuple[str, set[float]]:
    """Times of day in minutes, else numbers in digits, words or ordinals, else days of the week; and which they are."""
    times = {float(60 * int(match["hour"]) + int(match["minute"])) for match in _TIME.finditer(text)}
    days = {float(at) for at, day in enumerate(_WEEKDAYS) if day in words.content_words(text)}
    kinds = {"time": times, "number": words.numbers(text) | words.ordinals(text), "weekday": days}
    return next(((kind, found) for kind, found in kinds.items() if found), ("", set()))


def _units_of(values: set[float], text: str) -> set[str]:
    """The units that the text gives these values in."""
    return {unit for unit, given in _units(text).items() if given & values}


def _means_another(one: str, answer: str, other: str, other_answer: str) -> bool:
    named, other_named = _name_words(one) - _name_words(answer), _name_words(other) - _name_words(other_answer)
    years, other_years = words.years(one) - words.years(answer), words.years(other) - words.years(other_answer)
    return _name_others(named, one, other_named, other) or bool(years and other_years and not years & other_years)


def disagree(one: str, other: str) -> bool:
    """Whether two statements of the same thing name different numbers of the same unit, or different dates.

    Different years, or different names on both sides, mean two things rather than one that is disputed.
    """
    years, other_years = words.years(one), words.years(other)
    if _name_others(_name_words(one), one, _name_words(other), other):
        return False
    if (years and other_years and not years & other_years) or not _are_alike(one, other):
        return False
    units, other_units = _units(one), _units(other)
    return any(not units[unit] & other_units[unit] for unit in units.keys() & other_units.keys())


def _name_others(named: set[str], one: str, other_named: set[str], other: str) -> bool:
    """Whether each names somebody or something that the other does not speak of; a sentence's first word is no name."""
    return bool(named - set(words.content_words(other)) and other_named - set(words.content_words(one)))


def _are_alike(one: str, other: str) -> bool:
    said, other_said = _statement(one), _statement(other)
    return bool(said and other_said) and len(said & other_said) / min(len(said), len(other_said)) >= ALIKE


def _denies(one: str, other: str) -> bool:
    """Whether the two are forms of one sentence of which one is denied: "may be taken along", "may not be …"."""
    said, other_said = _statement(one), _statement(other)
    longer = max(len(said), len(other_said))
    denied, other_denied = _DENIED.search(one), _DENIED.search(other)
    return longer > 1 and len(said & other_said) / longer >= SAME_RULE and bool(denied) != bool(other_denied)


def _statement(text: str) -> set[str]:
    found = words.content_words(_DENIED.sub(" ", text.replace("-", " ")))
    return {word for word in found if not word[0].isdigit()}


def _name_words(text: str) -> set[str]:
    return {word for name in words.names(text) for word in words.content_words(name)}


_DENIED = re.compile(r"\b(?:not|never|no|nobody|cannot|no longer|without)\b|\b\w+n['’]t\b", re.IGNORECASE)
_WEEKDAYS = [words.stem(day) for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")]
_TIME = re.compile(r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?![\d:])")
_IDENTIFIER = re.compile(
    r"(?P<noun>(?:\A|\b(?:the|a|an|this|that|in|on|at|of|for|from|by|with|about|can|does|do|is|are|was|were|has|have|which"
    r"|did|will|near|behind|to the|and|or|between)\s+)[^\W\d_]+)\s+(?:no\.?\s*|number\s+|#)?\d+[a-z]?"
    r"(?![\d.,:%$€£]*[\d%$€£])(?!\s*(?:%|per ?cent\b|(?:euros?|dollars?|pounds|seconds?|minutes?|hours?|days?|weeks?"
    r"|months?|years?|times|metres?|meters?|kilometres?|km|kg|grams?|kilos?|litres?|degrees?)\b))",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"(?P<sign>[$€£¥])?(?P<number>\d[\d.,]*)(?::(?P<minute>[0-5]\d))?(?:\s?(?P<percent>%|percent\b|per cent\b))?"
    r"(?P<after>(?:[\s-]+[^\W\d]+){0,3})"
)


def _units(text: str) -> dict[str, set[float]]:
    """Unit (currency sign, percent, or one of the words right behind a number) → the values given in it.

    Of the three words behind a number those before the first function word: 5 days of leave are days.
    """
    units: dict[str, set[float]] = {}
    for match in _QUANTITY.finditer(words.in_digits(text)):
        values = _values(match[0])[1] - {float(year) for year in words.years(match["number"])}
        named = [match["sign"]] if match["sign"] else ["%"] if match["percent"] else _first_words(match["after"])
        for unit in ["clock"] if match["minute"] else named:
            units.setdefault(unit, set()).update(values)
    return {unit: values for unit, values in units.items() if values}


def _first_words(text: str) -> list[str]:
    found = words.words(text)
    stop = next((at for at, word in enumerate(found) if word in words.FUNCTION_WORDS), len(found))
    return words.content_words(" ".join(found[:stop]))
