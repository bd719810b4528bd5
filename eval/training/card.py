"""The figures of the reader's card, from the files of the model itself. Pure but for reading them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.outputs import markdown_row
from eval.training.swap import sha256
from qa.errors import ModelError
from qa.reader.packaged import FILES

BEGIN = "<!-- begin: written by python -m eval.training -->"
END = "<!-- end: written by python -m eval.training -->"
TRAINING = "training.json"  # facts of the run that made the model, for the card
NAMES = {"squad2": "SQuAD 2.0 as one open collection", "ownwords": "own words with each document alone"}
COLUMNS = {
    "questions": "questions",
    "answerable_right": "answerable right",
    "unanswerable_refused": "unanswerable refused",
    "balanced_accuracy": "balanced",
    "auroc_answerable": "AUROC",
    "ece": "ECE",
}


def section(folder: Path) -> str:
    """The marked section of the card of the model in `folder`: its files, its training, its calibration."""
    path = folder / TRAINING
    training = [_training(json.loads(path.read_text("utf-8")))] if path.exists() else []
    return "\n\n".join([BEGIN, files(folder), *training, calibration(folder), END])


def with_section(card: str, made: str) -> str:
    """The card with this section in place of the marked one; at its end when it has none."""
    before, begin, rest = card.partition(BEGIN)
    if not begin:
        return f"{card.rstrip()}\n\n{made}\n"
    _, end, after = rest.partition(END)
    if not end:
        raise ModelError(f"the card has a line {BEGIN!r} but no line {END!r}; add it where the figures end.")
    return before + made + after


def files(folder: Path) -> str:
    """A table of the model's files."""
    rows = [markdown_row(["file", "bytes", "sha256"]), markdown_row(["---"] * 3)]
    for name in FILES:
        path = folder / name
        rows.append(markdown_row([f"`{name}`", f"{path.stat().st_size:,}", f"`{sha256(path)}`"]))
    return "\n".join(rows)


def _training(facts: Mapping[str, Any]) -> str:
    rows = [markdown_row(["training", ""]), markdown_row(["---"] * 2)]
    rows += [markdown_row([name, str(value)]) for name, value in facts.items()]
    return "\n".join(rows)


def calibration(folder: Path) -> str:
    """What `calibration.json` says, in words and as a table."""
    fitted = json.loads((folder / "calibration.json").read_text("utf-8"))
    sample = fitted["fitted_on"]["sample"]
    names = " and ".join(NAMES[name] for name in fitted["on_the_other_halves"])
    text = (
        f"Probability = 1 / (1 + exp(-({fitted['slope']:.3f} · logit {fitted['intercept']:+.3f}))), answered from"
        f" {fitted['threshold']} on. Fitted on up to {sample} questions of the first half of {names}. The second row of"
        " each benchmark is the smallest threshold at which at most 5 % of the answers on the first half are wrong."
    )
    rows = [markdown_row(["", "threshold", *COLUMNS.values()]), markdown_row(["---"] * (2 + len(COLUMNS)))]
    for name in fitted["on_the_other_halves"]:
        rows.append(_row(f"{NAMES[name]}, second half", fitted["on_the_other_halves"][name]))
        rows.append(_row(f"{NAMES[name]}, first half, few wrong", fitted["at_most_5_percent_wrong"][name]))
    return "\n".join([text, "", *rows])


def _row(label: str, figures: Mapping[str, Any]) -> str:
    return markdown_row([label, f"{figures['threshold']:.3f}", *(_number(figures[key]) for key in COLUMNS)])


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
