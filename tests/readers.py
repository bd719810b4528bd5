"""Readers that tests plug in, and passages made by hand."""

from collections.abc import Sequence

from qa.reader.base import Calibration
from qa.reader.packaged import load_calibration
from qa.schema import Sentence
from qa.stages import Passage, Reading
from qa.words import content_words

_FITTED = load_calibration()
NEUTRAL = Calibration(slope=1.0, intercept=0.0)


class PluggedReader:
    """A reader with the packaged calibration and threshold; what it reads is for its subclasses to say."""

    identity = "a reader of the tests"

    def __init__(self, calibration: Calibration | None = None) -> None:
        self.calibration = calibration or Calibration(_FITTED["slope"], _FITTED["intercept"])
        self.threshold = _FITTED["threshold"]

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        raise NotImplementedError


class WordReader(PluggedReader):
    """Finds the sentence that holds all content words of the question, by word and not by chance."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        asked = set(content_words(question))
        readings = []
        for passage in passages:
            spans = quotable(passage)
            shares = [len(asked & set(content_words(said(passage, span)))) / max(1, len(asked)) for span in spans]
            best = max(range(len(spans)), key=lambda number: shares[number], default=None)
            if best is not None:
                readings.append(Reading(passage, spans[best], 0.999 if shares[best] > 0.99 else 0.001))
        return readings


class Trusting(PluggedReader):
    """A reader that is sure of whatever is near: the more quotes, the more can be wrong."""

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        return [Reading(passage, spans[0], 1 - 1e-9) for passage in passages if (spans := quotable(passage))]


def quotable(passage: Passage) -> list[tuple[int, int]]:
    """The passage's sentences that may be quoted, as intervals of the document's text."""
    return [(one.start, one.end) for one in passage.sentences if one.kind not in ("heading", "rule")]


def said(passage: Passage, span: tuple[int, int]) -> str:
    """What the passage says in this interval of the document's text."""
    return passage.text[span[0] - passage.start : span[1] - passage.start]


def made_passage(
    text: str,
    sentences: Sequence[Sentence] | None = None,
    *,
    start: int = 0,
    document: str = "a.txt",
    title: str = "Pool",
    date: str | None = None,
    heading: str | None = None,
) -> Passage:
    """A passage of a document; without `sentences` it is one sentence."""
    return Passage(
        chunk=f"{document}-{start}-{start + len(text)}",
        content=1,
        document=document,
        also_in=(),
        start=start,
        end=start + len(text),
        text=text,
        title=title,
        date=date,
        sha256="0" * 64,
        heading=heading,
        sentences=tuple(sentences if sentences is not None else [Sentence(start, start + len(text))]),
    )
