"""Fits the baseline reader's weights and calibration; needs the `train` extra.

    python -m qa.reader.fit_baseline TRAIN_DIR [--articles 90] [--questions 1800] [--seed 1]

TRAIN_DIR holds `pairs.jsonl.gz` and `passages.jsonl.gz` (fields in the model card). A seeded sample of articles
becomes folders of FOLDER_ARTICLES documents, as people have them; a question is asked of its folder through the real
search. Half of the questions are answerable, a quarter was written by people to be nearly so, and a quarter is asked of
another folder. The folders fall into three groups: weights are fitted on the first, the calibration on the second
(one row an answer: was it right?), and figures are reported on the third, which nothing was fitted on.
"""

import gzip
import hashlib
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from qa.assistant import Assistant
from qa.config import Config
from qa.embed import PackagedEmbedding
from qa.indexing import Store
from qa.reader import baseline

WEIGHTS, CALIBRATION, REPORT = range(3)
GROUPS = 3
FOLDER_ARTICLES = 3
THREADS = 2
NEUTRAL = {
    "weights": dict.fromkeys(baseline.FEATURES, 0.0),
    "bias": 0.0,
    "calibration": {"slope": 1.0, "intercept": 0.0},
}


@dataclass(frozen=True, slots=True)
class Case:
    """A question to ask of a folder; `gold` are the intervals of `document` there that answer it."""

    question: str
    folder: int
    document: str
    gold: tuple[tuple[int, int], ...]

    @property
    def group(self) -> int:
        return self.folder % GROUPS


@dataclass(frozen=True, slots=True)
class Row:
    """A case's candidates: features [n, 10], whether each overlaps the gold, and of which hit it is."""

    case: Case
    features: np.ndarray[Any, np.dtype[np.float64]]
    right: np.ndarray[Any, np.dtype[np.bool_]]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def build(source: Path, scratch: Path, *, articles: int, questions: int, seed: int) -> list[Case]:
    """Write the sampled articles to `scratch/N/docs`; returns the cases, half of them answerable."""
    random.seed(seed)
    by_title: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for passage in lines(source / "passages.jsonl.gz"):
        by_title[passage["title"]].append(passage)
    titles = random.sample(sorted(title for title, passages in by_title.items() if len(passages) >= 5), articles)
    places: dict[str, tuple[int, str, int, str]] = {}  # passage → folder, document, offset, text
    for number, title in enumerate(titles):
        folder, name, text = number // FOLDER_ARTICLES, f"{number:04}.txt", title.replace("_", " ")
        for passage in by_title[title]:
            text += "\n\n"
            places[passage["id"]] = (folder, name, len(text), passage["text"])
            text += passage["text"]
        (scratch / f"{folder}" / "docs").mkdir(parents=True, exist_ok=True)
        (scratch / f"{folder}" / "docs" / name).write_text(text, encoding="utf-8")
    folders = 1 + (articles - 1) // FOLDER_ARTICLES
    answerable: dict[int, list[Case]] = defaultdict(list)
    nearly: dict[int, list[Case]] = defaultdict(list)
    for pair in lines(source / "pairs.jsonl.gz"):
        # An automatic "hardneg" may well be answered elsewhere in the folder; those written by people are not.
        if pair["passage"] in places and (pair["answerable"] or pair["kind"].startswith("unans")):
            folder, document, offset, text = places[pair["passage"]]
            spans = [(text.find(one), len(one)) for one in pair["answers"]]
            gold = tuple((offset + at, offset + at + length) for at, length in spans if at >= 0)
            case = Case(normalise(pair["question"]), folder, document, gold)
            if gold:
                answerable[case.group].append(case)
            elif not pair["answerable"]:
                nearly[case.group].append(case)
    cases = []
    for group in range(GROUPS):
        quarter = min(questions // GROUPS // 4, len(answerable[group]) // 3, len(nearly[group]))
        picked = random.sample(answerable[group], 3 * quarter)
        cases += picked[quarter:] + random.sample(nearly[group], quarter)
        cases += [replace(case, folder=(case.folder + GROUPS) % folders, gold=()) for case in picked[:quarter]]
    return cases


def normalise(question: str) -> str:
    """Undo the spacing that tells the sources of questions apart."""
    for mark in ("?", ",", ".", "'s", "n't", ")", "%"):
        question = question.replace(f" {mark}", mark)
    return " ".join(question.replace("( ", "(").replace("``", '"').replace("''", '"').split())


def measure(assistant: Assistant, memory: baseline.Memory, case: Case) -> Row:
    hits = assistant.search(case.question)
    candidates = [baseline.candidates_of(hit) for hit in hits]
    table = baseline.feature_table(memory, case.question, hits, candidates)
    right = [
        hit.node.metadata["document"] == case.document and any(s < span[1] and span[0] < e for s, e in case.gold)
        for hit, spans in zip(hits, candidates, strict=True)
        for span in spans
    ]
    return Row(case, np.concatenate(table), np.array(right, bool))


def best_threshold(
    probability: np.ndarray[Any, Any], right: np.ndarray[Any, Any], answerable: np.ndarray[Any, Any]
) -> float:
    """The threshold of the highest balanced accuracy: (answerable answered right + unanswerable refused) / 2."""
    tried = np.unique(probability.round(3))
    accuracy = [
        (right & (probability >= one))[answerable].mean() + (probability < one)[~answerable].mean() for one in tried
    ]
    return float(tried[int(np.argmax(accuracy))])


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--articles", default=90, show_default=True)
@click.option("--questions", default=1800, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(source: Path, articles: int, questions: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        cases = build(source, Path(scratch), articles=articles, questions=questions, seed=seed)
        memory = baseline.Memory(PackagedEmbedding(threads=THREADS))
        rows: list[Row] = []
        with click.progressbar(sorted({case.folder for case in cases}), label="folders") as bar:
            for folder in bar:
                place = Path(scratch, str(folder))
                config = Config(data_dir=place, threads=THREADS)
                assistant = Assistant(Store(place / "store", place / "docs"), config, NEUTRAL)
                assistant.refresh()
                rows += [measure(assistant, memory, case) for case in cases if case.folder == folder]
                assistant.close()
    rows = [row for row in rows if len(row.features)]
    fit = [row for row in rows if row.case.group == WEIGHTS]
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(np.concatenate([row.features for row in fit]), np.concatenate([row.right for row in fit]))

    def tops(group: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(logit of the best candidate, is it right, is the question answerable) of each answer of a group."""
        chosen = [row for row in rows if row.case.group == group]
        logits = [model.decision_function(row.features) for row in chosen]
        return (
            np.array([logit.max() for logit in logits]),
            np.array([row.right[logit.argmax()] for row, logit in zip(chosen, logits, strict=True)]),
            np.array([bool(row.case.gold) for row in chosen]),
        )

    logits, right, answerable = tops(CALIBRATION)
    platt = LogisticRegression(C=1e6).fit(logits[:, None], right)
    threshold = best_threshold(platt.predict_proba(logits[:, None])[:, 1], right, answerable)
    logits, right, answerable = tops(REPORT)
    probability = platt.predict_proba(logits[:, None])[:, 1]
    bins = np.minimum((probability * 10).astype(int), 9)
    ece = sum(
        abs(probability[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())
    )
    card = {
        "weights": {name: round(float(w), 4) for name, w in zip(baseline.FEATURES, model.coef_[0], strict=True)},
        "bias": round(float(model.intercept_[0]), 4),
        "calibration": {"slope": round(float(platt.coef_[0, 0]), 4), "intercept": round(float(platt.intercept_[0]), 4)},
        "threshold": round(threshold, 3),
        "provenance": {
            "command": "python -m qa.reader.fit_baseline TRAIN_DIR"
            f" --articles {articles} --questions {questions} --seed {seed}",
            "data": "a sample of SQuAD 2.0 train (CC BY-SA 4.0) and other public sets; see README.md beside this file",
            "questions": {
                "weights": len(fit),
                "calibration": int(sum(r.case.group == CALIBRATION for r in rows)),
                "report": len(right),
            },
        },
        "report": {
            "right_when_always_answering": round(float(right.mean()), 4),
            "auroc_right": round(float(roc_auc_score(right, probability)), 4),
            "auroc_answerable": round(float(roc_auc_score(answerable, probability)), 4),
            "answerable_right_at_threshold": round(float((right & (probability >= threshold))[answerable].mean()), 4),
            "unanswerable_refused_at_threshold": round(float((probability < threshold)[~answerable].mean()), 4),
            "brier": round(float(brier_score_loss(right, probability)), 4),
            "ece_10_bins": round(float(ece), 4),
            "answerable_in_hits": round(
                float(np.mean([r.right.any() for r in rows if r.case.group == REPORT and r.case.gold])), 4
            ),
        },
    }
    baseline.WEIGHTS.parent.mkdir(exist_ok=True)
    baseline.WEIGHTS.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    digest = hashlib.sha256(baseline.WEIGHTS.read_bytes()).hexdigest()
    (baseline.WEIGHTS.parent / "SHA256SUMS").write_text(f"{digest}  {baseline.WEIGHTS.name}\n", encoding="utf-8")
    click.echo(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
