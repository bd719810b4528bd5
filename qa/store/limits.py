"""The limits of a store, in one place; tests and measurements pass others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is searched for, kept in memory and written at a time."""

    # Terms of a question. Each chunk in which one of the terms stands is scored.
    common_share: float = 0.05  # a term in a larger share of the chunks is too frequent to search for, …
    common_chunks: int = 2000  # … if it stands in more than this many chunks
    rare_terms: int = 3  # so many of the rarest terms are kept when all terms of a question are frequent
    max_terms: int = 64  # the rarest are searched for, …
    max_matches: int = 20_000  # … as long as they stand in about so many chunks together
    # Texts that are kept in memory.
    cached_chars: int = 50_000_000
    # Vectors.
    vector_batch: int = 1000  # ids or vectors a call
    turn_wait_s: float = 60.0  # for the calls of others
    hnsw: Mapping[str, Any] = field(default_factory=dict)  # further settings of Chroma's index
    # Indexing.
    flush_chunks: int = 256  # embedded and written together
    long_s: float = 10.0  # the time that embedding again takes is announced where it is longer


LIMITS = Limits()
