"""A transparent reader: logistic regression on eleven features of a sentence, its passage and the question.

As a `BaseNodePostprocessor` it returns the passages best first; a node's `score` is the probability (0–1, not
calibrated for the pipeline) that its best sentence answers the question, `metadata["span"]` that sentence.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from numpy.typing import NDArray
from pydantic import PrivateAttr

from qa import words
from qa.embed import MODELS, PackagedEmbedding, file_sha256

REMEMBERED_TEXTS = 20_000  # of 384 floats each: 30 MB
WEIGHTS = MODELS / "baseline" / "baseline.json"
FEATURES = (
    "sentence_cosine",
    "cosine_gap",
    "passage_cosine",
    "bm25_share",
    "sentence_coverage",
    "passage_coverage",
    "numbers_missing",
    "names_missing",
    "kind_wanted",
    "kind_given",
    "sentence_words",
)

_QUANTITY = re.compile(
    r"\bhow (?:many|much|long|old|far|often|large|big|high|tall|deep|heavy)\b"
    r"|\b(?:number|amount|price|cost|percentage|rate|population) of\b",
    re.I,
)
_TIME = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bhow (?:long ago|recently)\b", re.I
)
_PERSON = re.compile(
    r"\bwho(?:m|se)?\b|\b(?:what|which) (?:person|people|man|woman|company|organi[sz]ation|team|group)\b", re.I
)
_PLACE = re.compile(
    r"\bwhere\b|\b(?:what|which) (?:city|country|place|state|town|region|continent|river|street)\b", re.I
)
_MONTH = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart once for all passages."""

    text: str
    content: frozenset[str]
    numbers: frozenset[float]
    names: frozenset[str]  # folded words of its names
    wants: str | None  # quantity, time, name or None


def parse_question(text: str) -> Question:
    """The question's content words, numbers, names and the kind of thing it asks for."""
    wants = "time" if _TIME.search(text) else "quantity" if _QUANTITY.search(text) else None
    wants = wants or ("name" if _PERSON.search(text) or _PLACE.search(text) else None)
    return Question(
        text=text,
        content=frozenset(words.content_words(text)),
        numbers=frozenset(words.numbers(text)),
        names=frozenset(word for name in words.names(text) for word in words.content_words(name)),
        wants=wants,
    )


def features(
    question: Question, sentence: str, passage: str, cosines: tuple[float, float, float], bm25_share: float
) -> list[float]:
    """The FEATURES of one sentence in its passage (title and date included), each about 0–1.

    `cosines` are those of the question with the sentence, with the best sentence of all, and with the passage.
    `bm25_share` is the passage's BM25 over the best of the hits, as BM25 itself grows with the collection; on a
    logarithmic scale, as hits of much the same words differ by their length more than by what they say.
    """
    in_sentence, in_passage = frozenset(words.content_words(sentence)), frozenset(words.content_words(passage))
    return [
        cosines[0],
        cosines[0] - cosines[1],
        cosines[2],
        math.log10(1 + 9 * bm25_share),
        _share(question.content & in_sentence, question.content),
        _share(question.content & in_passage, question.content),
        _share(question.numbers - words.numbers(passage), question.numbers),
        _share(question.names - in_passage, question.names),
        float(question.wants is not None),
        float(question.wants is not None and _gives(question, sentence)),
        math.log1p(len(words.words(sentence))) / 5,
    ]


def _share(part: frozenset[Any], whole: frozenset[Any]) -> float:
    return len(part) / len(whole) if whole else 0.0


def _gives(question: Question, sentence: str) -> bool:
    """Whether the sentence holds a value of the wanted kind that is not already in the question."""
    if question.wants == "time":
        return bool(
            words.years(sentence) - {int(n) for n in question.numbers}
            or _MONTH.search(sentence)
            or re.search(r"\d:\d\d", sentence)
        )
    if question.wants == "quantity":
        return bool(words.numbers(sentence) - question.numbers - {float(year) for year in words.years(sentence)})
    return any(not frozenset(words.content_words(name)) <= question.content for name in words.names(sentence))


class Memory:
    """Embeds each text once while it is remembered: the same passages come up for many questions."""

    def __init__(self, embedder: PackagedEmbedding) -> None:
        self._embedder = embedder
        self._known: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embedder's vectors, [len(texts), dimensions]; a text's vector does not depend on its company."""
        known = self._known
        found = {text: vector for text in texts if (vector := known.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            fresh = dict(zip(new, self._embedder.embed(new), strict=True))
            found |= fresh
            self._known = fresh if len(known) > REMEMBERED_TEXTS else known | fresh
        return np.array([found[text] for text in texts])


class BaselineReader(BaseNodePostprocessor):
    """Reads passages with the packaged weights, embedding their sentences with the same embedder as the search."""

    _memory: Memory = PrivateAttr()
    _weights: NDArray[np.float64] = PrivateAttr()
    _bias: float = PrivateAttr()

    def __init__(self, embedder: PackagedEmbedding, weights: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._memory = Memory(embedder)
        self._weights = np.array([weights["weights"][name] for name in FEATURES])
        self._bias = float(weights["bias"])

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None or not nodes:
            return []
        candidates = [candidates_of(hit) for hit in nodes]
        table = feature_table(self._memory, query_bundle.query_str, nodes, candidates)
        read = []
        for hit, spans, rows in zip(nodes, candidates, table, strict=True):
            if not len(rows):
                continue
            logits = rows @ self._weights + self._bias
            best = int(np.argmax(logits))
            score = float(1 / (1 + np.exp(-logits[best])))
            hit.node.metadata["span"] = list(spans[best])
            hit.node.metadata["scores"]["reader"] = round(score, 6)
            read.append(NodeWithScore(node=hit.node, score=score))
        return sorted(read, key=lambda hit: -(hit.score or 0.0))


def load_weights() -> dict[str, Any]:
    """The packaged weights, calibration and provenance."""
    file_sha256(WEIGHTS)
    weights: dict[str, Any] = json.loads(WEIGHTS.read_text("utf-8"))
    return weights


def candidates_of(hit: NodeWithScore) -> list[tuple[int, int]]:
    """The sentences of a hit that may answer, as intervals of the document: no headings, no rulers."""
    return [(start, end) for start, end, kind in hit.node.metadata["sentences"] if kind not in ("heading", "rule")]


def feature_table(
    memory: Memory,
    question: str,
    nodes: Sequence[NodeWithScore],
    candidates: Sequence[Sequence[tuple[int, int]]],
) -> list[NDArray[np.float64]]:
    """For each node its candidates' features, [candidates, len(FEATURES)]."""
    parsed = parse_question(question)
    texts = [question]
    texts += [_text(hit) for hit in nodes]
    for hit, spans in zip(nodes, candidates, strict=True):
        texts += [_sentence(hit, span) for span in spans]
    vectors = memory.embed(texts)
    cosines = (vectors[1:] @ vectors[0]).tolist()
    passages = [cosines.pop(0) for _ in nodes]
    best = max(cosines, default=0.0)
    best_bm25 = max((_bm25(hit) for hit in nodes), default=0.0)
    table = []
    for hit, spans, passage in zip(nodes, candidates, passages, strict=True):
        share = _bm25(hit) / best_bm25 if best_bm25 > 0 else 0.0
        rows = [
            features(parsed, _sentence(hit, span), _text(hit), (cosines.pop(0), best, passage), share) for span in spans
        ]
        table.append(np.array(rows).reshape(len(spans), len(FEATURES)))
    return table


def _bm25(hit: NodeWithScore) -> float:
    score: float = hit.node.metadata["scores"].get("keyword", 0.0)
    return score


def _text(hit: NodeWithScore) -> str:
    metadata = hit.node.metadata
    return "\n".join(filter(None, (metadata["title"], metadata["date"], hit.node.get_content())))


def _sentence(hit: NodeWithScore, span: tuple[int, int]) -> str:
    offset: int = hit.node.start_char_idx  # type: ignore[attr-defined]
    return hit.node.get_content()[max(span[0] - offset, 0) : span[1] - offset]
