"""What the stages of a question need of a store."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qa.schema import Sentence
from qa.stages import Passage


class TextStore(Protocol):
    """Texts with their sentences and passages: the single source of truth for text and offsets."""

    def count_chunks(self, documents: Sequence[str] | None = None, *, max_chunks: int | None = None) -> int:
        """How many passages a question may be answered from, counted to at most `max_chunks`."""

    def chunk_ids(self, documents: Sequence[str] | None = None) -> list[str]:
        """The ids of those passages."""

    def search(self, question: str, limit: int, documents: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """(id, BM25 score, higher is better) of the best passages, best first."""

    def places(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> Mapping[str, tuple[str, int]]:
        """Id → (document, start) of those of these passages that may be used now."""

    def passages(self, chunks: Sequence[str], documents: Sequence[str] | None = None) -> list[Passage]:
        """Those of these passages that may be used now, in the order of the ids."""

    def read(self) -> AbstractContextManager[Any]:
        """Inside, all reading of this thread sees one state of the store."""

    def text(self, content: int) -> str:
        """The whole text of a content."""

    def sentences(self, content: int, start: int, end: int) -> list[Sentence]:
        """The sentences that overlap `start:end`, in order."""

    def context(self, content: int, start: int, end: int) -> tuple[str, str]:
        """(before, after): what is shown beside a quote of the sentences `start:end`."""

    def header_row(self, content: int, start: int) -> Sentence | None:
        """The first row of the table whose row starts at `start`; None where that is the first row itself."""

    def heading(self, content: int, position: int) -> str | None:
        """The headings above `position`, the outermost first, joined by " › "."""


class VectorStore(Protocol):
    """Vectors by passage id."""

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the nearest, best first; approximate."""

    def exact(self, vector: NDArray[np.float32], ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the nearest among these ids, best first."""
