"""(question, title with date and headings, passage) → the reader's tokens, and its logits → a span."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from qa.embed import TITLE_TOKENS, encodable
from qa.reader.spelling import correct

QUESTION_TOKENS = 64  # of a longer question its beginning and its end, where people put what they ask
QUESTION_HEAD = 24
HEADING_TOKENS = 24  # of a longer path of headings its end, the innermost
WINDOW_TOKENS = 192  # marks included; a passage of the slicer (CHUNK_TOKENS) is never cut
LONGEST_SPAN = 60  # tokens
QUESTION, HEADER, PASSAGE = range(3)  # of `segments`


@dataclass(frozen=True, slots=True)
class Encoded:
    """One input: `offsets` are those of the passage's tokens, in characters of the passage, from token `first` on."""

    ids: list[int]
    segments: list[int]
    first: int
    offsets: list[tuple[int, int]]


class Encoder:
    """`<s> question </s></s> title (date) headings </s> passage </s>` for MPNet, with BERT's marks for BERT."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        is_bert = tokenizer.token_to_id("<s>") is None
        marks = ("[CLS]", "[SEP]", "[PAD]") if is_bert else ("<s>", "</s>", "<pad>")
        self._opening, self._closing, self.padding = (int(tokenizer.token_to_id(mark) or 0) for mark in marks)
        self._after_question = 1 if is_bert else 2

    def encode(self, question: str, title: str, date: str, passage: str, *, heading: str = "") -> Encoded:
        """The input's tokens. The question is cut first, then what stands before the passage, which is cut last.

        Slips in the question are corrected by the passage's words.

        `heading` is the path that the passage stands under, outermost first.
        """
        asked = self._tokens(correct(question, passage, self._tokenizer.token_to_id)).ids
        if len(asked) > QUESTION_TOKENS:
            asked = asked[:QUESTION_HEAD] + asked[QUESTION_HEAD - QUESTION_TOKENS :]
        read = self._tokens(passage)
        marks = 3 + self._after_question
        inside = read.ids[: WINDOW_TOKENS - marks - len(asked)]
        dated = self._tokens(f"({date})").ids if date else []
        room = WINDOW_TOKENS - marks - len(asked) - len(inside)
        dated = dated if len(dated) <= room else []
        header = self._tokens(title).ids[: max(0, min(TITLE_TOKENS, room - len(dated)))] + dated
        path = self._tokens(heading).ids if heading else []
        header += path[max(0, len(path) - min(HEADING_TOKENS, room - len(header))) :]
        ids = [self._opening, *asked, *[self._closing] * self._after_question, *header, self._closing]
        segments = [QUESTION] * (1 + len(asked) + self._after_question) + [HEADER] * (len(header) + 1)
        return Encoded(
            ids=[*ids, *inside, self._closing],
            segments=[*segments, *[PASSAGE] * len(inside), HEADER],
            first=len(ids),
            offsets=read.offsets[: len(inside)],
        )

    def _tokens(self, text: str) -> Encoding:
        return self._tokenizer.encode(encodable(text), add_special_tokens=False)


def shown_heading(title: str, heading: str) -> str:
    """The path of headings as it is read: without the first one where that is the title, which is read anyway."""
    outer, _, inner = heading.partition(" › ")
    return inner if outer == title else heading


def token_span(encoded: Encoded, start: int, end: int) -> tuple[int, int] | None:
    """First and last token of the input that overlap the passage's characters, or None where none does."""
    inside = [number for number, (a, b) in enumerate(encoded.offsets) if a < end and start < b]
    return (encoded.first + inside[0], encoded.first + inside[-1]) if inside else None


def best_span(start: Any, end: Any, one: Encoded, within: tuple[int, int] | None = None) -> tuple[int, int]:
    """First and last token of the passage's span with the highest sum of logits, at most LONGEST_SPAN long.

    `within` is where it may lie, first token and the one behind the last; None: anywhere in the passage.
    """
    a, b = within or (one.first, one.first + len(one.offsets))
    sums = start[a:b, None] + end[None, a:b]
    reach = np.triu(np.ones_like(sums, bool)) & ~np.triu(np.ones_like(sums, bool), LONGEST_SPAN)
    at = int(np.where(reach, sums, -np.inf).argmax())
    return a + at // (b - a), a + at % (b - a)


def characters(encoded: Encoded, first: int, last: int) -> tuple[int, int]:
    """The interval of the passage that these tokens of the input cover."""
    return encoded.offsets[first - encoded.first][0], encoded.offsets[last - encoded.first][1]
