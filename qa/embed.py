"""The packaged sentence embedder as a LlamaIndex `BaseEmbedding` on ONNX Runtime: no torch, no network."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from llama_index.core.base.embeddings.base import BaseEmbedding
from numpy.typing import NDArray
from pydantic import PrivateAttr
from tokenizers import Encoding, Tokenizer

from qa.config import PACKAGED
from qa.errors import EmbedderError, ModelError

VERSION = "2"  # of the text that is embedded for a passage: raise it when that changes
MODELS = Path(__file__).parent / "models"
MODEL = MODELS / "all-minilm-l6-v2"
WINDOW_TOKENS = 160  # longer texts are cut there; special tokens included
TITLE_TOKENS = 16
DIMENSIONS = 384

ort.disable_telemetry_events()


class Embedder(Protocol):
    """Turns texts into vectors. Safe to share between threads."""

    @property
    def identity(self) -> str:
        """Names what the vectors depend on: the weights' hash, or the model and its version."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [len(texts), dimensions] of passages, in their order, none of zeros; of any length."""

    def embed_question(self, question: str) -> NDArray[np.float32]:
        """The vector [dimensions] of a question; of zeros where the question says nothing to the embedder."""


LENGTH_TOLERANCE = 1e-3  # a vector's length may differ from 1 by so much; other lengths are scaled to 1


def embedded(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """The embedder's vectors of these passages, of length 1; raises EmbedderError where they cannot be used."""
    vectors = np.asarray(embedder.embed(texts), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise EmbedderError(
            f"the embedder gave vectors of shape {vectors.shape} for {len(texts)} passages; give a row for each."
        )
    lengths = _lengths(vectors)
    if not lengths.all():
        raise EmbedderError("the embedder gave a passage a vector of zeros; it must give every passage another one.")
    return vectors if np.allclose(lengths, 1, atol=LENGTH_TOLERANCE) else vectors / lengths[:, None]


def embedded_question(embedder: Embedder, question: str) -> NDArray[np.float32] | None:
    """The question's vector, of length 1, None where it is zero; raises EmbedderError where it cannot be used."""
    vector = np.asarray(embedder.embed_question(question), np.float32)
    if vector.ndim != 1:
        raise EmbedderError(f"the embedder gave a question a vector of shape {vector.shape}; give one dimension.")
    length = _lengths(vector[None])[0]
    if not length:
        return None
    return vector if abs(length - 1) <= LENGTH_TOLERANCE else vector / length


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(lengths).all():
        raise EmbedderError("the embedder gave a vector that holds something other than numbers; correct the embedder.")
    return lengths


class PackagedEmbedding(BaseEmbedding):
    """all-MiniLM-L6-v2, int8. Vectors have DIMENSIONS numbers and length 1, so their dot product is the cosine."""

    _threads: int = PrivateAttr()
    _folder: Path = PrivateAttr()
    _session: ort.InferenceSession = PrivateAttr()
    _tokenizer: Tokenizer = PrivateAttr()

    def __init__(self, *, threads: int, folder: Path = MODEL, **kwargs: Any) -> None:
        super().__init__(model_name="all-MiniLM-L6-v2-int8", **kwargs)
        # Several texts at a time, each in one thread: faster than one text in several threads. See also `embed`.
        self._threads, self._folder = threads, folder
        self._session = open_session(folder / "model.onnx", threads=1)
        self._tokenizer = open_tokenizer(folder / "tokenizer.json")
        self._tokenizer.enable_truncation(WINDOW_TOKENS)

    @property
    def identity(self) -> str:
        """The sha256 of the weights, marked as packaged."""
        return PACKAGED + file_sha256(self._folder / "model.onnx")

    def embed_question(self, question: str) -> NDArray[np.float32]:
        """The vector [DIMENSIONS] of a question: as of any text."""
        vector: NDArray[np.float32] = self.embed([question])[0]
        return vector

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [len(texts), DIMENSIONS] in the order of `texts`. A text's vector does not depend on the other texts.

        Each text runs by itself, without padding. In a batch, activations are quantised by the range of the whole
        batch: the other texts would change a text's vector by up to 0.02 of cosine.
        """
        encodings = self._tokenizer.encode_batch_fast([encodable(text) for text in texts])
        vectors = np.empty((len(encodings), DIMENSIONS), np.float32)
        with ThreadPoolExecutor(self._threads) as threads:
            for row, vector in enumerate(threads.map(self._run, encodings)):
                vectors[row] = vector
        return vectors

    def _run(self, encoding: Encoding) -> NDArray[np.float32]:
        ids = np.array([encoding.ids], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        vector: NDArray[np.float32] = self._session.run(None, feed)[0][0]
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.embed(texts).tolist()
        return vectors


def open_session(path: Path, *, threads: int, profile: Path | None = None) -> ort.InferenceSession:
    """An ONNX Runtime session on the CPU; raises ModelError unless the file is the packaged one.

    With `profile`, the time of each operator is written to a file whose name begins with it.
    """
    file_sha256(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    slow = ["SkipLayerNormFusion"]  # the fused kernel takes longer than the kernels that it replaces
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=slow)


def open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer without truncation and padding; raises ModelError unless the file is the packaged one."""
    file_sha256(path)
    return Tokenizer.from_file(str(path))


@cache
def file_sha256(path: Path) -> str:
    """The hex sha256 of a packaged file; raises ModelError unless SHA256SUMS in its folder lists the same."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        sums = dict(line.split()[::-1] for line in (path.parent / "SHA256SUMS").read_text().splitlines())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} cannot be read ({error}); reinstall the package.") from None
    if sums.get(path.name) != digest:
        raise ModelError(f"{path.parent.name}/{path.name} is damaged; reinstall the package.")
    return digest


def encodable(text: str) -> str:
    """`text` with "?" in place of each lone surrogate, which tokenizers do not accept. The length stays the same."""
    return text.encode("utf-8", "replace").decode("utf-8")


def passage_text(title: str, text: str) -> str:
    """The text that is embedded for a passage: the title, cut to TITLE_TOKENS, then the passage."""
    ends = token_ends(title)
    return f"{title[: ends[TITLE_TOKENS - 1]] if len(ends) > TITLE_TOKENS else title}\n{text}"


@cache
def _counting_tokenizer() -> Tokenizer:
    return open_tokenizer(MODEL / "tokenizer.json")


def token_ends(text: str) -> list[int]:
    """Where each token ends in `text`, in characters, without special tokens. All models have the same vocabulary."""
    encoding = _counting_tokenizer().encode(encodable(text), add_special_tokens=False)
    return [end for _, end in encoding.offsets]
