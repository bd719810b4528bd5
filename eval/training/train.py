"""Trains the reader, stage by stage; needs the `train` extra.

    python -m eval.training.train TRAIN_DIR --start WEIGHTS_DIR --out RUN_DIR --minutes 95 [--resume]
    python -m eval.training.train TRAIN_DIR --start WEIGHTS_DIR --out RUN_DIR --minutes 95 --own GATHERED \\
        --weights PACKAGED_DIR --difference DIFFERENCE --frozen 6 --rate 3.3e-5

TRAIN_DIR holds `pairs.jsonl.gz` and `passages.jsonl.gz` (fields in the model card), WEIGHTS_DIR a published encoder
(model.safetensors, config.json, tokenizer.json). Minutes are those of the clock, evaluations included, in all stages
together; the learning rate falls with them, towards zero when they are over, or with the examples seen, towards zero
at `--plan`. `--resume` goes on exactly where the last stage stopped. A run that is asked to end (SIGTERM) saves first.
`--own` (from `eval.training.gather`) mixes groups of passages of one question with the pairs. Where there is a GPU, it is
used, and no layer stays frozen. RUN_DIR gets `log.jsonl` (loss, rate, speed), `dev.jsonl` (what is held out),
`state.pt` (to resume) and `reader.safetensors` (the averaged weights as a difference from the public ones).
"""

import json
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
import torch
from tokenizers import Tokenizer

from eval.training import data, dev, own, synonyms
from eval.training.batches import BATCH, collate, collate_groups, encode
from eval.training.network import (
    Reader,
    averaged,
    freeze,
    load_difference,
    load_reader,
    loss_of,
    moved,
    put,
    run,
    save_difference,
    trained,
)
from eval.training.own import Own
from eval.training.packaged import packaged_weights
from eval.training.pairs import Corpus, load
from qa.embed import token_ends
from qa.reader.encode import Encoder

AVERAGE_EVERY, AVERAGE = 5, 0.995  # steps; what the average keeps at each: as 0.999 at every step
LOG_EVERY = 25  # steps
GPU_BATCH = 128
PAIR_DEV = 0.25  # of the held-out pairs, where groups are evaluated as well


@dataclass(slots=True)
class Progress:
    """How far training is: batches done (the data's order follows from them) and seconds by the clock."""

    step: int = 0
    seconds: float = 0.0
    first: int = 0  # the step at which the optimiser was new
    grouped: int = 0  # of the steps, those on groups


def stream(
    corpus: Corpus, encoder: Encoder, *, seed: int, from_step: int, without: Collection[str] = (), size: int = BATCH
) -> Iterator[dict[str, torch.Tensor]]:
    """The batches from `from_step` on, without end: blocks in order, inside a block like lengths together."""
    number, done = divmod(from_step, -(-data.BLOCK // size))
    while True:
        block = data.block(corpus, number, seed=seed, without=without)
        coded = [(example, encode(encoder, example)) for example in block]
        coded.sort(key=lambda one: len(one[1].ids))
        groups = [coded[at : at + size] for at in range(0, len(coded), size)]
        Random(f"{seed}:{number}:batches").shuffle(groups)
        for group in groups[done:]:
            yield collate(group, encoder.padding)
        number, done = number + 1, 0


def group_stream(
    collection: Own, encoder: Encoder, *, seed: int, from_step: int, size: int = BATCH
) -> Iterator[dict[str, torch.Tensor]]:
    """As `stream`, of groups: as many whole ones in a batch as have about `size` passages."""
    count = max(1, size // own.SIZE)
    number, done = divmod(from_step, -(-own.BLOCK // count))
    while True:
        coded = [
            [(example, encode(encoder, example)) for example in group]
            for group in own.block(collection, number, seed=seed)
        ]
        coded.sort(key=lambda group: max(len(one.ids) for _, one in group))
        batches = [coded[at : at + count] for at in range(0, len(coded), count)]
        Random(f"{seed}:{number}:groups").shuffle(batches)
        for batch in batches[done:]:
            yield collate_groups(batch, encoder.padding)
        number, done = number + 1, 0


def optimiser(model: Reader, *, rate: float, head_rate: float) -> torch.optim.AdamW:
    """AdamW in three groups: matrices, vectors (no decay), heads; each remembers its full rate as `peak`."""
    inner = [p for p in model.encoder.parameters() if p.requires_grad]
    heads = [p for part in (model.place, model.vote, model.margin, model.denies) for p in part.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in inner if p.ndim > 1], "peak": rate, "weight_decay": 0.01},
        {"params": [p for p in inner if p.ndim < 2], "peak": rate, "weight_decay": 0.0},
        {"params": heads, "peak": head_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, foreach=True)


def rate_at(step: int, *, first: int, warm_up: int, left: float) -> float:
    """The share of the full rate: up within `warm_up` steps of a new optimiser, then down with what is `left`.

    `first` is the step at which the optimiser was new, `left` the share of the run that is still to come.
    """
    return min((step - first + 1) / warm_up, max(0.0, left))


def learn(model: Reader, adam: torch.optim.AdamW, batch: dict[str, torch.Tensor], *, smoothing: float) -> float:
    """One step; returns the loss before it."""
    batch = moved(batch, model)
    loss = loss_of(run(model, batch), batch, smoothing=smoothing)
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
    adam.step()
    adam.zero_grad()
    return float(loss.item())


def follow(average: dict[str, torch.Tensor], model: Reader, step: int) -> None:
    """Move the average towards the weights; a young one quickly, so that the untrained outputs are soon forgotten."""
    own = trained(model)
    kept = min(AVERAGE, step / (step + 50))
    torch._foreach_lerp_(list(average.values()), [own[name] for name in average], 1 - kept)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write in one step: a run that is killed leaves the state before it."""
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--start", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--resume", is_flag=True, help="Go on from OUT/state.pt, exactly.")
@click.option(
    "--weights",
    type=click.Path(exists=True, path_type=Path),
    help="Go on from these: a file that a stage wrote, or the folder of a packaged reader.",
)
@click.option("--step", default=0, show_default=True, help="That --weights had reached; the optimiser is new.")
@click.option("--mined", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="From eval.training.mine.")
@click.option("--wordnet", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Its files' folder.")
@click.option(
    "--difference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="From the packaged reader of --weights, to go on from.",
)
@click.option("--own", "gathered", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Groups.")
@click.option("--own-share", default=0.62, show_default=True, help="Of the batches, with --own.")
@click.option("--minutes", default=95.0, show_default=True, help="By the clock, in all stages together.")
@click.option("--plan", type=int, help="Examples in all stages together; without, the rate falls with the minutes.")
@click.option("--batch", "size", type=int, help=f"Passages at a time.  [default: {BATCH}, on a GPU {GPU_BATCH}]")
@click.option("--rate", default=5e-5, show_default=True)
@click.option("--head-rate", default=1e-3, show_default=True)
@click.option("--warm-up", default=100, show_default=True, help="Steps.")
@click.option(
    "--every", default=1, show_default=True, help="Of the layers keep each second, third …: to compare sizes."
)
@click.option(
    "--frozen", default=0, show_default=True, help="Layers, from the first on, that stay as they are; on a GPU none."
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice([*data.OPTIONAL, "forms"]),
    help="Do without, to see what it gives.",
)
@click.option("--smoothing", default=0.02, show_default=True, help="Of the answerability labels.")
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--save-minutes", default=5.0, show_default=True)
@click.option("--own-dev", default=300, show_default=True, help="Held-out questions to evaluate, with --own.")
@click.option("--dev-minutes", default=20.0, show_default=True)
def main(
    source: Path, start: Path, out: Path, resume: bool, weights: Path | None, step: int,
    mined: Path | None, wordnet: Path | None, difference: Path | None, gathered: Path | None, own_share: float,
    minutes: float, plan: int | None, size: int | None, rate: float, head_rate: float,
    warm_up: int, every: int, frozen: int, without: tuple[str, ...], smoothing: float, seed: int, threads: int,
    save_minutes: float, own_dev: int, dev_minutes: float,
) -> None:  # fmt: skip
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(Tokenizer.from_file(str(start / "tokenizer.json")))
    model = load_reader(start, every=every).train()
    public = {name: weight.clone() for name, weight in trained(model).items() if name.startswith("encoder.")}
    if weights:
        put(model, packaged_weights(weights) if weights.is_dir() else load_difference(weights, public))
    if difference:
        put(model, load_difference(difference, {name: one.clone() for name, one in trained(model).items()}))
    on_gpu = torch.cuda.is_available()
    model.to("cuda" if on_gpu else "cpu")
    size = size or (GPU_BATCH if on_gpu else BATCH)
    freeze(model, 0 if on_gpu else frozen)
    average = {name: weight.clone() for name, weight in trained(model).items()}
    adam, progress = optimiser(model, rate=rate, head_rate=head_rate), Progress(step=step, first=step)
    if resume:
        state = torch.load(out / "state.pt", weights_only=True)
        put(model, state["weights"])
        adam.load_state_dict(state["adam"])
        average, progress = state["average"], Progress(**state["progress"])
    options = {key: str(value) for key, value in click.get_current_context().params.items()}
    append(out / "log.jsonl", asdict(progress) | {"pid": os.getpid(), "options": options})
    held_out = dev.examples(load(source, token_ends, dev=True), seed=0, share=PAIR_DEV if gathered else 1.0)
    corpus = load(source, token_ends, mined=mined, synonyms=synonyms.load(wordnet) if wordnet else None)
    collection = own.load(gathered, split="train") if gathered else None
    asked = own.dev_groups(own.load(gathered, split="dev"), own_dev, seed=0) if gathered else None
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked_to_end.append(number))

    def keep() -> None:
        state = {"weights": trained(model), "average": average, "adam": adam.state_dict(), "progress": asdict(progress)}
        save(out / "state.pt", state)
        save_difference(out / "reader.part", {name: one.cpu() for name, one in average.items()}, public)
        os.replace(out / "reader.part", out / "reader.safetensors")

    def look() -> None:
        with averaged(model, average):
            row = asdict(progress) | dev.evaluate(model, encoder, held_out)
            append(out / "dev.jsonl", row | ({"own": dev.evaluate_own(model, encoder, *asked)} if asked else {}))

    looked, done, losses = progress.seconds, 0, list[float]()
    begun = saved = logged = time.monotonic()
    before = progress.seconds
    paired = stream(corpus, encoder, seed=seed, from_step=progress.step - progress.grouped, without=without, size=size)
    grouped = (
        group_stream(collection, encoder, seed=seed, from_step=progress.grouped, size=size) if collection else None
    )
    while not asked_to_end:
        spent = progress.seconds / (minutes * 60)
        left = 1 - progress.step * size / plan if plan else 1 - spent
        share = rate_at(progress.step, first=progress.first, warm_up=warm_up, left=left)
        if spent >= 1 or share <= 0:
            break
        is_grouped = grouped is not None and Random(f"{seed}:{progress.step}:source").random() < own_share
        batch = next(grouped if grouped and is_grouped else paired)
        for group in adam.param_groups:
            group["lr"] = group["peak"] * share
        losses.append(learn(model, adam, batch, smoothing=smoothing))
        done += len(batch["answerable"])
        progress.step += 1
        progress.grouped += is_grouped
        if progress.step % AVERAGE_EVERY == 0:
            follow(average, model, progress.step)
        progress.seconds = before + time.monotonic() - begun
        if progress.step % LOG_EVERY == 0:
            row = {"loss": round(float(np.mean(losses)), 4), "rate": rate * share}
            row["per_s"] = round(done / (time.monotonic() - logged), 2)
            append(out / "log.jsonl", asdict(progress) | row | {"at": time.strftime("%H:%M:%S")})
            done, losses, logged = 0, [], time.monotonic()
        if time.monotonic() - saved >= save_minutes * 60:
            keep()
            saved = time.monotonic()
        if progress.seconds - looked >= dev_minutes * 60:
            look()
            looked = progress.seconds
    keep()
    if not asked_to_end:
        look()


if __name__ == "__main__":
    main()
