"""Makes a reader, from a folder of training data to a verified model in place; needs the `train` extra.

    python -m eval.training DATA OUT --start WEIGHTS_DIR [--bench BENCH_DIR] [--minutes 100] [--seed 1] [--into DIR]

DATA holds the pairs and the questions in people's own words (the model card lists the files); WEIGHTS_DIR holds the
published encoder. The stages work in OUT: gather, train, export, calibrate, then verify and place. An interrupted run
goes on where it stopped when the same command is given again. The folder --into changes at the end only, whole. Its
card gets the figures in a marked section. With CUDA, training runs there.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import click

from eval.jsonl import read_lines
from eval.training import calibrate, card, export, gather, place, swap, train
from eval.training.trainer import Settings, Trainer
from qa.errors import ModelError, QAError
from qa.reader.packaged import MODEL

DONE = "done.json"  # in the folder of the run: its last figures


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make, from what, and where."""

    data: Path
    out: Path
    start: Path  # the published encoder
    into: Path = MODEL
    weights: Path | None = MODEL  # that training goes on from; None: a fresh reader on the published encoder
    difference: Path | None = None  # from `weights`
    bench: Path | None = None  # SQuAD 2.0's files, for the calibration
    sample: int = 400  # questions of each half of each benchmark, for the calibration
    max_apart: float = place.MAX_APART
    settings: Settings = field(default_factory=Settings)

    @property
    def gathered(self) -> Path:
        """What `gather` writes."""
        return self.out / "gathered.jsonl.gz"

    @property
    def run(self) -> Path:
        """The folder of the training run."""
        return self.out / "run"

    @property
    def model(self) -> Path:
        """The folder of the model until it is put in place."""
        return self.out / "model"


def stages(plan: Plan) -> Iterator[tuple[str, Callable[[], bool], Callable[[], None]]]:
    """Each stage: its name, whether it is done, and what does it."""
    yield "gather", plan.gathered.exists, lambda: _gather(plan)
    yield "train", (plan.run / DONE).exists, lambda: _train(plan)
    yield "export", lambda: _is_exported(plan), lambda: _export(plan)
    yield "calibrate", lambda: place.is_fitted(plan.model), lambda: _calibrate(plan)
    yield "place", lambda: False, lambda: _place(plan)


def make(plan: Plan, show: Callable[[str], None] = lambda text: None) -> None:
    """Run the stages that are not done; raises QAError with what to do next."""
    plan.out.mkdir(parents=True, exist_ok=True)
    _keep_options(plan)
    for folder in (plan.model, plan.into):
        swap.recover(folder)
    for name, is_done, work in stages(plan):
        show(f"{name}: {'done before' if is_done() else 'begins'}")
        if not is_done():
            work()


def _keep_options(plan: Plan) -> None:
    """Write what the run was begun with; raises ModelError when the folder was begun with something else."""
    path = plan.out / "options.json"
    options = {name: json.loads(json.dumps(value, default=str)) for name, value in asdict(plan).items()}
    if not path.exists():
        path.write_text(json.dumps(options, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(path.read_text("utf-8"))
    changed = [name for name, value in options.items() if before.get(name) != value]
    if changed:
        raise ModelError(f"{plan.out} was begun with other values of {', '.join(changed)}; choose another OUT.")


def _gather(plan: Plan) -> None:
    gather.gather(plan.data, plan.gathered, threads=plan.settings.threads)


def _train(plan: Plan) -> None:
    import torch

    settings = plan.settings
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    plan.run.mkdir(exist_ok=True)
    model, public = train.start_model(
        plan.start, weights=plan.weights, difference=plan.difference, frozen=settings.frozen
    )
    known = train.read_data(plan.data, plan.gathered, dev_questions=settings.dev_questions)
    trainer = Trainer(model, public, train.open_encoder(plan.start), known, plan.run, settings)
    trainer.resume()
    if not trainer.run():
        raise ModelError(f"training was asked to end; give the same command again to go on from {plan.run}.")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    facts = {"device": device, "step": trainer.progress.step, "seconds": round(trainer.progress.seconds)}
    (plan.run / "done.part").write_text(json.dumps(facts), encoding="utf-8")
    (plan.run / "done.part").replace(plan.run / DONE)


def _is_exported(plan: Plan) -> bool:
    return (plan.model / swap.SUMS).exists()


def _export(plan: Plan) -> None:
    export.export_run(plan.start, plan.run / "reader.safetensors", plan.model, plan.data)


def _calibrate(plan: Plan) -> None:
    sources = ({"squad2": plan.bench} if plan.bench else {}) | {"ownwords": plan.data}
    calibrate.calibrate(
        plan.model, sources, plan.out / "outcomes", sample=plan.sample, seed=plan.settings.seed, show=True
    )


def _place(plan: Plan) -> None:
    path = plan.model / card.TRAINING
    path.write_text(json.dumps(_facts(plan)), encoding="utf-8")
    place.place(plan.model, plan.into, max_apart=plan.max_apart)


def _facts(plan: Plan) -> dict[str, Any]:
    """What the card says of the training."""
    done = json.loads((plan.run / DONE).read_text("utf-8"))
    *_, last = read_lines(plan.run / "dev.jsonl")
    own, settings = last.get("own", {}), plan.settings
    return {
        "steps": f"{done['step']:,} in {done['seconds'] / 60:.0f} minutes on {done['device']}",
        "seed": settings.seed,
        "rate, share of groups, frozen layers": f"{settings.rate:g}, {settings.own_share}, {settings.frozen}",
        "held-out pairs: AUROC of unanswerable": last["auroc"].get("unanswerable"),
        "held-out own words: AUROC": own.get("auroc"),
        "… of questions put to other documents": own.get("auroc_away"),
        "… of denials": own.get("auroc_denies"),
        "… right passage first": own.get("right_first"),
        "answerable away from torch's, mean, logits": round(place.verify(plan.model, max_apart=plan.max_apart), 4),
    }


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("data", type=_FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--start", type=_FOLDER, required=True, help="The published encoder.")
@click.option(
    "--weights",
    type=click.Path(file_okay=False, path_type=Path),
    default=MODEL,
    help="A packaged reader to go on from.  [default: the package]",
)
@click.option("--fresh", is_flag=True, help="Begin from the published encoder alone, without --weights.")
@click.option("--difference", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="From --weights.")
@click.option("--bench", type=_FOLDER, help="SQuAD 2.0's files, for the calibration.")
@click.option("--sample", default=400, show_default=True, help="Questions of each half, for the calibration.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=MODEL, help="[default: the package]")
@click.option("--minutes", default=100.0, show_default=True, help="Of training steps.")
@click.option("--seed", default=1, show_default=True)
@click.option("--first-block", default=0, show_default=True, help="Of the pairs; earlier ones trained --weights.")
@click.option("--threads", default=2, show_default=True)
def main(
    data: Path, out: Path, start: Path, weights: Path, fresh: bool, difference: Path | None, bench: Path | None,
    sample: int, into: Path, **options: Any,
) -> None:  # fmt: skip
    settings = Settings(**{known.name: options[known.name] for known in fields(Settings) if known.name in options})
    plan = Plan(
        data, out, start, into=into, weights=None if fresh else weights, difference=difference, bench=bench,
        sample=sample, settings=settings,
    )  # fmt: skip
    try:
        make(plan, show=click.echo)
    except QAError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{into} holds the new reader")


if __name__ == "__main__":
    main()
