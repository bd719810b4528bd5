"""What the stages of a question hand on, one frozen type a stage: `Passage` → `Hit` → `Reading` → `qa.schema.Quote`."""

from collections.abc import Mapping
from dataclasses import dataclass

from qa.schema import Sentence


@dataclass(frozen=True, slots=True)
class Passage:
    """A published chunk with its text, and the facts about the document that it is cited from.

    Offsets count code points in the document's text. `chunk` is the passage's id, `content` the text store's number
    of the document's text.
    """

    chunk: str
    content: int
    document: str
    also_in: tuple[str, ...]  # further files with the same content
    start: int
    end: int
    text: str
    title: str
    date: str | None
    sha256: str  # of the document's text
    heading: str | None  # the headings above its first sentence that is not one, the outermost first
    sentences: tuple[Sentence, ...]  # all that overlap it; only an over-long sentence reaches beyond it

    @property
    def page(self) -> int | None:
        """The page on which it begins."""
        return self.sentences[0].page if self.sentences else None

    @property
    def locator(self) -> str | None:
        """The place in the file where it begins, such as "slide 4"."""
        return self.sentences[0].locator if self.sentences else None

    @property
    def documents(self) -> tuple[str, ...]:
        """All documents that a quote of it names."""
        return (self.document, *self.also_in)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that search found. `scores` by stage: dense (cosine), keyword (BM25; higher is better), fused."""

    passage: Passage
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader says of a passage.

    `span` is where the answer stands, as an interval of the document's text; None: the reader names no place.
    `score` grows with how sure the reader is that the passage answers; its scale is the reader's own, and the reader's
    calibration turns it into a probability. `denial` is the probability that the passage denies what the question
    takes for granted; None: the reader does not tell.
    """

    passage: Passage
    span: tuple[int, int] | None
    score: float
    denial: float | None = None
