"""Compares three readers: the packaged one, a small one, and a cascade in which the small one chooses for the other.

    python -m eval.benchmarks.cascade BENCH_DIR SMALL_DIR [--sample 400] [--seed 1]

SMALL_DIR was written by `eval.training.export`. All readers get passages of the same collection, SQuAD 2.0's first
half. The scores are not calibrated, so only figures without a threshold are printed. Milliseconds are those of reading
alone.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from eval import metrics
from eval.benchmarks import benchmark, outcomes
from eval.benchmarks.questions import Question
from qa.assistant import Assistant
from qa.config import Config, from_environment
from qa.reader.base import Reader
from qa.reader.packaged import CrossEncoder
from qa.stages import Passage, Reading
from qa.store.place import Store

FIGURES = ("right_never_refusing", "auroc_answerable", "refused_at_90%", "refused_at_70%")


class Cascade:
    """The first reader reads all passages, the second the best `keep` of them. The second one's scores count."""

    def __init__(self, first: Reader, second: Reader, *, keep: int) -> None:
        self._readers, self._keep = (first, second), keep
        self.identity = f"{first.identity}, then {second.identity} for {keep}"
        self.calibration, self.threshold = second.calibration, second.threshold

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        first, second = self._readers
        best = sorted(first.read(question, passages), key=lambda reading: -reading.score)[: self._keep]
        return second.read(question, [reading.passage for reading in best])


def measure(store: Store, config: Config, reader: Reader, questions: Sequence[Question]) -> dict[str, Any]:
    """The figures that need no threshold, and the median time of reading in ms, with this reader in the pipeline."""
    assistant = Assistant(store, replace(config, threshold=0.0), reader)
    assistant.ask(questions[0].text)  # opens the models
    answers = [assistant.ask(question.text) for question in questions]
    asked = [outcomes.outcome(*pair, 0.0) for pair in zip(questions, answers, strict=True)]
    found = outcomes.summary(asked, 0.0)
    reading = [answer.trace.timings_ms["read"] for answer in answers if "read" in answer.trace.timings_ms]
    return {name: round(found[name], 3) for name in FIGURES} | {"read p50 ms": metrics.percentile(reading, 0.5)}


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("small", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sample", default=400, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(source: Path, small: Path, sample: int, seed: int) -> None:
    config = from_environment()
    packaged, other = CrossEncoder(threads=config.threads), CrossEncoder(threads=config.threads, folder=small)
    rows: dict[str, tuple[int, Reader]] = {
        "packaged, 8": (8, packaged),
        "packaged, 12": (12, packaged),
        "packaged, 4": (4, packaged),
        "small, 12": (12, other),
        "small 12, packaged 4": (12, Cascade(other, packaged, keep=4)),
        "small 12, packaged 3": (12, Cascade(other, packaged, keep=3)),
    }
    with tempfile.TemporaryDirectory() as scratch:
        docs = Path(scratch) / "docs"
        docs.mkdir()
        questions = benchmark.load("squad2", source, docs, reach="all", half=1, sample=sample, seed=seed)
        with closing(Store(Path(scratch) / "store", docs)) as store:
            Assistant(store, config).refresh()
            for name, (hits, reader) in rows.items():
                found = measure(store, replace(config, read_hits=hits), reader, questions)
                click.echo(f"{name}: {json.dumps(found)}")


if __name__ == "__main__":
    main()
