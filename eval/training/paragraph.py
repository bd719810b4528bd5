"""Measures a reader without search: each question of a benchmark with its own paragraph, cut by the product's slicer.

    python -m eval.training.paragraph BENCH_DIR --half first --weights WEIGHTS_DIR --difference RUN/reader.safetensors
    python -m eval.training.paragraph BENCH_DIR --half second --onnx MODEL_DIR --threshold T [--questions 1500]

Make choices, that of the threshold included, on the first half of the titles, and report the second half. --weights
needs the `train` extra.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
from tokenizers import Tokenizer

from eval.jsonl import read_lines
from eval.metrics import auroc, token_f1
from eval.training import forms
from eval.training.pairs import TrainingPassage, cut
from qa.embed import open_session, open_tokenizer, token_ends
from qa.reader.encode import Encoded, Encoder, best_span, characters


@dataclass(frozen=True, slots=True)
class WindowReading:
    """What a reader says of one window: a score (higher: more likely an answer) and the span of the answer in it."""

    score: float
    start: int
    end: int


Score = Callable[[str, str, Sequence[str]], Sequence[WindowReading]]
"""(question, title, windows of one passage) → one WindowReading for each window."""


@dataclass(frozen=True, slots=True)
class ParagraphCase:
    """A question with its paragraph and the accepted answers."""

    question: str
    passage: TrainingPassage
    answers: tuple[str, ...]  # empty when the paragraph does not answer the question


@dataclass(frozen=True, slots=True)
class ParagraphResult:
    """The reading of the best window."""

    score: float
    f1: float | None  # token F1 of its span; None when there is no accepted answer
    in_span: bool  # whether the window contains an accepted answer


VARIANTS: dict[str, Callable[[str, Random], str]] = {
    "as it stands": lambda question, random: question,
    "lower case": lambda question, random: question.lower(),
    "no question mark": lambda question, random: question.replace("?", "").rstrip(),
    "one typo": lambda question, random: forms.mistype(question, random),
    "two typos": lambda question, random: forms.mistype(question, random, count=2),
}
SHARES = (90, 70, 50)


def load(
    source: Path, *, half: str, questions: int | None, seed: int = 1, name: str = "squad2-dev"
) -> list[ParagraphCase]:
    """The questions about one half of the titles in alphabetical order (or `both` halves), or a sample of them."""
    passages = {row["id"]: row for row in read_lines(source / f"{name}-passages.jsonl.gz")}
    titles = sorted({row["title"] for row in passages.values()})
    middle = (len(titles) + 1) // 2
    kept = set({"first": titles[:middle], "second": titles[middle:], "both": titles}[half])
    rows = [row for row in read_lines(source / f"{name}-questions.jsonl.gz") if row["title"] in kept]
    if questions and questions < len(rows):
        rows = Random(seed).sample(rows, questions)
    needed = {row["doc_ids"][0] for row in rows}
    cuts = {key: cut(key, passages[key]["title"], passages[key]["text"], token_ends) for key in sorted(needed)}
    return [ParagraphCase(row["question"], cuts[row["doc_ids"][0]], tuple(row["answers"])) for row in rows]


def ask(case: ParagraphCase, question: str, score: Score) -> ParagraphResult:
    """Read all windows of the case's paragraph; `question` may be a variant of the case's question."""
    windows = [case.passage.text[a:b] for a, b in case.passage.windows]
    readings = score(question, case.passage.title, windows)
    best = max(range(len(windows)), key=lambda number: readings[number].score)
    said = windows[best][readings[best].start : readings[best].end]
    holds = any(answer in windows[best] for answer in case.answers)
    return ParagraphResult(readings[best].score, token_f1(said, case.answers), holds)


def f1_at(results: Sequence[ParagraphResult], threshold: float) -> float:
    """Mean F1, 0–100, as SQuAD 2.0 defines it: an unanswerable question scores 1 when it is refused, else 0."""
    points = [float(r.score < threshold) if r.f1 is None else r.f1 * (r.score >= threshold) for r in results]
    return 100 * float(np.mean(points))


def best_threshold(results: Sequence[ParagraphResult]) -> float:
    """The threshold with the highest mean F1."""
    ranked = sorted(results, key=lambda result: -result.score)
    gains = np.cumsum([-1.0 if result.f1 is None else result.f1 for result in ranked])
    return ranked[int(gains.argmax())].score


def report(results: Sequence[ParagraphResult], *, threshold: float) -> dict[str, Any]:
    """F1 at this and at the best threshold, F1 of the answerable, AUROC, and shares of the unanswerable refused."""
    yes = [result.score for result in results if result.f1 is not None]
    no = [result.score for result in results if result.f1 is None]
    answered = {share: float(np.percentile(yes, 100 - share)) for share in SHARES}
    return {
        "questions": len(results),
        "f1": round(f1_at(results, threshold), 2),
        "f1_at_best_threshold": round(f1_at(results, best_threshold(results)), 2),
        "f1_answerable_never_refusing": round(100 * float(np.mean([r.f1 for r in results if r.f1 is not None])), 2),
        "window_right": round(100 * float(np.mean([r.in_span for r in results if r.f1 is not None])), 2),
        "auroc": round(auroc(yes, no) or 0.0, 4),
        "refused": {share: round(100 * float(np.mean(np.array(no) < at)), 1) for share, at in answered.items()},
    }


def torch_score(weights: Path, difference: Path, *, every: int, threads: int) -> Score:
    """The reader as it is trained, in bf16."""
    import torch

    from eval.training.batches import collate
    from eval.training.data import Example
    from eval.training.network import load_difference, load_reader, put, run, trained

    torch.set_num_threads(threads)
    encoder = Encoder(Tokenizer.from_file(str(weights / "tokenizer.json")))
    model = load_reader(weights, every=every).eval()
    put(model, load_difference(difference, trained(model)))

    def score(question: str, title: str, windows: Sequence[str]) -> list[WindowReading]:
        examples = [Example(question, title, "", window, False, None, "") for window in windows]
        coded = [encoder.encode(question, title, "", window) for window in windows]
        with torch.inference_mode():
            verdicts, starts, ends, _ = run(model, collate(list(zip(examples, coded, strict=True)), encoder.padding))
        return [
            reading(float(verdicts[row]), starts[row].numpy(), ends[row].numpy(), window)
            for row, window in enumerate(coded)
        ]

    return score


def onnx_score(folder: Path, *, threads: int) -> Score:
    """The reader as it is exported. Each window is read by itself; a span may lie anywhere in its window."""
    session = open_session(folder / "model.onnx", threads=threads)
    encoder = Encoder(open_tokenizer(folder / "tokenizer.json"))

    def score(question: str, title: str, windows: Sequence[str]) -> list[WindowReading]:
        found = []
        for window in windows:
            encoded = encoder.encode(question, title, "", window)
            feed = {"input_ids": np.array([encoded.ids]), "segments": np.array([encoded.segments])}
            verdict, start, end = session.run(["answerable", "start", "end"], feed)
            found.append(reading(float(verdict[0]), start[0], end[0], encoded))
        return found

    return score


def reading(score: float, start: Any, end: Any, window: Encoded) -> WindowReading:
    """The window's best span with its score, from the model's logits."""
    return WindowReading(score, *characters(window, *best_span(start, end, window)))


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--half", type=click.Choice(["first", "second", "both"]), default="first", show_default=True)
@click.option("--weights", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--difference", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--every", default=1, show_default=True, help="As the difference was trained with.")
@click.option("--onnx", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--questions", type=int, help="A seeded sample of so many.")
@click.option("--variant", "variants", multiple=True, type=click.Choice(list(VARIANTS)), help="Default: all.")
@click.option("--threshold", type=float, help="The logit from which on is answered.  [default: the best one here]")
@click.option("--threads", default=2, show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
def main(
    source: Path, half: str, weights: Path | None, difference: Path | None, every: int, onnx: Path | None,
    questions: int | None, variants: tuple[str, ...], threshold: float | None, threads: int, out: Path | None,
) -> None:  # fmt: skip
    if onnx:
        score = onnx_score(onnx, threads=threads)
    elif weights and difference:
        score = torch_score(weights, difference, every=every, threads=threads)
    else:
        raise click.UsageError("give --onnx, or --weights and --difference.")
    cases = load(source, half=half, questions=questions)
    record: dict[str, Any] = {}
    for name in variants or VARIANTS:
        random, begun = Random(1), time.monotonic()
        results = [ask(case, VARIANTS[name](case.question, random), score) for case in cases]
        threshold = best_threshold(results) if threshold is None else threshold  # that of the first variant for all
        record[name] = {"threshold": round(threshold, 3)} | report(results, threshold=threshold)
        click.echo(f"{name}: {json.dumps(record[name])} ({time.monotonic() - begun:.0f} s)")
    if out:
        out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
