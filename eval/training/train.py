"""Trains the reader; needs the `train` extra.

    python -m eval.training.train TRAIN_DIR --start WEIGHTS_DIR --out RUN_DIR --minutes 100 --own GATHERED \\
        --weights PACKAGED_DIR [--difference DIFFERENCE] [--resume]

TRAIN_DIR holds `pairs.jsonl.gz` and `passages.jsonl.gz` (the model card lists the fields). WEIGHTS_DIR holds a
published encoder: model.safetensors, config.json, tokenizer.json. `--own` (from `eval.training.gather`) mixes groups of
passages of one question with the pairs. Minutes count the steps of all stages, not the evaluations; the learning rate
falls with them. `--resume` goes on from the last saved state, and a run that gets SIGTERM saves first. With
CUDA, training runs there, in larger batches, and no layer stays frozen. RUN_DIR gets `log.jsonl` (loss, rate, speed),
`dev.jsonl` (figures on what is held out), `state.pt` (to resume) and `reader.safetensors` (the averaged weights as a
difference from the published ones).
"""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import torch
from tokenizers import Tokenizer

from eval.training import data, dev, own, synonyms
from eval.training.network import Reader, freeze, load_difference, load_reader, put, trained
from eval.training.packaged import packaged_weights
from eval.training.pairs import load
from eval.training.trainer import Settings, Trainer, TrainingData
from qa.embed import token_ends
from qa.reader.encode import Encoder

PAIR_DEV = 0.25  # of the held-out pairs are evaluated when groups are evaluated too


def read_data(
    source: Path, gathered: Path | None, *, dev_questions: int, mined: Path | None = None, wordnet: Path | None = None
) -> TrainingData:
    """The pairs of `source` and the groups that `eval.training.gather` wrote."""
    return TrainingData(
        load(source, token_ends, mined=mined, synonyms=synonyms.load(wordnet) if wordnet else None),
        own.load(gathered, split="train") if gathered else None,
        dev.examples(load(source, token_ends, dev=True), seed=0, share=PAIR_DEV if gathered else 1.0),
        own.dev_groups(own.load(gathered, split="dev"), dev_questions, seed=0) if gathered else None,
    )


def start_model(
    start: Path, *, weights: Path | None, difference: Path | None = None, every: int = 1, frozen: int = 0
) -> tuple[Reader, dict[str, torch.Tensor]]:
    """The model that training goes on from, on the GPU if there is one; and the published encoder's weights.

    `weights`: a packaged reader's folder, or a file that a run wrote. `difference`: a file of the difference from these
    weights. `frozen` layers stay as they are, with a GPU none.
    """
    model = load_reader(start, every=every).train()
    public = {name: weight.clone() for name, weight in trained(model).items() if name.startswith("encoder.")}
    if weights:
        put(model, packaged_weights(weights) if weights.is_dir() else load_difference(weights, public))
    if difference:
        put(model, load_difference(difference, {name: weight.clone() for name, weight in trained(model).items()}))
    on_gpu = torch.cuda.is_available()
    freeze(model, 0 if on_gpu else frozen)
    return model.to("cuda" if on_gpu else "cpu"), public


def open_encoder(start: Path) -> Encoder:
    """The encoder with the published tokenizer."""
    return Encoder(Tokenizer.from_file(str(start / "tokenizer.json")))


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DEFAULT = Settings()


def _setting(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for the field of Settings."""
    return click.option(f"--{name.replace('_', '-')}", default=getattr(_DEFAULT, name), show_default=True, help=text)


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=_FOLDER)
@click.option("--start", type=_FOLDER, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--resume", is_flag=True, help="Go on from OUT/state.pt.")
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="A packaged reader, or a run's file.")
@click.option("--difference", type=_FILE, help="From --weights, to go on from.")
@click.option("--own", "gathered", type=_FILE, help="Groups, from eval.training.gather.")
@click.option("--mined", type=_FILE, help="Pairs, from eval.training.mine.")
@click.option("--wordnet", type=_FOLDER, help="The folder of WordNet's files.")
@click.option("--every", default=1, show_default=True, help="Keep every second, third … layer: to compare sizes.")
@click.option("--without", multiple=True, type=click.Choice([*data.OPTIONAL, "forms"]), help="Leave out, to compare.")
@click.option("--batch", type=int, help="Passages at a time.  [default: 32, with CUDA 128]")
@_setting("minutes", "Of training steps, in all stages.")
@_setting("seed", "Of the order of the data and all that is drawn.")
@_setting("own_share", "Of the batches are groups.")
@_setting("first_block", "Of the pairs.")
@_setting("rate", "Of the encoder.")
@_setting("head_rate", "Of the outputs.")
@_setting("denial_rate", "Of the fourth output.")
@_setting("warm_up", "Steps.")
@_setting("frozen", "Layers, from the first on, that stay as they are; with CUDA none.")
@_setting("smoothing", "Of the answerability labels.")
@_setting("threads", "Of the CPU.")
@_setting("save_minutes", "Between two saves.")
@_setting("evaluations", "Between the first and the last one.")
@_setting("dev_questions", "Held-out questions to evaluate, with --own.")
def main(
    source: Path, start: Path, out: Path, resume: bool, weights: Path | None, difference: Path | None,
    gathered: Path | None, mined: Path | None, wordnet: Path | None, every: int, **options: Any,
) -> None:  # fmt: skip
    settings = Settings(**{field.name: options[field.name] for field in fields(Settings)})
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    model, public = start_model(start, weights=weights, difference=difference, every=every, frozen=settings.frozen)
    known = read_data(source, gathered, dev_questions=settings.dev_questions, mined=mined, wordnet=wordnet)
    trainer = Trainer(model, public, open_encoder(start), known, out, settings)
    if resume and not trainer.resume():
        raise click.UsageError(f"{out / 'state.pt'} does not exist; leave out --resume to begin.")
    trainer.run()


if __name__ == "__main__":
    main()
