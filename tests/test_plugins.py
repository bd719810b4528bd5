"""A reader, an embedder and a retriever of the user's own: what they must bring, and what is refused."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.embeddings.mock_embed_model import MockEmbedding
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from qa.assistant import Assistant
from qa.config import PACKAGED_SEEDS, Config
from qa.errors import EmbedderError, ReaderError, ReplayError, StoreError
from qa.llamaindex import EmbeddingModel, PassageRetriever, PostprocessorReader, RetrieverSearch
from qa.reader.packaged import FILES, MODEL, CrossEncoder
from qa.schema import Answered, Refused
from qa.stages import Passage, Reading
from qa.store.local import Library
from qa.words import content_words
from tests import invariants

FILE = "The pool opens at nine in the morning. Dogs stay outside.\n\nThe season ticket costs 80 euros.\n"
ASKED = "When does the pool open in the morning?"


class Overlap:
    """The share of the question's words that a passage holds. A reader in ten lines."""

    identity = "overlap 1"
    threshold = 0.6

    def calibration(self, score: float) -> float:
        return score

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        asked = set(content_words(question))
        shares = [len(asked & set(content_words(passage.text))) / max(1, len(asked)) for passage in passages]
        return [Reading(passage, None, share) for passage, share in zip(passages, shares, strict=True)]


class Letters:
    """Counts letters. An embedder in ten lines."""

    identity = "letters 1"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])

    def embed_question(self, question: str) -> np.ndarray:
        vector: np.ndarray = self.embed([question])[0]
        return vector


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "pool.txt").write_text(FILE)
    return folder


@pytest.fixture
def own(tmp_path: Path, config: Config) -> Config:
    """Stores in a folder of this test's own."""
    return replace(config, data_dir=tmp_path / "data")


# -- a reader of one's own -------------------------------------------------------------------------


def test_a_reader_in_ten_lines(docs: Path, own: Config) -> None:
    with closing(Assistant.open(docs, config=own, reader=Overlap())) as assistant:
        answer = assistant.ask(ASKED)
        assert isinstance(answer, Answered)
        assert "opens at nine" in answer.quotes[0].text
        assert (answer.trace.models["reader"], answer.trace.threshold) == ("overlap 1", 0.6)
        invariants.every_promise(answer, docs)
        assert isinstance(assistant.ask("Who is the president of France?"), Refused)


class Tens(BaseNodePostprocessor):
    """Scores from 0 to 10, as many rerankers have them."""

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return [NodeWithScore(node=hit.node, score=4.0) for hit in nodes]


def test_scores_without_a_calibration_are_no_confidence(config: Config) -> None:
    """By the packaged calibration this reader answered with confidence 0.999998."""
    with pytest.raises(ReaderError, match="identity, calibration, threshold"):
        Assistant.open(PACKAGED_SEEDS, config=config, reader=Tens())  # type: ignore[arg-type]
    reader = PostprocessorReader(Tens(), identity="tens", calibration=lambda score: score / 10, threshold=0.5)
    with closing(Assistant.open(PACKAGED_SEEDS, config=config, reader=reader)) as assistant:
        answer = assistant.ask("Who is the president of France?")
    assert isinstance(answer, Refused)
    assert answer.confidence == pytest.approx(0.4)


@dataclass(frozen=True)
class Faulty(Overlap):
    """Readings that another reader's were made into."""

    change: Callable[[list[Reading]], list[Reading]]

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        return self.change(super().read(question, passages))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda read: [*read, *read], "twice"),
        (lambda read: [replace(read[0], passage=replace(read[0].passage, chunk="made-up"))], "not given"),
        (lambda read: [replace(one, span=(one.passage.start, one.passage.end + 1)) for one in read], "inside"),
        (lambda read: [replace(one, score=float("nan")) for one in read], "number"),
        (lambda read: [replace(one, score=2.0) for one in read], "probability"),
    ],
    ids=["twice", "another passage", "outside", "no number", "no probability"],
)
def test_readings_that_cannot_be_used_are_one_line(docs: Path, own: Config, change: Any, told: str) -> None:
    opened = closing(Assistant.open(docs, config=own, reader=Faulty(change)))
    with opened as assistant, pytest.raises(ReaderError, match=told) as error:
        assistant.ask(ASKED)
    assert "\n" not in str(error.value)


def test_what_a_reader_claims_of_a_passage_is_not_quoted(docs: Path, own: Config) -> None:
    def lie(read: list[Reading]) -> list[Reading]:
        return [
            replace(one, passage=replace(one.passage, text="It opens at ten.", document="other.txt")) for one in read
        ]

    with closing(Assistant.open(docs, config=own, reader=Faulty(lie))) as assistant:
        answer = assistant.ask(ASKED)
    assert isinstance(answer, Answered)
    assert {quote.document for quote in answer.quotes} == {"pool.txt"}
    invariants.every_promise(answer, docs)


def test_other_weights_have_another_identity_and_replay_notices(docs: Path, own: Config, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    shutil.copytree(MODEL, folder)
    (folder / "calibration.json").write_text((folder / "calibration.json").read_text() + "\n")
    sums = {line.split()[1]: line.split()[0] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    sums["calibration.json"] = hashlib.sha256((folder / "calibration.json").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    assert "calibration.json" in FILES
    other, packaged = CrossEncoder(threads=1, folder=folder), CrossEncoder(threads=1)
    assert other.identity != packaged.identity
    with closing(Assistant.open(docs, config=own)) as assistant:
        trace = assistant.ask(ASKED).trace
        assert trace.models["reader"] == packaged.identity
    with (
        closing(Assistant.open(docs, config=own, reader=other)) as assistant,
        pytest.raises(ReplayError, match="models"),
    ):
        assistant.replay(trace)


# -- an embedder of one's own ----------------------------------------------------------------------


def test_an_embedder_in_ten_lines_has_its_own_store(docs: Path, own: Config) -> None:
    with (
        closing(Assistant.open(docs, config=own)) as packaged,
        closing(Assistant.open(docs, config=own, embedder=Letters())) as other,
    ):
        assert packaged.store.path != other.store.path
        for assistant in (packaged, other):
            assert assistant.refresh().embedded == 0, "neither erases the other's vectors"
            answer = assistant.ask(ASKED)
            assert isinstance(answer, Answered)
            assert "dense" in answer.trace.hits[0].scores
            invariants.every_promise(answer, docs)
        assert other.ask(ASKED).trace.models["embedder"] == "letters 1"
        assert other.ask("???").status == "refused"


def test_a_store_of_another_embedder_is_refused(docs: Path, own: Config, tmp_path: Path) -> None:
    opened = closing(Assistant.open(docs, store=tmp_path / "store", config=own))
    with opened as assistant, pytest.raises(EmbedderError, match="letters 1"):
        Assistant(assistant.store, own, embedder=Letters())
    with pytest.raises(StoreError, match="another embedder"):
        Assistant.open(docs, store=tmp_path / "store", config=own, embedder=Letters())
    with closing(Assistant.open(docs, store=tmp_path / "store", config=own)) as assistant:
        assert assistant.changes.embedded == 0, "nothing was rebuilt"


@dataclass(frozen=True)
class Giving:
    """Gives all texts the same."""

    rows: Callable[[int], Any]
    identity: str = "giving"

    def embed(self, texts: Sequence[str]) -> Any:
        return self.rows(len(texts))

    def embed_question(self, question: str) -> Any:
        return self.rows(1)[0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (lambda count: np.zeros((count, 4)), "zeros"),
        (lambda count: np.full((count, 4), np.nan), "numbers"),
        (lambda count: np.ones((count + 1, 4)), "shape"),
        (lambda count: np.ones(count), "shape"),
    ],
    ids=["zeros", "no numbers", "a row too many", "no rows"],
)
def test_vectors_that_cannot_be_used_are_one_line(docs: Path, own: Config, rows: Any, told: str) -> None:
    with pytest.raises(EmbedderError, match=told) as error:
        Assistant.open(docs, config=own, embedder=Giving(rows))
    assert "\n" not in str(error.value)


def test_vectors_of_any_length_are_scaled_once(docs: Path, own: Config, caplog: pytest.LogCaptureFixture) -> None:
    """The store took longer ones for damaged, and made them anew at each refresh."""
    with closing(
        Assistant.open(docs, config=own, embedder=Giving(lambda count: np.full((count, 4), 3.0)))
    ) as assistant:
        assert assistant.refresh().embedded == 0
        assert assistant.ask(ASKED).trace.hits[0].scores["dense"] == pytest.approx(1)
    assert not caplog.messages


# -- LlamaIndex ------------------------------------------------------------------------------------


def test_a_llamaindex_embedding_by_its_identity(docs: Path, own: Config) -> None:
    model = EmbeddingModel(MockEmbedding(embed_dim=8), identity="mock 8")
    with closing(Assistant.open(docs, config=own, embedder=model)) as assistant:
        assert isinstance(assistant.ask(ASKED), Answered)
        assert assistant.store.versions.embedder == "mock 8"


class Planting(BaseRetriever):
    """Another retriever's nodes with their text and offsets changed, and one node that no store holds."""

    def __init__(self, inner: BaseRetriever) -> None:
        super().__init__()
        self._inner = inner

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        planted = NodeWithScore(node=TextNode(id_="planted-0-9", text="The pool opens at ten."), score=9.0)
        found = self._inner.retrieve(query_bundle)
        ids = [hit.node.node_id for hit in found]
        return [planted] + [NodeWithScore(node=TextNode(id_=name, text="At ten."), score=1.0) for name in ids]


def test_text_and_offsets_come_from_the_store_whatever_is_retrieved(docs: Path, own: Config) -> None:
    with closing(Assistant.open(docs, config=own)) as assistant:
        retriever = Planting(PassageRetriever(assistant.searcher))
        assistant.searcher = RetrieverSearch(retriever, assistant.store.library)
        answer = assistant.ask(ASKED)
        assert isinstance(answer, Answered)
        assert "ten." not in answer.text
        assert {hit.document for hit in answer.trace.hits} == {"pool.txt"}
        invariants.every_promise(answer, docs)


# -- how much is loaded ----------------------------------------------------------------------------


def test_a_question_loads_what_it_keeps_in_few_queries(
    seeds: Assistant, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """48 passages were loaded, and the sentences queried 54 times."""
    question = "How many people came home in 2024?"
    seeds.ask(question)  # the texts are checked when they are first read
    loaded: list[int] = []
    passages = Library.passages

    def counted(self: Library, chunks: Sequence[str], documents: Sequence[str] | None = None) -> list[Passage]:
        found = passages(self, chunks, documents)
        loaded.append(len(found))
        return found

    monkeypatch.setattr(Library, "passages", counted)
    queries: list[str] = []
    with seeds.store.library.read() as db:  # this thread's connection
        db.set_trace_callback(lambda query: queries.append(query) if "FROM sentences" in query else None)
    try:
        answer = seeds.ask(question)
    finally:
        with seeds.store.library.read() as db:
            db.set_trace_callback(None)
    assert isinstance(answer, Answered)
    assert loaded == [len(answer.trace.hits)] == [config.fused_hits]
    assert 1 <= len(queries) <= 8
