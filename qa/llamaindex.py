"""LlamaIndex on both sides: the pipeline as a query engine and a retriever, a user's components as stages of it.

Assistant.open(docs, reader=PostprocessorReader(postprocessor, identity=…, calibration=…, threshold=…))
Assistant.open(docs, embedder=EmbeddingModel(embedding, identity=…))
assistant.searcher = RetrieverSearch(retriever, assistant.store.library)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from numpy.typing import NDArray

from qa.schema import Answered, Quote, Refused
from qa.search import Searcher
from qa.stages import Hit, Passage, Reading
from qa.store.ports import TextStore

_SHOWN_TO_MODELS = ("title", "date", "heading")


class Answering(Protocol):
    """What answers questions: `qa.assistant.Assistant`."""

    def ask(self, question: str) -> Answered | Refused:
        """Answer by quotes or refuse."""

    async def aask(self, question: str) -> Answered | Refused:
        """`ask` without blocking the event loop."""


class QuotingQueryEngine(BaseQueryEngine):
    """`response` is the answer's text, `metadata["answer"]` its JSON; a refusal has no `source_nodes`."""

    def __init__(self, assistant: Answering) -> None:
        super().__init__(callback_manager=CallbackManager())
        self._assistant = assistant

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _response(self._assistant.ask(query_bundle.query_str))

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _response(await self._assistant.aask(query_bundle.query_str))


class PassageRetriever(BaseRetriever):
    """The pipeline's search as a retriever: passages with their offsets, best first, with the fused score."""

    def __init__(self, searcher: Searcher, documents: Sequence[str] | None = None) -> None:
        super().__init__()
        self._searcher, self._documents = searcher, documents

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._searcher.hits(query_bundle.query_str, self._documents)
        return [NodeWithScore(node=passage_node(hit.passage), score=max(hit.scores.values())) for hit in hits]


@dataclass(frozen=True, slots=True)
class RetrieverSearch:
    """A user's retriever as the search. Its nodes' ids are those of passages; ids that the store lacks are left out.

    Text and offsets come from the text store, whatever the nodes hold.
    """

    retriever: BaseRetriever
    texts: TextStore

    def hits(self, question: str, documents: Sequence[str] | None = None) -> list[Hit]:
        found = {hit.node.node_id: hit.score or 0.0 for hit in self.retriever.retrieve(question)}
        passages = self.texts.passages(list(found), documents)
        return [Hit(passage, {"retriever": round(found[passage.chunk], 6)}) for passage in passages]


@dataclass(frozen=True, slots=True)
class PostprocessorReader:
    """A user's postprocessor as the reader.

    `identity` names model and prompt, `calibration` turns a node's score into the probability that its passage answers
    the question, `threshold` is the probability from which on the documents count as covering it. A node's metadata
    may name the answer: `span`, an interval of the document's text inside the node.
    """

    postprocessor: BaseNodePostprocessor
    identity: str
    calibration: Callable[[float], float]
    threshold: float

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        given = {passage.chunk: passage for passage in passages}
        nodes = [NodeWithScore(node=passage_node(passage), score=0.0) for passage in passages]
        read = self.postprocessor.postprocess_nodes(nodes, QueryBundle(question))
        return [
            Reading(given[hit.node.node_id], _span(hit, given[hit.node.node_id]), float(hit.score or 0.0))
            for hit in read
            if hit.node.node_id in given
        ]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A user's embedding model as the embedder; `identity` names the model and its version."""

    embedding: BaseEmbedding
    identity: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(self.embedding.get_text_embedding_batch(list(texts)), np.float32)

    def embed_question(self, question: str) -> NDArray[np.float32]:
        return np.asarray(self.embedding.get_query_embedding(question), np.float32)


def passage_node(passage: Passage) -> TextNode:
    """The passage as a node; its id is the passage's, its offsets count in the document's text."""
    metadata: dict[str, Any] = {
        "document": passage.document,
        "also_in": list(passage.also_in),
        "title": passage.title,
        "date": passage.date,
        "heading": passage.heading,
        "page": passage.page,
        "locator": passage.locator,
        "sha256": passage.sha256,
        "sentences": [[sentence.start, sentence.end, sentence.kind] for sentence in passage.sentences],
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


def _span(hit: NodeWithScore, passage: Passage) -> tuple[int, int] | None:
    """The interval that the node names, where it lies inside the passage."""
    named = hit.node.metadata.get("span")
    if not isinstance(named, list | tuple) or len(named) != 2:
        return None
    start, end = named
    return (start, end) if passage.start <= start < end <= passage.end else None


def _response(answer: Answered | Refused) -> Response:
    quotes = answer.quotes if isinstance(answer, Answered) else ()
    return Response(
        response=answer.text,
        source_nodes=[_quote_node(quote) for quote in quotes],
        metadata={"answer": answer.model_dump(mode="json")},
    )


def _quote_node(quote: Quote) -> NodeWithScore:
    metadata = quote.model_dump(mode="json", exclude={"text", "start", "end", "score", "before", "after"})
    node = TextNode(text=quote.text, start_char_idx=quote.start, end_char_idx=quote.end, metadata=metadata)
    return NodeWithScore(node=node, score=quote.score)
