"""How people write questions: one normal form for all sources, variations, and changes after which nothing answers.

Pure: every function of chance takes the `Random` that it draws from. Forms apply to answerable and unanswerable
questions alike; a swap changes what is asked.
"""

import re
from collections.abc import Iterator
from random import Random

from qa.words import FUNCTION_WORDS, fold, names, numbers, words

DROPPED = frozenset("a an the is are was were be been do does did has have had that of to".split())  # terse questions
KEYS = {
    **{a: b for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for a, b in zip(row, row[1:] + row[-2], strict=True)},
}
STATEMENTS = (
    "I want to know {}",
    "Tell me {}",
    "I would like to know {}",
    "Please tell me {}",
    "I need to know {}",
    "Find out {}",
    "I am looking for an answer to this: {}",
)
WRAPS = (
    "Hi, I have been reading through all of this for a while and could not find it: {} Thank you!",
    "My colleague asked me this morning and I did not know what to say, so here it is. {}",
    "Sorry to bother you again, but one thing is still not clear to me. {}",
    "{} I need it for a report that is due tomorrow, so an exact answer would help.",
    "For a talk that I am preparing: {} Please quote the source.",
    "I think that I read it somewhere in these documents, but I cannot remember. {}",
    "Before we decide anything, could somebody check this for me? {}",
)
MONTHS = "January February March April May June July August September October November December".split()
_SERIES: tuple[tuple[str, ...], ...] = (
    tuple(MONTHS),
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    ("first", "second", "third", "fourth", "fifth", "sixth", "last"),
    ("north", "south", "east", "west"),
    ("northern", "southern", "eastern", "western"),
    ("red", "blue", "green", "yellow", "black", "white"),
)
_SIDES = (
    "before after|largest smallest|highest lowest|most least|more fewer|male female|men women|increase decrease"
    "|increased decreased|won lost|win lose|oldest youngest|maximum minimum|left right|begin end|began ended|start end"
    "|started ended|above below|inside outside|import export|imports exports|buy sell|bought sold|legal illegal"
    "|accepted rejected|allowed forbidden|upper lower|long short|longest shortest|rise fall|rose fell|early late"
    "|public private|internal external|major minor|positive negative|greater smaller|higher lower|larger smaller"
    "|supported opposed|support oppose|approved rejected|arrive leave|arrived left|gained lost|born buried|husband wife"
    "|father mother|son daughter|brother sister|king queen|attack defend|strongest weakest|best worst|rich poor"
)
_OPPOSITE = {a: b for pair in _SIDES.split("|") for a, b in (pair.split(), pair.split()[::-1])}
_WORD_SERIES = {fold(word): series for series in _SERIES for word in series}
HEADINGS = (
    "Overview Introduction Background History Details Summary General Definitions Scope Procedure Notes Examples"
    " Exceptions Appendix Contact Requirements Results Discussion Rules Responsibilities FAQ"
).split()
_STATEMENT = re.compile(
    r"(?P<subject>(?:(?:The|A|An|All|Most|Many|Every|Each|No) )?(?:[\w’'-]+ ){1,6}?)"
    r"(?P<verb>is|are|was|were|can|must|may|will|has|have|had|should|could|would|cannot) (?P<rest>[^;:()]{12,110})\.",
)
_POINTING = frozenset(
    "it he she they this that these those there we you i who which what when where while if as".split()
)
_PARTICIPLE = re.compile(r"(?:been|not|never|also|since|already)\b|\w+(?:ed|en|wn|ght|ne|ld|de|it|ut|pt)\b")
_AUXILIARY = re.compile(r"\b(is|are|was|were|do|does|did|has|have|had|could|would|should)\b(?! not\b)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d)")
_YEAR = re.compile(r"1[0-9]\d\d|20[0-9]\d")


def normalise(question: str) -> str:
    """The question with uniform spaces, quote marks and dashes, and one question mark at its end."""
    text = question.translate(_SIGNS).replace("``", '"').replace("''", '"')
    text = re.sub(r"\s+([?!,.;:)%\]])", r"\1", text)
    text = re.sub(r"([(\[$#])\s+", r"\1", text)
    text = re.sub(r"\s+('(?:s|re|ve|ll|d|m)\b|n't\b)", r"\1", text)
    text = re.sub(r"(?<=\w)\s*([-/&])\s*(?=\w)", r"\1", text)
    text = " ".join(text.replace('"', " ").split()) if text.count('"') % 2 else _tight_quotes(text)
    text = re.sub(r"[\s?!.:;,/>]+$", "", text)
    return text + "?" if text else ""


def _tight_quotes(text: str) -> str:
    """Removes the spaces inside quote marks and puts one outside."""
    parts = [" ".join(part.split()) for part in text.split('"')]
    joined = "".join(f' "{part}" ' if number % 2 else part for number, part in enumerate(parts))
    return re.sub(r"\s+([?!,.;:)]|'s\b)", r"\1", " ".join(joined.split()))


_SIGNS = str.maketrans(
    {**dict.fromkeys("‘’‚‛´`ʼ′", "'"), **dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‐‑‒–—−", "-")}
) | {ord("`"): "`"}


def vary(question: str, random: Random, *, wrap: bool = True) -> str:
    """The question as somebody else would type it: about four in ten are changed."""
    shape = random.random()
    if wrap and shape < 0.04:
        question = random.choice(STATEMENTS).format(question[:1].lower() + question[1:])
    elif wrap and shape < 0.07:
        question = random.choice(WRAPS).format(question)
    elif wrap and shape < 0.11:
        question = terse(question)
    if random.random() < 0.15:
        question = question.replace("?", "").rstrip()
    if random.random() < 0.06:
        question = mistype(question, random, count=1 + (random.random() < 0.4))
    return question.lower() if random.random() < 0.1 else question


def terse(question: str) -> str:
    """Without the words that a search box does not need; at least two words stay."""
    kept = [word for word in question.split() if word.lower().strip("?,") not in DROPPED]
    return " ".join(kept) if len(kept) >= 2 else question


def mistype(question: str, random: Random, *, count: int = 1) -> str:
    """With `count` slips (a neighbouring key; a letter lost, doubled, swapped) in words of four letters or more."""
    for _ in range(count):
        places = list(re.finditer(r"[A-Za-z]{4,}", question))
        if not places:
            return question
        word = random.choice(places)
        at = random.randrange(word.start() + 1, word.end() - 1)
        letter, behind = question[at], question[at + 1]
        slip = random.choice(
            (KEYS.get(letter.lower(), letter) + behind, behind, letter + letter + behind, behind + letter)
        )
        question = question[:at] + slip + question[at + 2 :]
    return question


def polar(sentence: str) -> str | None:
    """A plain statement as a question of yes or no: "The gate is locked at ten." → "Is the gate locked at ten?"

    None where its build is not plainly subject, auxiliary, rest; what points elsewhere asks nothing by itself.
    """
    match = _STATEMENT.fullmatch(sentence.strip())
    if match is None or _POINTING & set(match["subject"].lower().split()) or "," in match["subject"]:
        return None
    verb, subject, rest = match["verb"], match["subject"].strip(), match["rest"]
    if verb in ("has", "have", "had") and not _PARTICIPLE.match(rest):
        return None  # "The club has a bar" wants "does"
    if verb == "cannot":
        verb = "can"
    first, _, more = subject.partition(" ")
    if first in ("The", "A", "An", "All", "Most", "Many", "Every", "Each", "No"):
        subject = f"{'any' if first == 'No' else first.lower()} {more}"
    return f"{verb.capitalize()} {subject} {rest}?"


def some_heading(random: Random) -> str:
    """A heading, or a path of two headings, that fits any text."""
    shape = random.random()
    one, other = random.sample(HEADINGS, 2)
    numbered = f"{random.randint(1, 12)}. {one}" if shape < 0.3 else one
    return f"{numbered} › {other}" if shape > 0.7 else numbered


def swaps(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    """Questions that ask for something else: one detail that stands in `text` replaced by one that `context` lacks.

    `context` is all that the reader will see (title included) and what the passage says besides; `others` are names
    to draw from. Each question is another one than the given; nothing comes where nothing can be swapped safely.
    """
    makers = [_swap_number, _swap_series, _swap_side, _swap_name]
    random.shuffle(makers)
    if random.random() < 0.15:
        makers.insert(0, _negate)
    for maker in makers:
        yield from maker(question, text, context, others, random)


def _swap_number(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    evidence, known = numbers(text), numbers(context)
    for match in _NUMBER.finditer(question):
        value = float(match[0].replace(",", ""))
        if value not in evidence:
            continue
        for _ in range(8):
            if _YEAR.fullmatch(match[0]):
                other = int(value) + random.choice((-1, 1)) * random.choice((1, 2, 3, 5, 7, 10, 12, 20, 40))
            else:
                other = max(1, round(value * random.choice((0.3, 0.5, 0.8, 1.1, 1.5, 2, 3))) + random.choice((0, 1, 2)))
            if other != value and float(other) not in known:
                shown = f"{other:,}" if "," in match[0] else str(other)
                yield question[: match.start()] + shown + question[match.end() :]
                break


def _swap_series(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    evidence, known, values = set(words(text)), set(words(context)), numbers(context)
    for match in re.finditer(r"[A-Za-z]+", question):
        series = _WORD_SERIES.get(match[0].lower())
        if series is None or match[0].lower() not in evidence or (match[0] == "may"):
            continue
        rest = [member for member in series if fold(member) not in known and not numbers(member) & values]
        if rest:
            other = random.choice(rest)
            shown = other if match[0][0].isupper() else other.lower()
            yield question[: match.start()] + shown + question[match.end() :]


def _swap_side(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    evidence, known = set(words(text)), set(words(context))
    for match in re.finditer(r"[A-Za-z]+", question):
        other = _OPPOSITE.get(match[0].lower())
        if other and match[0].lower() in evidence and other not in known:
            yield question[: match.start()] + other + question[match.end() :]


def _swap_name(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    evidence, known = set(words(text)), set(words(context))
    for name in names(question):
        if not set(words(name)) <= evidence or name == question.split()[0]:
            continue
        rest = [
            other
            for other in others
            if not set(words(other)) & known - FUNCTION_WORDS and other.lower() != name.lower()
        ]
        if rest:
            yield question.replace(name, random.choice(rest), 1)


def _negate(question: str, text: str, context: str, others: list[str], random: Random) -> Iterator[str]:
    match = _AUXILIARY.search(question)
    if match and match.start() and not re.search(r"\b(?:not|no|never|without)\b|n't", text + question):
        yield question[: match.end()] + "n't" + question[match.end() :]


def some_date(random: Random) -> str:
    """An ISO date of the last three decades, partial in four of ten."""
    year, month, day = random.randint(1996, 2026), random.randint(1, 12), random.randint(1, 28)
    shape = random.random()
    return f"{year}" if shape < 0.25 else f"{year}-{month:02}" if shape < 0.4 else f"{year}-{month:02}-{day:02}"


def ask_about(question: str, date: str, random: Random) -> str:
    """The question with the date's year, or its month and year, as part of what is asked."""
    year, month = date[:4], int(date[5:7] or 0)
    when = f"in {MONTHS[month - 1]} {year}" if month and random.random() < 0.5 else f"in {year}"
    if random.random() < 0.25:
        return f"{when[:1].upper()}{when[1:]}, {question[:1].lower()}{question[1:]}"
    return f"{question.rstrip('?')} {when}?"


def other_date(question: str, random: Random) -> str:
    """A date that does not agree with the year or month that `ask_about` put into the question."""
    asked = re.findall(r"(?:(\w+) )?((?:19|20)\d\d)", question)[-1]
    month = MONTHS.index(asked[0]) + 1 if asked[0] in MONTHS else 0
    while True:
        date = some_date(random)
        if month and random.random() < 0.3:  # the year agrees, the month does not
            date = f"{asked[1]}-{random.randint(1, 12):02}" + random.choice(("", "-15", "-03"))
        elif random.random() < 0.4:  # a neighbouring year is the harder case
            date = f"{int(asked[1]) + random.choice((-2, -1, 1, 2))}{date[4:]}"
        if date[:4] != asked[1] or (month and date[5:7] and int(date[5:7]) != month):
            return date
