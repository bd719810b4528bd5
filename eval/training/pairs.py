"""Question–passage pairs on disk → `Corpus`: passages cut by the product's slicer, answers located. No torch."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from eval.jsonl import read_lines
from eval.training import forms
from eval.training.synonyms import Synonyms
from qa.chunks import TokenEnds, split_document, split_sentences
from qa.formats import read_plain
from qa.schema import Document
from qa.text import text_sha256
from qa.words import content_words, names

CharSpan = tuple[int, int]
DEV_PERCENT = 3  # of the titles are held out
REPEATS = 4  # of a pair from another source than SQuAD: one pair in ten


@dataclass(frozen=True, slots=True)
class TrainingPassage:
    """A passage with its sentences and windows, as intervals of its text."""

    id: str
    title: str
    text: str
    sentences: tuple[CharSpan, ...]
    windows: tuple[CharSpan, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A question asked of a passage; `spans` is where the passage answers it, best first."""

    id: str
    question: str
    passage: str
    answerable: bool
    answers: tuple[str, ...]
    spans: tuple[CharSpan, ...]
    kind: str
    has_phrase: bool  # False: the span is a whole sentence that contains the answer


@dataclass(frozen=True)
class Corpus:
    """Passages by id, pairs by what they are (`answer`, `unanswerable`, `hardneg`, …), and names to swap from."""

    passages: dict[str, TrainingPassage]
    ids: tuple[str, ...]  # of the whole passages, without those that search found
    pairs: dict[str, list[Pair]]
    named: dict[str, list[str]]  # title → names in its questions
    behind: dict[str, list[str]]  # word before a name → names
    synonyms: Synonyms  # to put questions in other words


def cut(passage_id: str, title: str, text: str, token_ends: TokenEnds) -> TrainingPassage:
    """The passage as the product would index it from a text file."""
    extract = read_plain(text)
    document = Document("", text, text_sha256(text), title, None, None, "utf-8", extract.blocks)
    sentences = split_sentences(document)
    chunks = split_document(text, sentences, token_ends, key="")
    spans, windows = (tuple((part.start, part.end) for part in parts) for parts in (sentences, chunks))
    return TrainingPassage(passage_id, unquote(title).replace("_", " "), text, spans, windows)


def load(
    source: Path,
    token_ends: TokenEnds,
    *,
    dev: bool = False,
    mined: Path | None = None,
    synonyms: Synonyms | None = None,
) -> Corpus:
    """The corpus in `source` (`pairs.jsonl.gz`, `passages.jsonl.gz`) without, or only, its held-out titles.

    With `mined`, what `eval.training.mine` wrote, also the pairs `found` and `mined`, each on a passage of one window.
    """
    passages = {
        row["id"]: cut(row["id"], row["title"], row["text"], token_ends)
        for row in read_lines(source / "passages.jsonl.gz")
        if is_dev(row["title"] or row["id"]) == dev
    }
    pairs: dict[str, list[Pair]] = defaultdict(list)
    named: dict[str, set[str]] = defaultdict(set)
    behind: dict[str, set[str]] = defaultdict(set)
    for row in read_lines(source / "pairs.jsonl.gz"):
        passage = passages.get(row["passage"])
        pair = _pair(row, passage) if passage else None
        if passage and pair:
            kind = "answer" if pair.answerable else "hardneg" if pair.kind == "hardneg" else "unanswerable"
            pairs[kind] += [pair] * (1 if row["source"] == "squad" or dev else REPEATS)
            for name in names(pair.question):
                named[passage.title].add(name)
                behind[word_before(pair.question, name)].add(name)
    ids = tuple(passages)
    for row in read_lines(mined) if mined else ():
        passages[row["id"]] = TrainingPassage(row["id"], row["title"], row["text"], (), ((0, len(row["text"])),))
        pairs[row["kind"]].append(_mined_pair(row))
    return Corpus(
        passages,
        ids,
        dict(pairs),
        {title: sorted(some) for title, some in named.items()},
        {word: sorted(some) for word, some in behind.items()},
        synonyms or {},
    )


def is_dev(title: str) -> bool:
    """Whether the title is held out: by hash, so that it stays so when data is added."""
    return int(hashlib.sha256(title.encode()).hexdigest()[:8], 16) % 100 < DEV_PERCENT


def _pair(row: dict[str, Any], passage: TrainingPassage) -> Pair | None:
    question = forms.normalise(row["question"])
    accepted = row["answers"] or row["evidence"]
    spans = find_spans(passage, question, accepted, row["evidence"]) if row["answerable"] else ()
    if not question or (row["answerable"] and not spans):
        return None
    return Pair(
        id=row["id"],
        question=question,
        passage=passage.id,
        answerable=row["answerable"],
        answers=tuple(row["answers"]),
        spans=spans,
        kind=row["kind"],
        has_phrase=bool(row["answers"]),
    )


def _mined_pair(row: dict[str, Any]) -> Pair:
    spans = (tuple(row["span"]),) if row["span"] else ()
    answers = tuple(row["answers"])
    return Pair(row["id"], row["question"], row["id"], bool(spans), answers, spans, row["kind"], has_phrase=True)


def find_spans(
    passage: TrainingPassage, question: str, answers: Sequence[str], evidence: Sequence[str]
) -> tuple[CharSpan, ...]:
    """Where the answers stand: inside the evidence, else where the sentence shares most words with the question."""
    text = passage.text
    proofs = [span for sentence in evidence for span in _occurrences(text, sentence)]
    wanted = set(content_words(question))

    def merit(span: CharSpan) -> tuple[bool, bool, int]:
        around = next((text[a:b] for a, b in passage.sentences if a <= span[0] < b), "")
        whole = not (text[span[0] - 1 : span[0]].isalnum() and text[span[0]].isalnum()) and not (
            text[span[1] : span[1] + 1].isalnum() and text[span[1] - 1].isalnum()
        )
        return any(a <= span[0] and span[1] <= b for a, b in proofs), whole, len(wanted & set(content_words(around)))

    found = [max(places, key=merit) for answer in answers if (places := _occurrences(text, answer))]
    return tuple(found)


def _occurrences(text: str, part: str) -> list[CharSpan]:
    return [(m.start(), m.end()) for m in re.finditer(re.escape(part.strip()), text)] if part.strip() else []


def word_before(question: str, name: str) -> str:
    before = question[: max(0, question.find(name))].split()
    return before[-1].lower() if before else ""
