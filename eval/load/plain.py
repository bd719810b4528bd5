"""A common baseline, "plain": LlamaIndex's `VectorStoreIndex` on Chroma with Chroma's default embedding function."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings
from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from llama_index.vector_stores.chroma import ChromaVectorStore

HITS = 12


@cache
def _function() -> ONNXMiniLM_L6_V2:
    return ONNXMiniLM_L6_V2()


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Chroma's default embedding of the texts."""
    return [[float(value) for value in vector] for vector in _function()(list(texts))]


class ChromaDefault(BaseEmbedding):
    """Chroma's default embedding function as a LlamaIndex embedding."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return embed([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return embed([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)


def index(passages: Sequence[tuple[str, str]], place: Path, embedding: BaseEmbedding | None = None) -> BaseRetriever:
    """The passages, (id, text), indexed on disk, by Chroma's default embedding unless another is given.

    Returns the retriever of the HITS nearest.
    """
    client: Any = chromadb.PersistentClient(str(place), Settings(anonymized_telemetry=False))
    store = ChromaVectorStore(chroma_collection=client.create_collection("passages"))
    made = VectorStoreIndex(
        [TextNode(id_=name, text=text) for name, text in passages],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=embedding or ChromaDefault(),
    )
    return made.as_retriever(similarity_top_k=HITS)
