"""The embedder: a text's vector does not depend on the other texts, the number of threads or the method called."""

import asyncio
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import embed
from qa.embed import DIMENSIONS, MODEL, PackagedEmbedding
from qa.errors import ModelError

TEXTS = [
    "How many people came home in 2024?",
    "",
    "home",
    "word " * 10_000,
    "Київ — столиця України.",
    "東京は日本の首都です。" * 30,
    "\U0001f600 an emoji",
    "a\0b",
    "half a \ud800 surrogate",
    "The exchange took place on Monday, officials said. " * 3,
]


@pytest.fixture(scope="module")
def embedder() -> PackagedEmbedding:
    return PackagedEmbedding(threads=2)


def test_vectors_are_in_the_order_of_the_texts_and_do_not_depend_on_the_others(embedder: PackagedEmbedding) -> None:
    alone = [embedder.embed([text])[0] for text in TEXTS]
    order = [3, 0, 9, 1, 1, 8, 2, 5, 7, 6, 4]
    together = embedder.embed([TEXTS[number] for number in order])
    for row, number in enumerate(order):
        assert np.array_equal(together[row], alone[number]), TEXTS[number][:40]
    assert len({vector.tobytes() for vector in alone}) == len(TEXTS), "different texts, the same vector"


def test_vectors_have_length_1(embedder: PackagedEmbedding) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed([]).shape == (0, DIMENSIONS)


def test_similar_sentences_are_near_and_others_are_not(embedder: PackagedEmbedding) -> None:
    asked, said, other = embedder.embed(
        ["How tall is the tower?", "The tower has a height of 90 metres.", "The cake needs four eggs."]
    )
    assert asked @ said > 0.5 > 0.3 > asked @ other


def test_text_beyond_the_window_is_not_in_the_vector(embedder: PackagedEmbedding) -> None:
    long, longer = embedder.embed(["word " * 400, "word " * 400 + "harbour"])
    assert np.array_equal(long, longer)
    inside, other = embedder.embed(["word " * 100, "word " * 100 + "harbour"])
    assert not np.array_equal(inside, other)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_is_kept_and_changes_no_vector(embedder: PackagedEmbedding, threads: int) -> None:
    other = PackagedEmbedding(threads=threads)
    session = other._session
    assert session.get_session_options().intra_op_num_threads == 1

    class Watched:
        running = most = 0
        lock = threading.Lock()

        def run(self, *args: Any) -> Any:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.01)
            try:
                return session.run(*args)
            finally:
                with self.lock:
                    self.running -= 1

    other._session = watched = Watched()
    assert np.array_equal(other.embed(TEXTS), embedder.embed(TEXTS))
    assert watched.most == threads


def test_the_methods_of_llama_index_give_the_same_vectors(embedder: PackagedEmbedding) -> None:
    wanted = embedder.embed(TEXTS).tolist()
    assert embedder.get_text_embedding_batch(TEXTS) == wanted
    assert [embedder.get_text_embedding(text) for text in TEXTS] == wanted
    assert [embedder.get_query_embedding(text) for text in TEXTS] == wanted
    assert asyncio.run(embedder.aget_query_embedding(TEXTS[0])) == wanted[0]
    assert asyncio.run(embedder.aget_text_embedding_batch(TEXTS)) == wanted


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def test_an_undamaged_copy_is_fine(copy: Path) -> None:
    assert PackagedEmbedding(threads=1, folder=copy).embed(["fine"]).shape == (1, DIMENSIONS)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
@pytest.mark.parametrize(
    "damage",
    [_flip, lambda path: path.write_bytes(path.read_bytes()[:1000]), lambda path: path.write_bytes(b""), Path.unlink],
    ids=["a bit", "truncated", "empty", "missing"],
)
def test_damaged_weights_are_an_error_of_one_line(copy: Path, name: str, damage: Any) -> None:
    damage(copy / name)
    with pytest.raises(ModelError, match="reinstall the package") as caught:
        PackagedEmbedding(threads=1, folder=copy)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "sums", [b"", b"\xff\xfe", b"one two three\n", b"0000  model.onnx\n0000  tokenizer.json\n", None]
)
def test_without_valid_checksums_nothing_is_loaded(copy: Path, sums: bytes | None) -> None:
    (copy / "SHA256SUMS").unlink()
    if sums is not None:
        (copy / "SHA256SUMS").write_bytes(sums)
    with pytest.raises(ModelError, match="reinstall"):
        PackagedEmbedding(threads=1, folder=copy)


def test_token_ends_are_places_in_the_text() -> None:
    for text in TEXTS:
        ends = embed.token_ends(text[:3000])
        assert list(ends) == sorted(ends)
        assert all(0 < end <= len(text) for end in ends)


def test_a_passage_is_its_title_cut_to_16_tokens_and_itself() -> None:
    assert embed.passage_text("A title", "A text.") == "A title\nA text."
    cut, text = embed.passage_text("word " * 100, "A text.").split("\n")
    assert cut == ("word " * 16).rstrip()
    assert text == "A text."
