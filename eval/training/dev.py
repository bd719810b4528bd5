"""How the reader does on the held-out titles while it trains: every kind of negative by itself. For training only."""

from random import Random
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from eval.training import data
from eval.training.batches import BATCH, collate, encode
from eval.training.data import Example
from eval.training.network import Reader, run
from eval.training.pairs import Corpus
from qa.reader.encode import Encoder, best_span, token_span

COUNTS = {
    "answer": 500,
    "unanswerable": 400,
    "hardneg": 120,
    "elsewhere": 80,
    "removed": 80,
    "swap": 120,
    "offtopic": 40,
    "chat": 40,
    "dated": 100,
    "misdated": 100,
    "table": 150,
    "untabled": 150,
    "polar": 100,
    "unsaid": 100,
}
SHARES = (90, 70, 50)  # of the answerable that are answered, in percent


def examples(corpus: Corpus, *, seed: int) -> list[Example]:
    """The same examples each time, of every kind, as they stand: without typos and the like."""
    random, made = Random(f"{seed}:dev"), list[Example]()
    for kind, count in COUNTS.items():
        pool = list(data.pool_of(corpus, kind))
        random.shuffle(pool)
        found = (data.make(corpus, pair, kind, random, plain=True) for pair in pool)
        made += [example for example, _ in zip(filter(None, found), range(count), strict=False)]
    return made


def evaluate(model: Reader, encoder: Encoder, held_out: list[Example]) -> dict[str, Any]:
    """AUROC of `answer` against each kind, token F1 of the spans, and unanswerable refused at each share answered."""
    coded = sorted(((one, encode(encoder, one)) for one in held_out), key=lambda one: len(one[1].ids))
    by: dict[str, list[float]] = {kind: [] for kind in COUNTS}
    overlaps: list[float] = []
    with torch.inference_mode():
        for at in range(0, len(coded), BATCH):
            group = coded[at : at + BATCH]
            verdicts, starts, ends = run(model, collate(group, encoder.padding))
            for row, (example, one) in enumerate(group):
                by[example.kind].append(float(verdicts[row]))
                if example.kind == "answer" and example.span:
                    first, last = best_span(starts[row].numpy(), ends[row].numpy(), one)
                    a, b = token_span(one, *example.span) or (0, -1)
                    common = max(0, min(last, b) - max(first, a) + 1)
                    overlaps.append(2 * common / (last - first + 1 + b - a + 1))
    negatives = {kind: some for kind, some in by.items() if some and kind not in data.POSITIVE}
    refused = {share: np.array(by["unanswerable"]) < np.percentile(by["answer"], 100 - share) for share in SHARES}
    pairs = (("dated", "misdated"), ("table", "untabled"), ("polar", "unsaid"))
    return {
        "span_f1": round(float(np.mean(overlaps)), 4),
        "auroc": {kind: _auroc(by["answer"], some) for kind, some in negatives.items()}
        | {f"{no} against {yes}": _auroc(by[yes], by[no]) for yes, no in pairs},
        "refused": {share: round(float(some.mean()), 4) for share, some in refused.items()},
    }


def _auroc(positive: list[float], negative: list[float]) -> float:
    return round(float(roc_auc_score([1] * len(positive) + [0] * len(negative), positive + negative)), 4)
