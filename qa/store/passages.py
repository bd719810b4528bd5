"""A published chunk, as the text store gives it to search."""

from dataclasses import dataclass

from qa.schema import Sentence


@dataclass(frozen=True, slots=True)
class Passage:
    """A published chunk with its text, and the facts about the document that it is cited from."""

    chunk: str
    content: int
    document: str
    also_in: tuple[str, ...]  # further files with the same content
    start: int
    end: int
    text: str
    title: str
    date: str | None
    sha256: str
    sentences: tuple[Sentence, ...]  # all that overlap it; only an over-long sentence reaches beyond it
