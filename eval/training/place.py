"""Verifies an exported and calibrated reader, writes its figures into the card, and puts it in place, whole.

    python -m eval.training.place MODEL_DIR [--into qa/models/reader]

The place keeps its other files (the card, pictures). Nothing changes there unless the new files are complete, open in
the product's reader, and give torch's numbers.
"""

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import numpy as np

from eval.training import card
from eval.training.swap import SUMS, check_sums, replacing
from qa.errors import ModelError, QAError
from qa.reader.packaged import FILES, MODEL, CrossEncoder

TORCH = "torch.json"  # what torch says to some passages
MAX_APART = 0.3  # logits; the mean distance of `answerable` from torch's numbers. Without smoothing it is 0.57
CARD = "README.md"


def is_fitted(folder: Path) -> bool:
    """Whether the folder holds a reader whose calibration was fitted."""
    path = folder / "calibration.json"
    return path.exists() and "fitted_on" in json.loads(path.read_text("utf-8"))


def verify(folder: Path, *, max_apart: float = MAX_APART) -> float:
    """The mean distance of `answerable` from torch's, in logits; raises ModelError for a model that is not usable."""
    check_sums(folder, FILES)
    try:
        session, _ = CrossEncoder(threads=1, folder=folder).load()
        samples = json.loads((folder / TORCH).read_text("utf-8"))
        apart = fmean(abs(_answerable(session, sample) - sample["answerable"]) for sample in samples)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} cannot be verified ({error}); export the model again.") from None
    if not apart <= max_apart:
        raise ModelError(f"{folder}: answerable is {apart:.3f} away from torch's, more than {max_apart}; export again.")
    return apart


def _answerable(session: Any, sample: dict[str, Any]) -> float:
    feed = {name: np.array([sample[name]], np.int64) for name in ("input_ids", "segments")}
    return float(session.run(["answerable"], feed)[0][0])


def place(made: Path, into: Path = MODEL, *, max_apart: float = MAX_APART) -> float:
    """Verify the model in `made`, and put it and its card's figures into the folder `into`; returns as `verify`."""
    if not is_fitted(made):
        raise ModelError(f"{made} is not calibrated; run python -m eval.training.calibrate first.")
    apart = verify(made, max_apart=max_apart)
    with replacing(into) as new:
        for name in (*FILES, SUMS):
            shutil.copyfile(made / name, new / name)
        text = (new / CARD).read_text("utf-8") if (new / CARD).exists() else "# Reader\n"
        (new / CARD).write_text(card.with_section(text, card.section(made)), encoding="utf-8")
        check_sums(new, FILES)
    return apart


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("made", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=MODEL, help="[default: the package]")
def main(made: Path, into: Path) -> None:
    try:
        apart = place(made, into)
    except QAError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{into}: answerable is {apart:.3f} logits away from torch's on average")


if __name__ == "__main__":
    main()
