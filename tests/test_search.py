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

from qa.assistant import Assistant
from qa.config import Config
from qa.embed import passage_text
from qa.search import EXACT_CHUNKS, Ranking, Search, firsts_within, fuse
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


def searching(store: Store, exact_chunks: int = EXACT_CHUNKS) -> Search:
    config = Config(data_dir=store.path, threads=1)
    return Search(store.library, store.vectors, Leaning(), config, exact_chunks=exact_chunks)


def ids(ranking: Ranking) -> list[str]:
    return [chunk for chunk, _ in ranking]


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
def test_the_filter_holds_in_both_and_loses_nothing(store: Store, exact: int, filtered: str) -> None:
    search, documents = searching(store, exact), FILTERS[filtered]
    for question in ("near", "harbour quarry near place"):
        by_meaning = ids(search.by_meaning(question, documents))
        assert by_meaning == brute_force(store, question, documents, 30)
        found = [*by_meaning, *ids(search.by_words(question, documents))]
        passages = store.library.passages(found, documents)
        assert len(passages) == len(found), "what was found may be cited"
        for passage in [*passages, *(hit.passage for hit in search.hits(question, documents))]:
            assert documents is None or set(passage.documents) <= set(documents)
    if documents and "near-001.txt" not in documents and "no.txt" not in documents:
        assert search.by_meaning("near", documents), "what is nearest lies outside of the filter, and hides it"


def test_vectors_that_may_not_be_cited_hide_none_that_may(store: Store) -> None:
    """Such as those of a document that is being indexed, or whose deletion was interrupted."""
    extra = [f"pending-{number}-{number + 1}" for number in range(300)]
    store.vectors.add(extra, np.stack([Leaning.vector(f"near {one}") for one in extra]))
    try:
        assert ids(searching(store).by_meaning("near")) == brute_force(store, "near", None, 30)
    finally:
        store.vectors.delete(extra)


def test_hits_are_slices_with_their_place_and_scores(store: Store) -> None:
    search = searching(store)
    hits = search.hits("the harbour near the place number 17")
    assert len(hits) == 12
    for hit in hits:
        passage = hit.passage
        text = (store.docs / passage.document).read_text()
        assert text[passage.start : passage.end] == passage.text
        assert set(hit.scores) - {"dense", "keyword"} == {"fused"}
    assert hits == search.hits("the harbour near the place number 17")


@pytest.mark.parametrize("question", ["", " ", "*", "?" * 5000, "zzzzz", "\0", "\U0001f600"])
def test_any_question_has_hits_or_none(store: Store, question: str) -> None:
    assert len(searching(store).by_meaning(question)) == 30
    assert searching(store).by_words(question) == []


def test_an_empty_store_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    with closing(Store(tmp_path / "store", tmp_path / "docs")) as store:
        run(store)
        assert searching(store).hits("near") == []


# -- fusion ------------------------------------------------------------------------------------------


def ranked(*chunks: str) -> Ranking:
    return [(chunk, 1.0) for chunk in chunks]


def best_first(fused: Ranking) -> Ranking:
    return sorted(fused, key=lambda one: -one[1])


def test_reciprocal_rank_fusion_by_hand() -> None:
    """x: 1.5/6 + 1/8, y: 1.5/7 + 1/6, z: 1.5/8, w: 1/7."""
    assert best_first(fuse([(ranked("x", "y", "z"), 1.5), (ranked("y", "w", "x"), 1.0)])) == [
        ("y", pytest.approx(0.38095238095238093)),
        ("x", pytest.approx(0.375)),
        ("z", pytest.approx(0.1875)),
        ("w", pytest.approx(0.14285714285714285)),
    ]
    assert fuse([]) == fuse([([], 1.5), ([], 1.0)]) == []


def test_a_hit_has_the_scores_of_all_stages(store: Store) -> None:
    for hit in searching(store).hits("harbour"):
        assert list(hit.scores) == [name for name in ("dense", "keyword", "fused") if name in hit.scores]
        assert all(score == round(score, 6) for score in hit.scores.values())


class Ranked(Search):
    """Both rankings are given."""

    def by_meaning(self, question: str, documents: Any = None) -> Ranking:
        return ranked(*question.split("/")[0].split())

    def by_words(self, question: str, documents: Any = None) -> Ranking:
        return ranked(*question.split("/")[1].split())


def test_ties_go_by_document_and_place(store: Store) -> None:
    """A fourth place by meaning weighs as much as a first by words: 1.5 / 9 = 1 / 6."""
    chunk = {name: store.library.chunk_ids([name])[0] for name in (f"near-00{number}.txt" for number in range(5))}
    first, second, third, *rivals = chunk.values()
    search = Ranked(store.library, store.vectors, Leaning(), Config(data_dir=store.path, threads=1, read_hits=12))
    for fourth, by_words in (rivals, reversed(rivals)):
        hits = search.hits(f"{first} {second} {third} {fourth} / {by_words}")
        assert [hit.passage.document for hit in hits][3:] == ["near-003.txt", "near-004.txt"]


@given(st.lists(st.permutations("abcdefgh").map(lambda order: order[:5]), min_size=1, max_size=2))
def test_fusion_keeps_the_laws_of_ranks(rankings: list[list[str]]) -> None:
    score = dict(fuse([(ranked(*ranking), 1.0) for ranking in rankings]))
    assert set(score) == {name for ranking in rankings for name in ranking}
    for ranking in rankings:
        for better, worse in itertools.pairwise(ranking):
            others = [other for other in rankings if worse in other]
            if all(better in other and other.index(better) < other.index(worse) for other in others):
                assert score[better] > score[worse]


@given(st.permutations("abcdefghijkl"), st.permutations("abcdefghijkl"), st.integers(2, 12))
def test_the_first_of_each_ranking_is_among_those_read(left: list[str], right: list[str], count: int) -> None:
    rankings = [ranked(*left[:8]), ranked(*right[:8])]
    fused = best_first(fuse([(ranking, 1.0) for ranking in rankings]))
    ordered, before = ids(firsts_within(fused, rankings, count)), ids(fused)
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
    assert any(sentence in hit.passage.text for hit in read)


def test_in_the_seeds_the_right_passage_is_among_the_hits(seeds: Any, config: Config) -> None:
    hits = seeds.search("How many people came home in 2024?")
    assert len(hits) == config.fused_hits
    assert any("1,358" in hit.passage.text for hit in hits)
    assert seeds.search("How many people came home in 2024?") == hits
