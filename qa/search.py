"""Hybrid retrieval: two `BaseRetriever`s, dense and keyword, and reciprocal rank fusion of what they find.

A hit is a `NodeWithScore` whose `TextNode` holds the chunk's id, text and offsets; its metadata are plain
data: document, also_in, content, title, date, sha256, sentences [[start, end, kind]…] and scores by stage.
"""

from collections.abc import Sequence

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from qa.embed import PackagedEmbedding
from qa.library import Library, Passage
from qa.vectors import Vectors

EXACT_CHUNKS = 5000  # a filter that leaves fewer is scored exactly instead of through the HNSW graph
RANK_CONSTANT = 60  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
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
        allowed = self._library.count_chunks(self._documents, most=max(self._limit, EXACT_CHUNKS + 1))
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
    """Reciprocal rank fusion of several retrievers, best first; ties by document and place."""

    def __init__(self, retrievers: Sequence[BaseRetriever], *, limit: int) -> None:
        super().__init__()
        self._retrievers, self._limit = retrievers, limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return fuse([retriever.retrieve(query_bundle) for retriever in self._retrievers], limit=self._limit)


def fuse(rankings: Sequence[Sequence[NodeWithScore]], *, limit: int) -> list[NodeWithScore]:
    """score(node) = sum over rankings of 1 / (RANK_CONSTANT + rank), rank from 1; at most `limit`, best first."""
    fused: dict[str, NodeWithScore] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            known = fused.setdefault(hit.node.node_id, NodeWithScore(node=hit.node, score=0.0))
            known.score = (known.score or 0.0) + 1 / (RANK_CONSTANT + rank)
            known.node.metadata["scores"] = {**known.node.metadata["scores"], **hit.node.metadata["scores"]}
    for hit in fused.values():
        hit.node.metadata["scores"]["fused"] = round(hit.score or 0.0, 6)
    best = sorted(fused.values(), key=lambda hit: (-(hit.score or 0.0), hit.node.metadata["document"], _start(hit)))
    return best[:limit]


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
    passages = library.passages(list(scores), documents, most=most)
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
