"""Trains the reader, stage by stage; needs the `train` extra.

    python -m qa.reader.train TRAIN_DIR --start WEIGHTS_DIR --out RUN_DIR [--minutes 95] [--plan 200000] [--resume]

TRAIN_DIR holds `pairs.jsonl.gz` and `passages.jsonl.gz` (fields in the model card), WEIGHTS_DIR a published encoder
(model.safetensors, config.json, tokenizer.json). The learning rate falls with the examples seen, towards zero at
`--plan`, whatever the number of stages: `--resume` goes on exactly where the last stage stopped. RUN_DIR gets
`log.jsonl` (loss, rate, speed), `dev.jsonl` (the held-out titles), `state.pt` (to resume) and `reader.safetensors`
(the averaged weights as a difference from the public ones).
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

from qa.embed import token_ends
from qa.reader import data
from qa.reader.encode import Encoded, Encoder, token_span
from qa.reader.network import Reader, load_reader, loss_of, put, save_difference, trained

BATCH = 32
PAD_TO = 16  # each new shape costs the CPU library a compilation, once
AVERAGE_EVERY, AVERAGE = 5, 0.995  # steps; what the average keeps at each: as 0.999 at every step
DEV_EXAMPLES = {"answer": 500, "unanswerable": 400, "hardneg": 120, "elsewhere": 80, "removed": 80, "swap": 120,
                "offtopic": 40, "chat": 40, "dated": 100, "misdated": 100}  # fmt: skip
SHARES = (90, 70, 50)  # of the answerable that are answered, in percent


@dataclass(slots=True)
class Progress:
    """How far training is: batches done (the data's order follows from it) and seconds of work on all threads."""

    step: int = 0
    seconds: float = 0.0


def batches(corpus: data.Corpus, encoder: Encoder, *, seed: int, from_step: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches from `from_step` on, without end: blocks in order, inside a block like lengths together."""
    per_block = data.BLOCK // BATCH
    number, done = divmod(from_step, per_block)
    while True:
        coded = [(example, encode(encoder, example)) for example in data.block(corpus, number, seed=seed)]
        coded.sort(key=lambda one: len(one[1].ids))
        groups = [coded[at : at + BATCH] for at in range(0, len(coded), BATCH)]
        Random(f"{seed}:{number}:batches").shuffle(groups)
        for group in groups[done:]:
            yield collate(group, encoder.padding)
        number, done = number + 1, 0


def encode(encoder: Encoder, example: data.Example) -> Encoded:
    return encoder.encode(example.question, example.title, example.date, example.text)


def collate(group: list[tuple[data.Example, Encoded]], padding: int) -> dict[str, torch.Tensor]:
    """Tensors of the group, padded to a multiple of PAD_TO; start and end are 0 for no answer, -1 for unknown."""
    width = -(-max(len(one.ids) for _, one in group) // PAD_TO) * PAD_TO
    ids = np.full((len(group), width), padding, np.int64)
    segments, mask = np.zeros_like(ids), np.zeros_like(ids)
    places = np.zeros((len(group), 2), np.int64)
    for row, (example, one) in enumerate(group):
        ids[row, : len(one.ids)], segments[row, : len(one.ids)], mask[row, : len(one.ids)] = one.ids, one.segments, 1
        if example.answerable:
            places[row] = (example.span and token_span(one, *example.span)) or (-1, -1)
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "segments": torch.from_numpy(segments),
        "start": torch.from_numpy(places[:, 0].copy()),
        "end": torch.from_numpy(places[:, 1].copy()),
        "answerable": torch.tensor([float(example.answerable) for example, _ in group]),
        "weight": torch.tensor([example.weight for example, _ in group]),
    }


def run(model: Reader, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(batch["input_ids"], batch["attention_mask"], batch["segments"])
    return outputs  # type: ignore[no-any-return]


def optimiser(model: Reader, *, rate: float, head_rate: float) -> torch.optim.AdamW:
    """AdamW in three groups: matrices, vectors (no decay), heads; each remembers its full rate as `peak`."""
    inner = [p for p in model.encoder.parameters() if p.requires_grad]
    heads = [p for part in (model.place, model.vote, model.margin) for p in part.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in inner if p.ndim > 1], "peak": rate, "weight_decay": 0.01},
        {"params": [p for p in inner if p.ndim < 2], "peak": rate, "weight_decay": 0.0},
        {"params": heads, "peak": head_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, foreach=True)


def rate_at(step: int, *, warm_up: int, plan: int) -> float:
    """The share of the full rate: up within `warm_up` steps, then straight down to zero at `plan` examples."""
    return min((step + 1) / warm_up, max(0.0, 1 - step * BATCH / plan))


@contextmanager
def averaged(model: Reader, average: dict[str, torch.Tensor]) -> Iterator[None]:
    """The model with its averaged weights, and its own again afterwards."""
    own = {name: weight.clone() for name, weight in trained(model).items()}
    put(model, average)
    model.eval()
    try:
        yield
    finally:
        put(model, own)
        model.train()


def dev_examples(corpus: data.Corpus, *, seed: int) -> list[data.Example]:
    """The same examples each time, of every kind, as they stand: without typos and the like."""
    random, made = Random(f"{seed}:dev"), []
    for kind, count in DEV_EXAMPLES.items():
        pool = list(corpus.pairs[kind])
        random.shuffle(pool)
        found = (data.make(corpus, pair, kind, random, plain=True) for pair in pool)
        made += [example for example, _ in zip(filter(None, found), range(count), strict=False)]
    return made


def evaluate(model: Reader, encoder: Encoder, examples: list[data.Example]) -> dict[str, Any]:
    """AUROC of `answer` against each kind, token F1 of the spans, and unanswerable refused at each share answered."""
    coded = sorted(((e, encode(encoder, e)) for e in examples), key=lambda one: len(one[1].ids))
    scores: list[tuple[str, float]] = []
    overlaps: list[float] = []
    with torch.inference_mode():
        for at in range(0, len(coded), BATCH):
            group = coded[at : at + BATCH]
            verdicts, starts, ends = run(model, collate(group, encoder.padding))
            for row, (example, one) in enumerate(group):
                scores.append((example.kind, float(verdicts[row])))
                if example.kind == "answer" and example.span:
                    first, last = best_span(starts[row].numpy(), ends[row].numpy(), one)
                    a, b = token_span(one, *example.span) or (0, -1)
                    common = max(0, min(last, b) - max(first, a) + 1)
                    overlaps.append(2 * common / (last - first + 1 + b - a + 1))
    by = {kind: np.array([score for one, score in scores if one == kind]) for kind in DEV_EXAMPLES}
    answered = by["answer"]
    return {
        "span_f1": round(float(np.mean(overlaps)), 4),
        "auroc": {
            kind: round(float(roc_auc_score([1] * len(answered) + [0] * len(some), np.concatenate([answered, some]))), 4)
            for kind, some in by.items()
            if kind not in ("answer", "dated") and len(some)
        }
        | {"misdated against dated": round(float(roc_auc_score(
            [1] * len(by["dated"]) + [0] * len(by["misdated"]), np.concatenate([by["dated"], by["misdated"]]))), 4)},
        "refused": {
            share: round(float((by["unanswerable"] < np.percentile(answered, 100 - share)).mean()), 4) for share in SHARES
        },
    }  # fmt: skip


def best_span(start: Any, end: Any, one: Encoded, *, longest: int = 60) -> tuple[int, int]:
    """First and last token of the passage's span with the highest sum of logits."""
    a, b = one.first, one.first + len(one.offsets)
    sums = start[a:b, None] + end[None, a:b]
    reach = np.triu(np.ones_like(sums, bool)) & ~np.triu(np.ones_like(sums, bool), longest)
    at = int(np.where(reach, sums, -np.inf).argmax())
    return a + at // (b - a), a + at % (b - a)


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
@click.option("--resume", is_flag=True, help="Go on from OUT/state.pt.")
@click.option("--minutes", default=95.0, show_default=True, help="Of work in this stage; pauses do not count.")
@click.option("--plan", default=200_000, show_default=True, help="Examples in all stages together.")
@click.option("--rate", default=5e-5, show_default=True)
@click.option("--head-rate", default=1e-3, show_default=True)
@click.option("--warm-up", default=100, show_default=True, help="Steps.")
@click.option("--smoothing", default=0.02, show_default=True, help="Of the answerability labels.")
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--save-minutes", default=10.0, show_default=True)
@click.option("--dev-minutes", default=20.0, show_default=True)
def main(
    source: Path, start: Path, out: Path, resume: bool, minutes: float, plan: int, rate: float, head_rate: float,
    warm_up: int, smoothing: float, seed: int, threads: int, save_minutes: float, dev_minutes: float,
) -> None:  # fmt: skip
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(Tokenizer.from_file(str(start / "tokenizer.json")))
    model = load_reader(start).train()
    public = {name: weight.clone() for name, weight in trained(model).items() if name.startswith("encoder.")}
    average = {name: weight.clone() for name, weight in trained(model).items()}
    adam = optimiser(model, rate=rate, head_rate=head_rate)
    progress = Progress()
    if resume:
        state = torch.load(out / "state.pt", weights_only=True)
        put(model, state["weights"])
        adam.load_state_dict(state["adam"])
        average, progress = state["average"], Progress(**state["progress"])
    held_out = dev_examples(data.load(source, token_ends, dev=True), seed=0)
    corpus = data.load(source, token_ends)

    def keep() -> None:
        state = {"weights": trained(model), "average": average, "adam": adam.state_dict(), "progress": asdict(progress)}
        save(out / "state.pt", state)
        save_difference(out / "reader.part", average, public)
        os.replace(out / "reader.part", out / "reader.safetensors")

    def look() -> None:
        with averaged(model, average):
            append(out / "dev.jsonl", asdict(progress) | evaluate(model, encoder, held_out))

    append(out / "log.jsonl", {"options": {key: str(value) for key, value in click.get_current_context().params.items()}, "pid": os.getpid()} | asdict(progress))
    begun = looked = logged = progress.seconds
    saved = time.monotonic()
    losses: list[float] = []
    worked = time.process_time()  # so that neither pauses nor other people's work count
    for batch in batches(corpus, encoder, seed=seed, from_step=progress.step):
        share = rate_at(progress.step, warm_up=warm_up, plan=plan)
        if progress.seconds - begun >= minutes * 60 or share <= 0:
            break
        for group in adam.param_groups:
            group["lr"] = group["peak"] * share
        loss = loss_of(run(model, batch), batch, smoothing=smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        adam.step()
        adam.zero_grad()
        progress.step += 1
        losses.append(loss.item())
        if progress.step % AVERAGE_EVERY == 0:
            # A young average follows quickly, so that the untrained heads it began with are soon forgotten.
            kept = min(AVERAGE, progress.step / (progress.step + 50))
            own = trained(model)
            torch._foreach_lerp_(list(average.values()), [own[name] for name in average], 1 - kept)
        progress.seconds += (time.process_time() - worked) / threads
        worked = time.process_time()
        if progress.step % 25 == 0:
            row = {"loss": round(float(np.mean(losses)), 4), "rate": rate * share, "examples": progress.step * BATCH}
            row["per_s"] = round(len(losses) * BATCH / (progress.seconds - logged), 2)
            append(out / "log.jsonl", asdict(progress) | row | {"at": time.strftime("%H:%M:%S")})
            losses, logged = [], progress.seconds
        if time.monotonic() - saved >= save_minutes * 60:
            keep()
            saved = time.monotonic()
        if progress.seconds - looked >= dev_minutes * 60:
            look()
            looked = progress.seconds
            worked = time.process_time()
    keep()
    look()


if __name__ == "__main__":
    main()
