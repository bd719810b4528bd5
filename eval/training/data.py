"""`Corpus` → training examples. Pure, seeded, no torch.

    corpus = load(TRAIN_DIR, token_ends)
    examples = block(corpus, number, seed=1)    # BLOCK examples; the same for the same corpus, number and seed

What is asked and whether it is answered come from the pairs or from changes that turn the answer by construction:
another passage, the answer's sentence taken out, a detail swapped, a date that does not agree. `weight` is below 1
where the label is automatic.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from eval.training import chat, forms, planted, synonyms
from eval.training import made_tables as tables
from eval.training.pairs import CharSpan, Corpus, Pair, TrainingPassage, word_before
from qa.errors import QAError
from qa.text import shorten
from qa.words import content_words, fold, names, words, years

QUOTAS = {  # of the examples in a block
    "answer": 624,
    "unanswerable": 400,
    "hardneg": 112,
    "elsewhere": 48,
    "removed": 48,
    "swap": 80,
    "offtopic": 24,
    "chat": 24,
    "dated": 24,
    "misdated": 24,
    "table": 80,
    "untabled": 48,
    "polar": 40,
    "unsaid": 24,
}
POSITIVE = ("answer", "found", "dated", "table", "polar")
FROM_SEARCH = {
    "answer": 496,
    "found": 128,
    "hardneg": 32,
    "elsewhere": 16,
    "mined": 112,
}  # in place of these, when pairs from the search are given
WEIGHTS = {"mined": 0.6, "hardneg": 0.6, "elsewhere": 0.5, "removed": 0.7, "swap": 0.8, "polar": 0.7, "unsaid": 0.7}
BLOCK = sum(QUOTAS.values())
OPTIONAL = sorted({*QUOTAS, *FROM_SEARCH} - {"answer", "unanswerable"})
PLANTED = 0.05  # of all passages get a sentence that gives orders to a program
REWORDED = 0.5  # of the questions may get synonyms; one question in four has a word that can be replaced
HEADED = 0.12  # of the passages without a heading get a general one (Overview, Details, …)
SHEET_CHARS = 420  # a longer table would be cut by the slicer
_TIME = re.compile(
    r"\b(?:1[0-9]\d\d|20\d\d)s?\b|\b(?:" + "|".join(forms.MONTHS) + r")\b"
    r"|\b(?:when|year|years|date|dates|century|decade|today|now|currently|recent|recently|ago|month|day|time)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Example:
    """What the reader reads and should answer; `span` is an interval of `text`, None when nothing is answered."""

    question: str
    title: str
    date: str
    text: str
    answerable: bool
    span: CharSpan | None
    kind: str
    weight: float = 1.0
    heading: str = ""  # the path that the passage stands under
    denies: bool = False  # whether the passage denies what the question takes for granted


def block(corpus: Corpus, number: int, *, seed: int, without: Collection[str] = ()) -> list[Example]:
    """The examples of block `number`, shuffled; each kind has an order of its own in each epoch.

    `without`: OPTIONAL kinds to do without, and "forms" for questions without slips and other shapes; see `quotas`.
    """
    made = []
    for kind, quota in quotas(without, mined="mined" in corpus.pairs).items():
        pool = pool_of(corpus, kind)
        for place in range(number * quota, (number + 1) * quota):
            random = Random(f"{seed}:{kind}:{place}")
            epoch, at = divmod(place, len(pool))
            varied = "forms" not in without
            pair = pool[_order(len(pool), f"{seed}:{kind}:{epoch}")[at]]
            example = make(corpus, pair, kind, random, varied=varied)
            for _ in range(200):
                if example:
                    break
                example = make(corpus, random.choice(pool), kind, random, varied=varied)
            if example:
                made.append(example)
    Random(f"{seed}:{number}").shuffle(made)
    return made


def quotas(without: Collection[str], *, mined: bool) -> dict[str, int]:
    """Examples of each kind in a block. A kind that is left out gives its share to the plain kind with its label."""
    kept = QUOTAS | FROM_SEARCH if mined else dict(QUOTAS)
    for kind in set(without) & kept.keys():
        kept["answer" if kind in POSITIVE else "unanswerable"] += kept.pop(kind)
    return kept


@lru_cache(maxsize=32)
def _order(size: int, key: str) -> list[int]:
    order = list(range(size))
    Random(key).shuffle(order)
    return order


def make(
    corpus: Corpus, pair: Pair, kind: str, random: Random, *, plain: bool = False, varied: bool = True
) -> Example | None:
    """One example of `kind` from the pair, or None when the pair does not allow it.

    `varied` gives the question another form now and then; `plain` leaves that out, and what else is put in at random.
    """
    passage = corpus.passages[pair.passage]
    example = _MAKERS[kind](corpus, pair, passage, random)
    if example is None:
        return None
    if not plain and not kind.endswith(("table", "tabled")) and random.random() < PLANTED:
        example = _plant(corpus, example, passage, random)
    if not example.title and not example.date:
        example = _head(example, passage, random)
    heading = example.heading
    if not heading and not plain and random.random() < HEADED:
        heading = forms.some_heading(random)
    if not plain and kind != "chat" and random.random() < REWORDED:
        example = replace(example, question=synonyms.reword(example.question, corpus.synonyms, random))
    question = example.question if plain or not varied else forms.vary(example.question, random, wrap=kind != "chat")
    return replace(example, question=question, heading=heading, kind=kind, weight=WEIGHTS.get(kind, 1.0))


def pool_of(corpus: Corpus, kind: str) -> list[Pair]:
    """The pairs that examples of this kind are made from; raises QAError when there are none."""
    source = kind if kind in ("unanswerable", "hardneg", "found", "mined") else "answer"
    if not corpus.pairs.get(source):
        raise QAError(f"no pair of the training data is of the kind {source}; add some, about held-out titles too.")
    return corpus.pairs[source]


def _negative(question: str, text: str) -> Example:
    return Example(question, "", "", text, False, None, "")


def _answer(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), span = random.choice(held)
    place, text = (span[0] - start, span[1] - start), passage.text[start:end]
    if random.random() < 0.08:  # so that a missing sentence alone is no sign of a negative
        text, place = _without_a_bystander(text, place, passage, start, random)
    return Example(pair.question, "", "", text, True, place if pair.has_phrase else None, "")


def _held(pair: Pair, passage: TrainingPassage) -> list[tuple[CharSpan, CharSpan]]:
    """(window, answer span) for each window that holds an answer."""
    return [(w, s) for s in pair.spans for w in passage.windows if w[0] <= s[0] and s[1] <= w[1]]


def _without_a_bystander(
    text: str, span: CharSpan, passage: TrainingPassage, offset: int, random: Random
) -> tuple[str, CharSpan]:
    """The window, which begins at `offset`, without one sentence that holds no part of the answer."""
    inside = [(a - offset, b - offset) for a, b in passage.sentences if a >= offset and b <= offset + len(text)]
    others = [(a, b) for a, b in inside if b <= span[0] or a >= span[1]]
    if not others:
        return text, span
    a, b = random.choice(others)
    kept, removed = _take_out(text, a, b)
    moved = removed if b <= span[0] else 0
    return kept, (span[0] - moved, span[1] - moved)


def _take_out(text: str, start: int, end: int) -> tuple[str, int]:
    """The text without the interval and the space behind it, and how many characters that is."""
    behind = len(text) - len(text[end:].lstrip())
    kept = text[:start] + text[behind:]
    return (kept, behind - start) if behind < len(text) else (kept.rstrip(), end - start)


def _best_window(passage: TrainingPassage, question: str, random: Random, *, stray: float) -> CharSpan:
    """The window that shares most words with the question; with probability `stray` any."""
    if random.random() < stray:
        return random.choice(passage.windows)
    wanted = set(content_words(question))
    return max(passage.windows, key=lambda w: (len(wanted & _window_words(passage.text[w[0] : w[1]])), -w[0]))


@lru_cache(maxsize=100_000)
def _window_words(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


def _unanswerable(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    start, end = _best_window(passage, pair.question, random, stray=0.1)
    return _negative(pair.question, passage.text[start:end])


def _elsewhere(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    rest = [(a, b) for a, b in passage.windows if not mentions(passage.text[a:b], pair)]
    if not rest:
        return None
    return _negative(pair.question, passage.text[slice(*random.choice(rest))])


def mentions(text: str, pair: Pair) -> bool:
    """Whether any answer stands in the text, whatever its case and spacing."""
    folded = fold(text)
    return any(fold(answer) in folded for answer in pair.answers) or not pair.answers


def _removed(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), span = random.choice(held)
    inside = [(a, b) for a, b in passage.sentences if a >= start and b <= end and (a >= span[1] or b <= span[0])]
    touched = [(a, b) for a, b in passage.sentences if a < span[1] and span[0] < b]
    if not inside or not touched or touched[0][0] < start or touched[-1][1] > end:
        return None
    text, _ = _take_out(passage.text[start:end], touched[0][0] - start, touched[-1][1] - start)
    return None if mentions(text, pair) else _negative(pair.question, text)


def _swap(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), _ = random.choice(held)
    text, context = passage.text[start:end], f"{passage.title}\n{passage.text}"
    for name in (known := names(pair.question)):
        pools = [corpus.named.get(passage.title, []), corpus.behind.get(word_before(pair.question, name), [])]
        others = [drawn for pool in pools if pool for drawn in random.sample(pool, min(12, len(pool)))]
        break
    else:
        others = []
    allowed = [other for other in others if other not in known]
    asked = next(forms.swaps(pair.question, text, context, allowed, random), None)
    return _negative(asked, text) if asked else None


def _offtopic(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    other = corpus.passages[random.choice(corpus.ids)]
    start, end = random.choice(other.windows)
    if other.title == passage.title or mentions(other.text[start:end], pair):
        return None
    example = _negative(pair.question, other.text[start:end])
    return _head(example, other, random)


def _chat(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    start, end = random.choice(passage.windows)
    topics = [passage.title, *names(pair.question)]
    return _negative(chat.say(random.choice(topics), random), passage.text[start:end])


def _dated(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    """A question about the date in the header: only the header says that the passage is of that time."""
    example = _answer(corpus, pair, passage, random)
    if example is None or _TIME.search(pair.question) or years(example.text) or years(passage.title):
        return None
    date = forms.some_date(random)
    asked = forms.ask_about(pair.question, date, random)
    return replace(example, question=asked, date=date, title=_title(passage, random))


def _misdated(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    example = _dated(corpus, pair, passage, random)
    if example is None:
        return None
    return replace(example, date=forms.other_date(example.question, random), span=None, answerable=False)


def _table(
    corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random, *, answered: bool = True
) -> Example | None:
    """A made-up table, in place of the passage; its proper names are those of the article's questions."""
    names = corpus.named.get(passage.title, [])
    made = tables.sheet(random.sample(names, min(12, len(names))), random, answered=answered)
    if len(made.text) > SHEET_CHARS:
        return None
    example = Example(made.question, made.title, "", made.text, answered, made.span, "", heading=made.heading)
    return example if made.title else replace(example, title=forms.some_heading(random))


def _untabled(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    return _table(corpus, pair, passage, random, answered=False)


def _polar(
    corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random, *, said: bool = True
) -> Example | None:
    """A statement of the passage turned into a question of yes or no; or, unless `said`, the window without it."""
    windows = list(passage.windows)
    random.shuffle(windows)
    for start, end in windows:
        inside = [sentence for sentence in passage.sentences if start <= sentence[0] and sentence[1] <= end]
        asked = [
            (sentence, question) for sentence in inside if (question := forms.polar(passage.text[slice(*sentence)]))
        ]
        if asked:
            (a, b), question = random.choice(asked)
            text = passage.text[start:end]
            if said:
                return Example(question, "", "", text, True, (a - start, b - start), "")
            rest, _ = _take_out(text, a - start, b - start)
            return _negative(question, rest) if len(inside) > 1 else None
    return None


def _unsaid(corpus: Corpus, pair: Pair, passage: TrainingPassage, random: Random) -> Example | None:
    return _polar(corpus, pair, passage, random, said=False)


_MAKERS = {
    "answer": _answer,
    "unanswerable": _unanswerable,
    "hardneg": _unanswerable,
    "found": _answer,
    "mined": _unanswerable,
    "elsewhere": _elsewhere,
    "removed": _removed,
    "swap": _swap,
    "offtopic": _offtopic,
    "chat": _chat,
    "dated": _dated,
    "misdated": _misdated,
    "table": _table,
    "untabled": _untabled,
    "polar": _polar,
    "unsaid": _unsaid,
}


def _plant(corpus: Corpus, example: Example, passage: TrainingPassage, random: Random) -> Example:
    """With an order to a program before one of its sentences or at its end; label and answer stay."""
    other = random.choice(pool_of(corpus, "answer"))
    answer = other.answers[0] if other.answers else "yes"
    order = planted.order(example.question, passage.title, answer, random)
    begun = (example.text.find(passage.text[a:b]) for a, b in passage.sentences)
    places = [at for at in begun if at >= 0 and not (example.span and example.span[0] < at < example.span[1])]
    at = random.choice([*places, len(example.text)])
    put, shift = (f"{order} ", len(order) + 1) if at < len(example.text) else (f" {order}", 0)
    span = example.span
    moved = (span[0] + shift, span[1] + shift) if span and at <= span[0] else span
    return replace(example, text=example.text[:at] + put + example.text[at:], span=moved)


def _head(example: Example, passage: TrainingPassage, random: Random) -> Example:
    """With title and date before the passage; the date says nothing about what is asked, unless both agree."""
    date = forms.some_date(random) if random.random() < 0.65 else ""
    asked = years(example.question) - years(example.text)
    if asked and date:  # a year that the passage does not give: a date of that year is evidence
        year = random.choice(sorted(asked))
        if example.answerable and random.random() < 0.5 and year >= 1900:
            date = f"{year}{date[4:]}"
        else:
            date = "" if example.answerable or int(date[:4]) in asked else date
    return replace(example, title=_title(passage, random), date=date)


def _title(passage: TrainingPassage, random: Random) -> str:
    """The title as documents have it: mostly given, else the first line, a file's name, or nothing."""
    shape = random.random()
    if shape < 0.78 and passage.title:
        return passage.title
    if shape < 0.86:
        return shorten(passage.text.strip().splitlines()[0]) if passage.text.strip() else ""
    if shape < 0.93:
        stem = random.choice(("-", "_", " ")).join(words(passage.title)[:5]) or "document"
        return stem + random.choice((".txt", ".md", ".html", "-notes.txt", "_v2.txt", f" {random.randint(1, 40)}.txt"))
    return ""
