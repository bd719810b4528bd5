"""The pipeline as a LlamaIndex query engine, for apps that speak LlamaIndex."""

from typing import TYPE_CHECKING

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE, Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from qa.schema import Answered, Quote, Refused

if TYPE_CHECKING:
    from qa.assistant import Assistant


class QuotingQueryEngine(BaseQueryEngine):
    """`response` is the answer's text, `metadata["answer"]` its JSON; a refusal has no `source_nodes`."""

    def __init__(self, assistant: "Assistant") -> None:
        super().__init__(callback_manager=CallbackManager())
        self._assistant = assistant

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}

    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _response(self._assistant.ask(query_bundle.query_str))

    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _response(await self._assistant.aask(query_bundle.query_str))


def _response(answer: Answered | Refused) -> Response:
    quotes = answer.quotes if isinstance(answer, Answered) else ()
    return Response(
        response=answer.text,
        source_nodes=[_node(quote) for quote in quotes],
        metadata={"answer": answer.model_dump(mode="json")},
    )


def _node(quote: Quote) -> NodeWithScore:
    metadata = quote.model_dump(mode="json", exclude={"text", "start", "end", "score", "before", "after"})
    node = TextNode(text=quote.text, start_char_idx=quote.start, end_char_idx=quote.end, metadata=metadata)
    return NodeWithScore(node=node, score=quote.score)
