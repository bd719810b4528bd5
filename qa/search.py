"""Hybrid retrieval: two `BaseRetriever`s, dense and keyword, and weighted reciprocal rank fusion of what they find.

A hit is a `NodeWithScore` whose `TextNode` holds the chunk's id, text and offsets; its metadata are plain
data: document, also_in, content, title, date, sha256, sentences [[start, end, kind]…] and scores by stage.
"""

from collections.abc import Sequence

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from qa.embed import PackagedEmbedding
from qa.store.local import Library
from qa.store.passages import Passage
from qa.store.vectors import Vectors

EXACT_CHUNKS = 5000  # a filter that leaves fewer is scored exactly instead of through the HNSW graph
RANK_CONSTANT = 5  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009): a first place counts for much
DENSE_WEIGHT = 1.5  # of the dense ranking; the keyword ranking has 1
# Both were chosen by recall@8 on the benchmarks' development halves: `qa-eval benchmark ownwords PATH` prints it.
_SHOWN_TO_MODELS = ("title", "date")


class KeywordRetriever(BaseRetriever):
    """BM25 over text and title."""

    def __init__(self, library: Library, *, limit: int, documents: Sequence[str] | None = None) -> None:
        super().__init__()
        self._library, self._limit, self._documents = library, limit, documents

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        scored = self._library.search(query_bundle.query_str, self._limit, self._documents)
        return _nodes("keyword", scored, self._library, self._documents)


class DenseRetriever(BaseRetriever):
    """Nearest vectors by cosine."""

    def __init__(
        self,
        library: Library,
        vectors: Vectors,
        embedder: PackagedEmbedding,
        *,
        limit: int,
        documents: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self._library, self._vectors, self._embedder = library, vectors, embedder
        self._limit, self._documents = limit, documents

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        vector = self._embedder.embed([query_bundle.query_str])[0]
        allowed = self._library.count_chunks(self._documents, max_count=max(self._limit, EXACT_CHUNKS + 1))
        if not allowed:
            return []
        if self._documents is not None and allowed <= EXACT_CHUNKS:
            scored = self._vectors.exact(vector, self._library.chunk_ids(self._documents), self._limit)
            return _nodes("dense", scored, self._library, self._documents)
        fetch = self._limit
        while True:
            # Among the nearest are some that the filter leaves out, or that are not published or no longer.
            scored = self._vectors.nearest(vector, fetch)
            hits = _nodes("dense", scored, self._library, self._documents, most=self._limit)
            if len(hits) >= min(self._limit, allowed) or len(scored) < fetch:
                return hits
            fetch *= 4


class HybridRetriever(BaseRetriever):
    """Fuses the dense and the keyword ranking, best first; the first of each ranking is among the first `read`."""

    def __init__(self, dense: BaseRetriever, keyword: BaseRetriever, *, limit: int, read: int) -> None:
        super().__init__()
        self.dense, self.keyword, self._limit, self._read = dense, keyword, limit, read

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        dense, keyword = self.dense.retrieve(query_bundle), self.keyword.retrieve(query_bundle)
        fused = fuse([(dense, DENSE_WEIGHT), (keyword, 1.0)])
        return firsts_within(fused, [dense, keyword], self._read)[: self._limit]


def fuse(rankings: Sequence[tuple[Sequence[NodeWithScore], float]]) -> list[NodeWithScore]:
    """score(node) = sum over (ranking, weight) of weight / (RANK_CONSTANT + rank), rank from 1; best first.

    Ties are ordered by document and place.
    """
    fused: dict[str, NodeWithScore] = {}
    for ranking, weight in rankings:
        for rank, hit in enumerate(ranking, 1):
            known = fused.setdefault(hit.node.node_id, NodeWithScore(node=hit.node, score=0.0))
            known.score = (known.score or 0.0) + weight / (RANK_CONSTANT + rank)
            known.node.metadata["scores"] = {**known.node.metadata["scores"], **hit.node.metadata["scores"]}
    for hit in fused.values():
        hit.node.metadata["scores"]["fused"] = round(hit.score or 0.0, 6)
    return sorted(fused.values(), key=lambda hit: (-(hit.score or 0.0), hit.node.metadata["document"], _start(hit)))


def firsts_within(
    fused: Sequence[NodeWithScore], rankings: Sequence[Sequence[NodeWithScore]], count: int
) -> list[NodeWithScore]:
    """The fused hits, each ranking's first one moved up, where it has to be, to be among the first `count`.

    A passage that one way finds by far, and the other not at all, would else lose to those that both ways find.
    """
    first_ids = {ranking[0].node.node_id for ranking in rankings if ranking}
    firsts = [(place, hit) for place, hit in enumerate(fused) if hit.node.node_id in first_ids]
    ordered = [hit for hit in fused if hit.node.node_id not in first_ids]
    for number, (place, hit) in enumerate(firsts):
        ordered.insert(min(place, count - len(firsts) + number), hit)
    return ordered


def _start(hit: NodeWithScore) -> int:
    start: int = hit.node.start_char_idx  # type: ignore[attr-defined]
    return start


def _nodes(
    stage: str,
    scored: Sequence[tuple[str, float]],
    library: Library,
    documents: Sequence[str] | None,
    most: int | None = None,
) -> list[NodeWithScore]:
    scores = dict(scored)
    passages = library.passages(list(scores), documents, max_count=most)
    return [
        NodeWithScore(node=_node(one, {stage: round(scores[one.chunk], 6)}), score=scores[one.chunk])
        for one in passages
    ]


def _node(passage: Passage, scores: dict[str, float]) -> TextNode:
    metadata = {
        "document": passage.document,
        "also_in": list(passage.also_in),
        "content": passage.content,
        "title": passage.title,
        "date": passage.date,
        "sha256": passage.sha256,
        "sentences": [[one.start, one.end, one.kind] for one in passage.sentences],
        "scores": scores,
    }
    hidden = [name for name in metadata if name not in _SHOWN_TO_MODELS]
    return TextNode(
        id_=passage.chunk,
        text=passage.text,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        metadata=metadata,
        excluded_embed_metadata_keys=hidden,
        excluded_llm_metadata_keys=hidden,
    )
