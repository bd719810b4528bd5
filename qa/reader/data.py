"""Question–passage pairs → training examples, cut as the slicer cuts at answer time. Pure, seeded, no torch.

    corpus = load(TRAIN_DIR)
    examples = block(corpus, number, seed=1)    # BLOCK examples; the same for the same corpus, number and seed

What is asked and whether it is answered come from the pairs or from changes that turn the answer by construction:
another passage, the answer's sentence taken out, a detail swapped, a date that does not agree. `weight` is below 1
where the label is automatic.
"""

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

from qa.chunks import TokenEnds, split_document, split_sentences
from qa.documents import shorten, text_sha256
from qa.formats import read_plain
from qa.reader import chat, forms
from qa.schema import Document
from qa.words import content_words, fold, names, words, years

Span = tuple[int, int]
QUOTAS = {  # of the examples in a block
    "answer": 704,
    "unanswerable": 416,
    "hardneg": 112,
    "elsewhere": 64,
    "removed": 64,
    "swap": 96,
    "offtopic": 48,
    "chat": 32,
    "dated": 32,
    "misdated": 32,
}
WEIGHTS = {"hardneg": 0.6, "elsewhere": 0.5, "removed": 0.7, "swap": 0.8}
BLOCK = sum(QUOTAS.values())
FROM_ANSWERABLE = frozenset("answer elsewhere removed swap offtopic chat dated misdated".split())
DEV_PERCENT = 3
_TIME = re.compile(
    r"\b(?:1[0-9]\d\d|20\d\d)s?\b|\b(?:" + "|".join(forms.MONTHS) + r")\b"
    r"|\b(?:when|year|years|date|dates|century|decade|today|now|currently|recent|recently|ago|month|day|time)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage with its sentences and windows, as intervals of its text."""

    id: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    windows: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question asked of a passage; `spans` is where the passage answers it, best first."""

    id: str
    question: str
    passage: str
    answerable: bool
    answers: tuple[str, ...]
    spans: tuple[Span, ...]
    kind: str
    has_phrase: bool  # else the span is a whole sentence: known to hold the answer, not to be it


@dataclass(frozen=True, slots=True)
class Example:
    """What the reader sees and should say; `span` is an interval of `text`, None where it answers nothing."""

    question: str
    title: str
    date: str
    text: str
    answerable: bool
    span: Span | None
    kind: str
    weight: float = 1.0


@dataclass(frozen=True)
class Corpus:
    """Passages by id, pairs by the kind they serve, and names that questions put, to swap from."""

    passages: dict[str, Passage]
    pairs: dict[str, list[Pair]]
    titled: dict[str, list[str]]  # title → passages
    named: dict[str, list[str]]  # title → names in its questions
    behind: dict[str, list[str]]  # word before a name → names


def cut(passage_id: str, title: str, text: str, token_ends: TokenEnds) -> Passage:
    """The passage as the product would index it from a text file."""
    extract = read_plain(text)
    document = Document("", text, text_sha256(text), title, None, None, "utf-8", extract.blocks)
    sentences = split_sentences(document)
    chunks = split_document(text, sentences, token_ends, key="")
    places = tuple((one.start, one.end) for one in sentences)
    return Passage(passage_id, unquote(title).replace("_", " "), text, places, tuple((one.start, one.end) for one in chunks))


def load(source: Path, token_ends: TokenEnds, *, dev: bool = False) -> Corpus:
    """The corpus in `source` (`pairs.jsonl.gz`, `passages.jsonl.gz`) without, or only, its held-out titles."""
    passages = {
        row["id"]: cut(row["id"], row["title"], row["text"], token_ends)
        for row in _rows(source / "passages.jsonl.gz")
        if is_dev(row["title"] or row["id"]) == dev
    }
    pairs: dict[str, list[Pair]] = defaultdict(list)
    named: dict[str, set[str]] = defaultdict(set)
    behind: dict[str, set[str]] = defaultdict(set)
    for row in _rows(source / "pairs.jsonl.gz"):
        passage = passages.get(row["passage"])
        pair = _pair(row, passage) if passage else None
        if passage and pair:
            kind = "answer" if pair.answerable else "hardneg" if pair.kind == "hardneg" else "unanswerable"
            pairs[kind].append(pair)
            for name in names(pair.question):
                named[passage.title].add(name)
                behind[_word_before(pair.question, name)].add(name)
    titled: dict[str, list[str]] = defaultdict(list)
    for one in passages.values():
        titled[one.title].append(one.id)
    pairs |= {kind: pairs["answer"] for kind in FROM_ANSWERABLE}
    return Corpus(
        passages, dict(pairs), dict(titled), {k: sorted(v) for k, v in named.items()}, {k: sorted(v) for k, v in behind.items()}
    )


def is_dev(title: str) -> bool:
    """Whether the title is held out: by hash, so that it stays so when data is added."""
    return int(hashlib.sha256(title.encode()).hexdigest()[:8], 16) % 100 < DEV_PERCENT


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _pair(row: dict[str, Any], passage: Passage) -> Pair | None:
    question = forms.normalise(row["question"])
    spans = find_spans(passage, question, row["answers"] or row["evidence"], row["evidence"]) if row["answerable"] else ()
    if not question or (row["answerable"] and not spans):
        return None
    return Pair(
        row["id"], question, passage.id, row["answerable"], tuple(row["answers"]), spans, row["kind"], bool(row["answers"])
    )


def find_spans(passage: Passage, question: str, answers: Sequence[str], evidence: Sequence[str]) -> tuple[Span, ...]:
    """Where the answers stand: inside the evidence, else where the sentence shares most words with the question."""
    text = passage.text
    proofs = [span for one in evidence for span in _occurrences(text, one)]
    wanted = set(content_words(question))

    def merit(span: Span) -> tuple[bool, bool, int]:
        around = next((text[a:b] for a, b in passage.sentences if a <= span[0] < b), "")
        whole = not (text[span[0] - 1 : span[0]].isalnum() and text[span[0]].isalnum()) and not (
            text[span[1] : span[1] + 1].isalnum() and text[span[1] - 1].isalnum()
        )
        return any(a <= span[0] and span[1] <= b for a, b in proofs), whole, len(wanted & set(content_words(around)))

    found = [max(places, key=merit) for one in answers if (places := _occurrences(text, one))]
    return tuple(found)


def _occurrences(text: str, part: str) -> list[Span]:
    return [(m.start(), m.end()) for m in re.finditer(re.escape(part.strip()), text)] if part.strip() else []


def _word_before(question: str, name: str) -> str:
    before = question[: max(0, question.find(name))].split()
    return before[-1].lower() if before else ""


def block(corpus: Corpus, number: int, *, seed: int) -> list[Example]:
    """The examples of block `number`, shuffled; each kind walks through its pairs in an order of its own per epoch."""
    made = []
    for kind, quota in QUOTAS.items():
        pool = corpus.pairs[kind]
        for place in range(number * quota, (number + 1) * quota):
            random = Random(f"{seed}:{kind}:{place}")
            epoch, at = divmod(place, len(pool))
            example = make(corpus, pool[_order(len(pool), f"{seed}:{kind}:{epoch}")[at]], kind, random)
            for _ in range(200):
                if example:
                    break
                example = make(corpus, random.choice(pool), kind, random)
            if example:
                made.append(example)
    Random(f"{seed}:{number}").shuffle(made)
    return made


@lru_cache(maxsize=32)
def _order(size: int, key: str) -> list[int]:
    order = list(range(size))
    Random(key).shuffle(order)
    return order


def make(corpus: Corpus, pair: Pair, kind: str, random: Random, *, plain: bool = False) -> Example | None:
    """One example of `kind` from the pair, or None where the pair does not serve; `plain` leaves the forms out."""
    passage = corpus.passages[pair.passage]
    example = _MAKERS[kind](corpus, pair, passage, random)
    if example is None:
        return None
    if not example.title and not example.date:
        example = _head(example, passage, random)
    question = example.question if plain else forms.vary(example.question, random, wrap=kind != "chat")
    return replace(example, question=question, kind=kind, weight=WEIGHTS.get(kind, 1.0))


def _example(question: str, text: str, span: Span | None = None, **more: Any) -> Example:
    return Example(question, more.get("title", ""), more.get("date", ""), text, more.get("answerable", bool(span)), span, "")


def _answer(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), span = random.choice(held)
    example = _example(pair.question, passage.text[start:end], (span[0] - start, span[1] - start))
    if random.random() < 0.08:  # so that a gap between sentences alone says nothing
        example = _without_a_bystander(example, passage, start, random)
    return example if pair.has_phrase else replace(example, span=None, answerable=True)


def _held(pair: Pair, passage: Passage) -> list[tuple[Span, Span]]:
    """(window, answer span) for each window that holds an answer."""
    return [(w, s) for s in pair.spans for w in passage.windows if w[0] <= s[0] and s[1] <= w[1]]


def _without_a_bystander(example: Example, passage: Passage, offset: int, random: Random) -> Example:
    assert example.span
    start, end = example.span
    inside = [(a - offset, b - offset) for a, b in passage.sentences if a >= offset and b <= offset + len(example.text)]
    others = [(a, b) for a, b in inside if b <= start or a >= end]
    if not others:
        return example
    a, b = random.choice(others)
    text, removed = _take_out(example.text, a, b)
    moved = removed if b <= start else 0
    return replace(example, text=text, span=(start - moved, end - moved))


def _take_out(text: str, start: int, end: int) -> tuple[str, int]:
    """The text without the interval and the space behind it, and how many characters that is."""
    behind = len(text) - len(text[end:].lstrip())
    kept = text[:start] + text[behind:]
    return (kept, behind - start) if behind < len(text) else (kept.rstrip(), end - start)


def _best_window(passage: Passage, question: str, random: Random, *, stray: float) -> Span:
    """The window that shares most words with the question; with probability `stray` any."""
    if random.random() < stray:
        return random.choice(passage.windows)
    wanted = set(content_words(question))
    return max(passage.windows, key=lambda w: (len(wanted & _window_words(passage.text[w[0] : w[1]])), -w[0]))


@lru_cache(maxsize=100_000)
def _window_words(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


def _unanswerable(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    start, end = _best_window(passage, pair.question, random, stray=0.1)
    return _example(pair.question, passage.text[start:end])


def _elsewhere(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    rest = [(a, b) for a, b in passage.windows if not _mentions(passage.text[a:b], pair)]
    if not rest:
        return None
    return _example(pair.question, passage.text[slice(*random.choice(rest))])


def _mentions(text: str, pair: Pair) -> bool:
    """Whether any answer stands in the text, whatever its case and spacing."""
    folded = fold(text)
    return any(fold(answer) in folded for answer in pair.answers) or not pair.answers


def _removed(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), span = random.choice(held)
    inside = [(a, b) for a, b in passage.sentences if a >= start and b <= end and (a >= span[1] or b <= span[0])]
    touched = [(a, b) for a, b in passage.sentences if a < span[1] and span[0] < b]
    if not inside or not touched or touched[0][0] < start or touched[-1][1] > end:
        return None
    text, _ = _take_out(passage.text[start:end], touched[0][0] - start, touched[-1][1] - start)
    return None if _mentions(text, pair) else _example(pair.question, text)


def _swap(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    held = _held(pair, passage)
    if not held:
        return None
    (start, end), _ = random.choice(held)
    text, context = passage.text[start:end], f"{passage.title}\n{passage.text}"
    for name in (known := names(pair.question)):
        pools = [corpus.named.get(passage.title, []), corpus.behind.get(_word_before(pair.question, name), [])]
        others = [one for pool in pools if pool for one in random.sample(pool, min(12, len(pool)))]
        break
    else:
        others = []
    allowed = [one for one in others if one not in known]
    asked = next(forms.swaps(pair.question, text, context, allowed, random), None)
    return _example(asked, text) if asked else None


def _offtopic(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    other = corpus.passages[random.choice(_ids(corpus))]
    start, end = random.choice(other.windows)
    if other.title == passage.title or _mentions(other.text[start:end], pair):
        return None
    example = _example(pair.question, other.text[start:end])
    return _head(example, other, random)




def _ids(corpus: Corpus) -> list[str]:
    return list(corpus.passages)


def _chat(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    start, end = random.choice(passage.windows)
    topics = [passage.title, *names(pair.question)]
    return _example(chat.say(random.choice(topics), random), passage.text[start:end])


def _dated(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    """A question about the date that stands in the header: only the header says that the passage is of that time."""
    example = _answer(corpus, pair, passage, random)
    if example is None or _TIME.search(pair.question) or years(example.text) or years(passage.title):
        return None
    date = forms.some_date(random)
    asked = forms.ask_about(pair.question, date, random)
    return replace(example, question=asked, date=date, title=_title(passage, random))


def _misdated(corpus: Corpus, pair: Pair, passage: Passage, random: Random) -> Example | None:
    example = _dated(corpus, pair, passage, random)
    if example is None:
        return None
    return replace(example, date=forms.other_date(example.question, random), span=None, answerable=False)


_MAKERS = {
    "answer": _answer,
    "unanswerable": _unanswerable,
    "hardneg": _unanswerable,
    "elsewhere": _elsewhere,
    "removed": _removed,
    "swap": _swap,
    "offtopic": _offtopic,
    "chat": _chat,
    "dated": _dated,
    "misdated": _misdated,
}


def _head(example: Example, passage: Passage, random: Random) -> Example:
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


def _title(passage: Passage, random: Random) -> str:
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
