"""Hybrid search: a ranking by meaning and one by words, fused by reciprocal ranks. Only what is kept is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from qa.config import Config
from qa.embed import Embedder, embedded_question
from qa.stages import Hit
from qa.store.ports import TextStore, VectorStore

EXACT_CHUNKS = 5000  # a filter that leaves fewer is scored exactly instead of through the HNSW graph
RANK_CONSTANT = 5  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009): a first place counts for much
DENSE_WEIGHT = 1.5  # of the ranking by meaning; the ranking by words has 1
# Both were chosen by recall@8 on the benchmarks' development halves: `qa-eval benchmark ownwords PATH` prints it.

Ranking = Sequence[tuple[str, float]]
"""(chunk id, score), best first."""


class Searcher(Protocol):
    """Finds passages for a question. Safe to share between threads."""

    def hits(self, question: str, documents: Sequence[str] | None = None) -> list[Hit]:
        """Hits, best first; passages come from the text store and only from these documents."""


@dataclass(frozen=True, slots=True)
class Search:
    """The packaged search: by meaning and by words, fused."""

    texts: TextStore
    vectors: VectorStore
    embedder: Embedder
    config: Config
    exact_chunks: int = EXACT_CHUNKS

    def hits(self, question: str, documents: Sequence[str] | None = None) -> list[Hit]:
        """The fused hits, best first; the first of each ranking is among the first that are read."""
        rankings = {"dense": self.by_meaning(question, documents), "keyword": self.by_words(question, documents)}
        fused = fuse([(rankings["dense"], DENSE_WEIGHT), (rankings["keyword"], 1.0)])
        places = self.texts.places([chunk for chunk, _ in fused], documents)
        ordered = sorted((one for one in fused if one[0] in places), key=lambda one: (-one[1], places[one[0]]))
        kept = firsts_within(ordered, list(rankings.values()), self.config.read_hits)[: self.config.fused_hits]
        return self._loaded(kept, rankings, documents)

    def by_words(self, question: str, documents: Sequence[str] | None = None) -> Ranking:
        """By BM25 over text and title."""
        return self.texts.search(question, self.config.keyword_hits, documents)

    def by_meaning(self, question: str, documents: Sequence[str] | None = None) -> Ranking:
        """By the cosine of the vectors."""
        limit = self.config.dense_hits
        vector = embedded_question(self.embedder, question)
        allowed = self.texts.count_chunks(documents, max_count=max(limit, self.exact_chunks + 1))
        if vector is None or not allowed:
            return []
        if documents is not None and allowed <= self.exact_chunks:
            return self._published(self.vectors.exact(vector, self.texts.chunk_ids(documents), limit), documents)
        fetch = limit
        while True:
            # Some neighbours are filtered out, not published yet, or deleted.
            scored = self.vectors.nearest(vector, fetch)
            found = self._published(scored, documents)[:limit]
            if len(found) >= min(limit, allowed) or len(scored) < fetch:
                return found
            fetch *= 4

    def _published(self, ranking: Ranking, documents: Sequence[str] | None) -> Ranking:
        places = self.texts.places([chunk for chunk, _ in ranking], documents)
        return [(chunk, score) for chunk, score in ranking if chunk in places]

    def _loaded(self, fused: Ranking, rankings: Mapping[str, Ranking], documents: Sequence[str] | None) -> list[Hit]:
        """The fused ranking's passages, with the scores of all stages."""
        scores: dict[str, dict[str, float]] = {chunk: {} for chunk, _ in fused}
        for stage, ranking in (*rankings.items(), ("fused", fused)):
            for chunk, score in ranking:
                if chunk in scores:
                    scores[chunk][stage] = round(score, 6)
        passages = self.texts.passages([chunk for chunk, _ in fused], documents)
        return [Hit(passage, scores[passage.chunk]) for passage in passages]


def fuse(rankings: Sequence[tuple[Ranking, float]]) -> Ranking:
    """score(chunk) = sum over (ranking, weight) of weight / (RANK_CONSTANT + rank), rank from 1; not ordered."""
    fused: dict[str, float] = {}
    for ranking, weight in rankings:
        for rank, (chunk, _) in enumerate(ranking, 1):
            fused[chunk] = fused.get(chunk, 0.0) + weight / (RANK_CONSTANT + rank)
    return list(fused.items())


def firsts_within(fused: Ranking, rankings: Sequence[Ranking], count: int) -> Ranking:
    """The fused ranking, each ranking's first chunk moved up, where it has to be, to be among the first `count`.

    A passage that one way finds by far, and the other not at all, would else lose to those that both ways find.
    """
    first_ids = {ranking[0][0] for ranking in rankings if ranking}
    firsts = [(place, hit) for place, hit in enumerate(fused) if hit[0] in first_ids]
    ordered = [hit for hit in fused if hit[0] not in first_ids]
    for number, (place, hit) in enumerate(firsts):
        ordered.insert(min(place, count - len(firsts) + number), hit)
    return ordered
