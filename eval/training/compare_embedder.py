"""Measure the int8 embedder beside its fp32 export: agreement, retrieval and speed.

    python -m eval.training.export_embedder SOURCE_DIR --fp32 --out FP32_DIR
    python -m eval.training.compare_embedder FP32_DIR --seeds SEEDS_DIR --bench BENCH_DIR

Needs numpy, onnxruntime and tokenizers only.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

from eval.jsonl import read_lines
from qa.embed import MODEL

WINDOW = 160  # tokens; what the product embeds at most
BATCH = 32

Floats = npt.NDArray[np.float32]


class Embedder:
    """One exported model; embeds texts in length-sorted batches."""

    def __init__(self, folder: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(WINDOW)
        self.tokenizer.enable_padding()

    def batch(self, texts: Sequence[str]) -> Floats:
        """One forward pass: float32 [len(texts), 384], rows of length 1."""
        encoded = self.tokenizer.encode_batch(list(texts))
        feed = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
        }
        return np.asarray(self.session.run(["embedding"], feed)[0], dtype=np.float32)

    def embed(self, texts: Sequence[str], size: int = BATCH) -> Floats:
        """Float32 [len(texts), 384] in the order given; `size` texts a pass."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # near-equal lengths waste little on padding
        out = np.empty((len(texts), 384), dtype=np.float32)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            out[rows] = self.batch([texts[i] for i in rows])
        return out


def sentences(folder: Path) -> list[str]:
    """The sentences of the folder's .txt files, split roughly after . ! ? and at line ends."""
    found: list[str] = []
    for path in sorted(folder.glob("*.txt")):
        parts = re.split(r"(?<=[.!?])\s+|\n+", path.read_text(encoding="utf-8"))
        found += [part.strip() for part in parts if len(part.split()) >= 3]
    return found


def first_half(bench: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """SQuAD 2.0 dev: the passages, and the answerable questions, of the first half of the sorted titles."""
    passages = list(read_lines(bench / "squad2-dev-passages.jsonl.gz"))
    titles = sorted({p["title"] for p in passages})
    kept = set(titles[: len(titles) // 2])
    questions = list(read_lines(bench / "squad2-dev-questions.jsonl.gz"))
    return [p for p in passages if p["title"] in kept], [q for q in questions if q["title"] in kept and q["answerable"]]


def recall(model: Embedder, passages: list[dict[str, Any]], questions: list[dict[str, Any]], k: int = 10) -> float:
    """Share (0..1) of questions with their own paragraph among the k nearest by exact cosine."""
    ids = np.array([p["id"] for p in passages])
    scores = model.embed([q["question"] for q in questions]) @ model.embed([p["text"] for p in passages]).T
    nearest = ids[np.argpartition(-scores, k, axis=1)[:, :k]]
    return float(np.mean([bool(set(q["doc_ids"]) & set(row)) for q, row in zip(questions, nearest, strict=True)]))


def texts_per_second(model: Embedder, texts: Sequence[str], seconds: float = 4.0) -> float:
    """Texts embedded a second, tokenisation included, in batches of 32."""
    model.embed(texts[:BATCH])  # the first pass also allocates
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model.embed(texts)
        done += len(texts)
    return done / (time.perf_counter() - start)


def latency(model: Embedder, text: str, runs: int = 200) -> float:
    """Median milliseconds for one text, tokenisation included."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        model.batch([text])
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[runs // 10 :])) * 1000


def about(model: Embedder, texts: Iterable[str], tokens: int, count: int) -> list[str]:
    """`count` texts of exactly `tokens` tokens ([CLS] and [SEP] included), cut from longer texts."""
    cut = []
    for text in texts:
        encoded = model.tokenizer.encode(text)
        if len(encoded.ids) >= tokens:
            # The end of the last kept word-piece in the original text; -1 leaves room for [SEP].
            cut.append(text[: encoded.offsets[tokens - 2][1]])
        if len(cut) == count:
            break
    return cut


def main() -> None:
    """Print the comparison as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fp32", type=Path, help="folder of the fp32 export")
    parser.add_argument("--int8", type=Path, default=MODEL, help="folder of the int8 export")
    parser.add_argument("--seeds", type=Path, help="folder of .txt files whose sentences are compared")
    parser.add_argument("--bench", type=Path, help="folder of squad2-dev-{questions,passages}.jsonl.gz")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-speed", action="store_true", help="leave the timings out")
    args = parser.parse_args()

    models = [Embedder(args.fp32, args.threads), Embedder(args.int8, args.threads)]
    print("| measure | fp32 | int8 |\n| --- | --- | --- |")
    if args.seeds:
        texts = sentences(args.seeds)
        reference, other = (m.embed(texts) for m in models)
        alone = models[1].embed(texts, size=1)
        cosine, batch_free = (reference * other).sum(1), (other * alone).sum(1)
        agreement = f"{cosine.mean():.4f} / {cosine.min():.4f}"
        print(f"| cosine with fp32, {len(texts)} sentences, mean / min | 1 | {agreement} |")
        print(f"| cosine of a text alone with itself in a batch, min | 1 | {batch_free.min():.4f} |")
    if args.bench:
        passages, questions = first_half(args.bench)
        a, b = (100 * recall(m, passages, questions) for m in models)
        print(f"| recall@10, {len(questions)} questions on {len(passages)} paragraphs | {a:.2f} % | {b:.2f} % |")
        if not args.no_speed:
            block = about(models[0], (p["text"] for p in passages), 80, 4 * BATCH)
            question = about(models[0], (q["question"] for q in questions), 12, 1)[0]
            a, b = (texts_per_second(m, block) for m in models)
            print(f"| texts of 80 tokens a second, batch {BATCH}, {args.threads} threads | {a:.0f} | {b:.0f} |")
            a, b = (latency(m, question) for m in models)
            print(f"| one question of 12 tokens, median, {args.threads} threads | {a:.2f} ms | {b:.2f} ms |")


if __name__ == "__main__":
    main()
