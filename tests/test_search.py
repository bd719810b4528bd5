"""Retrieval: the filter holds in both, what may not be cited hides nothing that may, ranks fuse by the formula."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode

from qa import search
from qa.assistant import Assistant
from qa.config import Config
from qa.embed import passage_text
from qa.search import DenseRetriever, HybridRetriever, KeywordRetriever, firsts_within, fuse
from qa.store.place import Store
from tests.stores import TextEmbedder, fill, run

Pair = tuple[Any, Any]


class Leaning(TextEmbedder):
    """Texts that hold the word `near` lean towards the query "near"; the vectors of all others are unrelated to it."""

    @staticmethod
    def vector(text: str) -> np.ndarray:
        own = TextEmbedder.vector(text)
        if "near" not in text:
            return own
        leaning = own + 2 * TextEmbedder.vector("the direction of near")
        return (leaning / np.linalg.norm(leaning)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """200 documents of a chunk: 120 lean towards "near", of 80 others half hold the word harbour. One has two names."""
    base = tmp_path_factory.mktemp("search")
    near = {f"near-{number:03}.txt": f"It is near the place {number}.\n" for number in range(120)}
    far = {
        f"far-{number:03}.txt": f"A {'harbour' if number % 2 else 'quarry'} number {number}.\n" for number in range(80)
    }
    copy = {"far-copy.txt": far["far-001.txt"]}
    with closing(Store(base / "store", fill(base / "docs", near | far | copy))) as opened:
        run(opened, Leaning())
        assert opened.library.count_chunks() == 200
        yield opened


def dense(store: Store, documents: list[str] | None = None, limit: int = 30) -> DenseRetriever:
    return DenseRetriever(store.library, store.vectors, Leaning(), limit=limit, documents=documents)  # type: ignore[arg-type]


def keyword(store: Store, documents: list[str] | None = None, limit: int = 30) -> KeywordRetriever:
    return KeywordRetriever(store.library, limit=limit, documents=documents)


def names(hits: list[NodeWithScore]) -> list[str]:
    return [hit.node.metadata["document"] for hit in hits]


def brute_force(store: Store, question: str, documents: list[str] | None, limit: int) -> list[str]:
    """The chunks by their true cosine with the question."""
    query = Leaning.vector(question)
    scored = [
        (-float(Leaning.vector(passage_text(one.title, one.text)) @ query), one.chunk)
        for one in store.library.passages(store.library.chunk_ids(documents), documents)
    ]
    return [chunk for _, chunk in sorted(scored)[:limit]]


FILTERS: dict[str, list[str] | None] = {
    "none": None,
    "one document": ["far-003.txt"],
    "one name of two": ["far-copy.txt"],
    "the same name again and again": ["near-001.txt"] * 50,
    "many": [f"far-{number:03}.txt" for number in range(80)],
    "all but few": [f"near-{number:03}.txt" for number in range(115)],
    "20,000 names": [f"far-{number:03}.txt" for number in range(20_000)],
    "unknown": ["no.txt"],
    "empty": [],
}


@pytest.mark.parametrize("exact", [5000, 0], ids=["exact", "by HNSW"])
@pytest.mark.parametrize("filtered", FILTERS)
def test_the_filter_holds_in_both_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, exact: int, filtered: str
) -> None:
    monkeypatch.setattr(search, "EXACT_CHUNKS", exact)
    documents = FILTERS[filtered]
    for question in ("near", "harbour quarry near place"):
        hits = dense(store, documents).retrieve(question)
        assert [hit.node.node_id for hit in hits] == brute_force(store, question, documents, 30)
        for hit in [*hits, *keyword(store, documents).retrieve(question)]:
            cited = {hit.node.metadata["document"], *hit.node.metadata["also_in"]}
            assert documents is None or cited <= set(documents)
    if documents and "near-001.txt" not in documents and "no.txt" not in documents:
        assert dense(store, documents).retrieve("near"), "what is nearest lies outside of the filter, and hides it"


def test_vectors_that_may_not_be_cited_hide_none_that_may(store: Store) -> None:
    """Such as those of a document that is being indexed, or whose deletion was interrupted."""
    extra = [f"pending-{number}-{number + 1}" for number in range(300)]
    store.vectors.add(extra, np.stack([Leaning.vector(f"near {one}") for one in extra]))
    try:
        hits = dense(store).retrieve("near")
        assert [hit.node.node_id for hit in hits] == brute_force(store, "near", None, 30)
    finally:
        store.vectors.delete(extra)


def test_hits_are_slices_with_their_place_and_scores(store: Store) -> None:
    hybrid = HybridRetriever(dense(store), keyword(store), limit=12, read=8)
    hits = hybrid.retrieve("the harbour near the place number 17")
    assert len(hits) == 12
    for hit in hits:
        node: Any = hit.node
        text = (store.docs / node.metadata["document"]).read_text()
        assert text[node.start_char_idx : node.end_char_idx] == node.get_content() == node.text
        assert set(node.metadata["scores"]) - {"dense", "keyword"} == {"fused"}
        assert hit.score == pytest.approx(node.metadata["scores"]["fused"], abs=1e-6)
        shown = node.get_content(metadata_mode=MetadataMode.LLM)
        assert node.metadata["sha256"] not in shown
        assert "scores" not in shown
    assert hits == hybrid.retrieve("the harbour near the place number 17")


@pytest.mark.parametrize("question", ["", " ", "*", "?" * 5000, "zzzzz", "\0", "\U0001f600"])
def test_any_question_has_hits_or_none(store: Store, question: str) -> None:
    assert len(dense(store).retrieve(question)) == 30
    assert keyword(store).retrieve(question) == []


def test_an_empty_store_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    with closing(Store(tmp_path / "store", tmp_path / "docs")) as store:
        run(store)
        assert HybridRetriever(dense(store), keyword(store), limit=12, read=8).retrieve("near") == []


# -- fusion ------------------------------------------------------------------------------------------


def hit(name: str, document: str = "a.txt", start: int = 0, **scores: float) -> NodeWithScore:
    metadata = {"document": document, "scores": scores}
    return NodeWithScore(node=TextNode(id_=name, text=name, start_char_idx=start, metadata=metadata), score=0.0)


def test_reciprocal_rank_fusion_by_hand() -> None:
    """x: 1.5/6 + 1/8, y: 1.5/7 + 1/6, z: 1.5/8, w: 1/7."""
    dense = [hit("x", dense=0.9), hit("y", dense=0.8), hit("z", dense=0.7)]
    keyword = [hit("y", keyword=7.0), hit("w", keyword=6.0), hit("x", keyword=5.0)]
    fused = fuse([(dense, 1.5), (keyword, 1.0)])
    assert [(one.node.node_id, one.score) for one in fused] == [
        ("y", pytest.approx(0.38095238095238093)),
        ("x", pytest.approx(0.375)),
        ("z", pytest.approx(0.1875)),
        ("w", pytest.approx(0.14285714285714285)),
    ]
    assert fused[0].node.metadata["scores"] == {"dense": 0.8, "keyword": 7.0, "fused": 0.380952}
    assert fused[3].node.metadata["scores"] == {"keyword": 6.0, "fused": 0.142857}
    assert fuse([]) == fuse([([], 1.5), ([], 1.0)]) == []


def test_ties_go_by_document_and_place() -> None:
    left = [hit("b9", "b.txt", 9), hit("a5", "a.txt", 5)]
    right = [hit("a7", "a.txt", 7), hit("b2", "b.txt", 2)]
    for rankings in ([left, right], [right, left]):
        assert [one.node.node_id for one in fuse([(ranking, 1.0) for ranking in rankings])] == ["a7", "b9", "a5", "b2"]


@given(st.lists(st.permutations("abcdefgh").map(lambda order: order[:5]), min_size=1, max_size=2))
def test_fusion_keeps_the_laws_of_ranks(rankings: list[list[str]]) -> None:
    fused = fuse([([hit(name, name) for name in ranking], 1.0) for ranking in rankings])
    score = {one.node.node_id: one.score or 0.0 for one in fused}
    assert set(score) == {name for ranking in rankings for name in ranking}
    assert [score[one.node.node_id] for one in fused] == sorted(score.values(), reverse=True)
    for ranking in rankings:
        for better, worse in itertools.pairwise(ranking):
            others = [other for other in rankings if worse in other]
            if all(better in other and other.index(better) < other.index(worse) for other in others):
                assert score[better] > score[worse]


@given(st.permutations("abcdefghijkl"), st.permutations("abcdefghijkl"), st.integers(2, 12))
def test_the_first_of_each_ranking_is_among_those_read(left: list[str], right: list[str], count: int) -> None:
    rankings = [[hit(name, name) for name in ranking] for ranking in (left[:8], right[:8])]
    fused = fuse([(ranking, 1.0) for ranking in rankings])
    ordered = [one.node.node_id for one in firsts_within(fused, rankings, count)]
    before = [one.node.node_id for one in fused]
    assert sorted(ordered) == sorted(before), "no hit is lost or doubled"
    assert {left[0], right[0]} <= set(ordered[:count])
    stayed = [name for name in ordered if name not in (left[0], right[0])]
    assert stayed == [name for name in before if name not in (left[0], right[0])], "the others keep their order"


RECALLED = "The recall of the Falcon stroller, announced in May, concerns 2,618 frames."
CARED_FOR = "Wash the seat cover by hand in lukewarm water and let it dry flat."


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """A long manual of many alike passages; two sentences of it are each found in one way alone."""
    folder = tmp_path_factory.mktemp("manual")
    parts = ("front wheel", "rear wheel", "brake", "handle", "harness", "hood", "basket", "adapter", "axle", "lock")
    sentences = [
        f"Step {number}: check that the {part} of your stroller is safe before number {number} of the list is ticked."
        f" A stroller whose {part} was damaged in an accident must be taken to a dealer who knows its frames."
        for number, part in enumerate(parts * 20, 1)
    ]
    sentences.insert(77, RECALLED)
    sentences.insert(133, CARED_FOR)
    docs = folder / "docs"
    docs.mkdir()
    (docs / "manual.txt").write_text("\n\n".join(sentences), encoding="utf-8")
    opened = Assistant.open(docs, store=folder / "store")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How many stroller frames does the recall of the Falcon concern?", RECALLED),
        ("Is it fine to put the fabric in the machine?", CARED_FOR),
    ],
)
def test_what_one_way_finds_first_is_read(manual: Assistant, question: str, sentence: str) -> None:
    read = manual.search(question)[: manual.config.read_hits]
    assert any(sentence in one.node.get_content() for one in read)


def test_in_the_seeds_the_right_passage_is_among_the_hits(seeds: Any, config: Config) -> None:
    hits = seeds.search("How many people came home in 2024?")
    assert len(hits) == config.fused_hits
    assert any("1,358" in one.node.get_content() for one in hits)
    assert seeds.search("How many people came home in 2024?") == hits
