"""Figures on held-out data during training, for each kind of question. For training only."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from eval.training import data, own
from eval.training.batches import BATCH, collate, encode
from eval.training.data import Example
from eval.training.network import Reader, moved, run
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


def examples(corpus: Corpus, *, seed: int, share: float = 1.0) -> list[Example]:
    """Examples of every kind, the same each time and without variations; `share` of COUNTS of them."""
    random, made = Random(f"{seed}:dev"), list[Example]()
    for kind, count in COUNTS.items():
        pool = list(data.pool_of(corpus, kind))
        random.shuffle(pool)
        found = (data.make(corpus, pair, kind, random, plain=True) for pair in pool)
        made += [example for example, _ in zip(filter(None, found), range(round(share * count)), strict=False)]
    return made


def evaluate(model: Reader, encoder: Encoder, held_out: list[Example]) -> dict[str, Any]:
    """AUROC of `answer` against each kind, token F1 of the spans, and unanswerable refused at each share answered."""
    coded = sorted(((example, encode(encoder, example)) for example in held_out), key=lambda pair: len(pair[1].ids))
    by: dict[str, list[float]] = {kind: [] for kind in COUNTS}
    overlaps: list[float] = []
    with torch.inference_mode():
        for at in range(0, len(coded), BATCH):
            group = coded[at : at + BATCH]
            verdicts, starts, ends, _ = run(model, moved(collate(group, encoder.padding), model))
            for row, (example, encoded) in enumerate(group):
                by[example.kind].append(float(verdicts[row]))
                if example.kind == "answer" and example.span:
                    first, last = best_span(starts[row].cpu().numpy(), ends[row].cpu().numpy(), encoded)
                    a, b = token_span(encoded, *example.span) or (0, -1)
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


def evaluate_own(
    model: Reader, encoder: Encoder, groups: Sequence[Sequence[Example]], away: Sequence[Sequence[Example]]
) -> dict[str, Any]:
    """Figures on each question's best passage: AUROC of answered questions, and how often the right one wins.

    `away` holds answered questions put to other documents. Groups come from `eval.training.own.dev_groups`.
    """
    scores, denials = score_groups(model, encoder, [*groups, *away])
    best = own.by_kind(groups, scores[: len(groups)])
    kinds = {examples[0].kind for examples in groups if examples[0].answerable}
    yes = [score for kind in kinds for score in best[kind]]
    no = [score for kind in best.keys() - kinds for score in best[kind]]
    first = [row[0] == max(row) for examples, row in zip(groups, scores, strict=False) if examples[0].answerable]
    denying = {state: [] for state in (True, False)}  # type: dict[bool, list[float]]
    for examples, row in zip([*groups, *away], denials, strict=True):
        for example, logit in zip(examples, row, strict=True):
            denying[example.denies].append(logit)
    return {
        "questions": [len(yes), len(no)],
        "auroc": _auroc(yes, no),
        "auroc_by_kind": {kind: _auroc(best[kind], no) for kind in sorted(kinds)},
        "auroc_away": _auroc(yes, [max(row) for row in scores[len(groups) :]]),
        "auroc_denies": _auroc(denying[True], denying[False]),
        "right_first": round(float(np.mean(first)), 4) if first else None,
        "refused": {n: round(float(np.mean(np.array(no) < np.percentile(yes, 100 - n))), 4) for n in SHARES}
        if yes and no
        else {},
    }


def score_groups(
    model: Reader, encoder: Encoder, groups: Sequence[Sequence[Example]]
) -> tuple[list[list[float]], list[list[float]]]:
    """The logits of `answerable` and of `denies`, by group and passage."""
    flat = [example for examples in groups for example in examples]
    coded = sorted(((n, encode(encoder, example)) for n, example in enumerate(flat)), key=lambda pair: len(pair[1].ids))
    found = np.zeros((2, len(flat)))
    with torch.inference_mode():
        for at in range(0, len(coded), BATCH):
            part = coded[at : at + BATCH]
            batch = collate([(flat[number], encoded) for number, encoded in part], encoder.padding)
            outputs = run(model, moved(batch, model))
            places = [number for number, _ in part]
            found[0, places], found[1, places] = outputs.answerable.cpu().numpy(), outputs.denies.cpu().numpy()
    ends = np.cumsum([len(examples) for examples in groups])
    answerable, denies = (
        [row[end - len(examples) : end].tolist() for examples, end in zip(groups, ends, strict=True)] for row in found
    )
    return answerable, denies


def _auroc(positive: list[float], negative: list[float]) -> float | None:
    if not (positive and negative):
        return None
    return round(float(roc_auc_score([1] * len(positive) + [0] * len(negative), positive + negative)), 4)
