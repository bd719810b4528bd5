"""Draws how training went, for the model card: `python -m eval.training.plot RUN_DIR… OUT.png`; needs `report`."""

from pathlib import Path
from typing import Any

import click

from eval.jsonl import read_lines


def rows(path: Path) -> list[dict[str, Any]]:
    """A log's measurements in order; the lines that begin a stage are left out."""
    return [row for row in read_lines(path) if "options" not in row] if path.exists() else []


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def main(runs: tuple[Path, ...], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (losses, kinds, spans) = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for run in runs:
        log, dev = rows(run / "log.jsonl"), rows(run / "dev.jsonl")
        losses.plot([row["seconds"] / 60 for row in log], [row["loss"] for row in log], label=run.name)
        seen = [row["seconds"] / 60 for row in dev]
        spans.plot(seen, [row["span_f1"] for row in dev], "o-", label=f"{run.name}: span F1")
        spans.plot(seen, [row["refused"]["90"] for row in dev], "s--", label=f"{run.name}: refused at 90 % answered")
        for kind in dev[0]["auroc"] if dev else ():
            kinds.plot(seen, [row["auroc"][kind] for row in dev], "o-", label=f"{run.name}: {kind}"[-40:])
    for axes, title in ((losses, "loss"), (kinds, "AUROC by kind of negative"), (spans, "spans and refusals")):
        axes.set(title=f"{title} (held-out titles)" if axes is not losses else title, xlabel="minutes of training")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
