"""One training run of the reader: its settings, its steps, and what it saves. For training only."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from eval.training import data, dev
from eval.training.batches import BATCH
from eval.training.network import Reader, averaged, loss_of, moved, put, run, save_difference, trained
from eval.training.own import Group, OwnWords
from eval.training.pairs import Corpus
from eval.training.streams import Batch, group_batches, pair_batches
from qa.reader.encode import Encoder

AVERAGE_EVERY, AVERAGE = 5, 0.99  # steps; what the average keeps at each of these steps
LEAST_RATE = 0.03  # of the full rate, at the end of the run
LOG_EVERY = 20  # steps
GPU_BATCH = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train; the defaults go on from the packaged weights with questions in people's own words."""

    minutes: float = 100.0  # of training steps, in all stages
    seed: int = 1
    batch: int | None = None  # passages; None: BATCH, with CUDA GPU_BATCH
    own_share: float = 0.62  # of the batches are groups
    first_block: int = 0  # of the pairs: earlier blocks trained the weights that this run goes on from
    without: tuple[str, ...] = ()  # kinds of examples to leave out
    rate: float = 3.2e-5
    head_rate: float = 2e-4
    denial_rate: float = 1e-3
    warm_up: int = 60  # steps
    frozen: int = 6  # layers, from the first on, that stay as they are; none with CUDA
    smoothing: float = 0.02  # of the answerability labels
    threads: int = 2
    save_minutes: float = 4.0
    evaluations: int = 2  # between the first and the last one
    dev_questions: int = 240


@dataclass(slots=True)
class Progress:
    """How far training is: batches done (the data's order follows from them) and seconds of training steps."""

    step: int = 0
    seconds: float = 0.0
    grouped: int = 0  # of the steps, those on groups


@dataclass(frozen=True)
class TrainingData:
    """What is trained on, and what is held out; `questions` and `dev_groups` are None without own words."""

    corpus: Corpus
    questions: OwnWords | None
    dev_pairs: list[data.Example]
    dev_groups: tuple[list[Group], list[Group]] | None


def optimiser(model: Reader, *, rate: float, head_rate: float, denial_rate: float) -> torch.optim.AdamW:
    """AdamW in four groups: matrices, vectors (no decay), heads, denials; each remembers its full rate as `peak`."""
    inner = [p for p in model.encoder.parameters() if p.requires_grad]
    heads = [p for part in (model.place, model.vote, model.margin) for p in part.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in inner if p.ndim > 1], "peak": rate, "weight_decay": 0.01},
        {"params": [p for p in inner if p.ndim < 2], "peak": rate, "weight_decay": 0.0},
        {"params": heads, "peak": head_rate, "weight_decay": 0.0},
        {"params": list(model.denies.parameters()), "peak": denial_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, foreach=True)


def rate_at(step: int, *, warm_up: int, left: float) -> float:
    """The share of the full rate: up within `warm_up` steps, then down to LEAST_RATE with the share of time `left`."""
    return min((step + 1) / warm_up, 1.0) * max(LEAST_RATE, left)


def learn(model: Reader, adam: torch.optim.AdamW, batch: Batch, *, smoothing: float) -> float:
    """One step; returns the loss before it."""
    batch = moved(batch, model)
    loss = loss_of(run(model, batch), batch, smoothing=smoothing)
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
    adam.step()
    adam.zero_grad()
    return float(loss.item())


def follow(average: dict[str, torch.Tensor], model: Reader, step: int) -> None:
    """Move the average towards the weights; a young average moves quickly, so that untrained outputs soon fade."""
    weights = trained(model)
    kept = min(AVERAGE, (step + 20) / (step + 70))
    torch._foreach_lerp_(list(average.values()), [weights[name] for name in average], 1 - kept)


class Trainer:
    """Trains a model in a folder. After an interruption it goes on with the saved state and the data that come next."""

    def __init__(
        self,
        model: Reader,
        public: dict[str, torch.Tensor],
        encoder: Encoder,
        known: TrainingData,
        out: Path,
        settings: Settings,
    ) -> None:
        """`public`: the published encoder's weights; what is saved is the difference from them."""
        self._model, self._public, self._encoder = model, public, encoder
        self._known, self._out, self._settings = known, out, settings
        self._average = {name: weight.clone() for name, weight in trained(model).items()}
        self._adam = optimiser(
            model, rate=settings.rate, head_rate=settings.head_rate, denial_rate=settings.denial_rate
        )
        self.progress = Progress()

    def resume(self) -> bool:
        """Take up the state that a run in this folder saved; False when there is none."""
        path = self._out / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True, map_location=self._model.vote.weight.device)
        put(self._model, state["weights"])
        self._adam.load_state_dict(state["adam"])
        self._average, self.progress = state["average"], Progress(**state["progress"])
        return True

    def run(self) -> bool:
        """Train until the minutes are over, and return True; after SIGTERM save, and return False."""
        asked_to_end: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, frame: asked_to_end.append(number))
        try:
            return self._run(asked_to_end)
        finally:
            signal.signal(signal.SIGTERM, before)

    def _run(self, asked_to_end: list[int]) -> bool:
        settings, progress = self._settings, self.progress
        budget = settings.minutes * 60
        append(self._out / "log.jsonl", asdict(progress) | {"pid": os.getpid(), "options": asdict(settings)})
        if progress.step == 0:
            self._look()
        looked, saved = progress.seconds, time.monotonic()
        losses, seen, logged = list[float](), 0, progress.seconds
        batches = self._batches()
        while progress.seconds < budget and not asked_to_end:
            begun = time.monotonic()
            share = rate_at(progress.step, warm_up=settings.warm_up, left=1 - progress.seconds / budget)
            for group in self._adam.param_groups:
                group["lr"] = group["peak"] * share
            batch = next(batches)
            losses.append(learn(self._model, self._adam, batch, smoothing=settings.smoothing))
            progress.step += 1
            progress.grouped += "group" in batch
            seen += len(batch["answerable"])
            if progress.step % AVERAGE_EVERY == 0:
                follow(self._average, self._model, progress.step)
            progress.seconds += time.monotonic() - begun
            if progress.step % LOG_EVERY == 0:
                row = {"loss": round(float(np.mean(losses)), 4), "rate": settings.rate * share, "passages": seen}
                row["per_s"] = round(seen / (progress.seconds - logged), 2)
                append(self._out / "log.jsonl", asdict(progress) | row | {"at": time.strftime("%H:%M:%S")})
                losses, seen, logged = [], 0, progress.seconds
            if time.monotonic() - saved >= settings.save_minutes * 60:
                self._keep()
                saved = time.monotonic()
            if progress.seconds - looked >= budget / (settings.evaluations + 1):
                self._look()
                looked = progress.seconds
        self._keep()
        if not asked_to_end:
            self._look()
        return not asked_to_end

    def _batches(self) -> Iterator[Batch]:
        """The batches from the present step on; which source a batch comes from is drawn by its step."""
        settings, progress = self._settings, self.progress
        on_gpu = self._model.vote.weight.device.type == "cuda"
        shared: dict[str, Any] = {"seed": settings.seed, "size": settings.batch or (GPU_BATCH if on_gpu else BATCH)}
        pairs = pair_batches(
            self._known.corpus,
            self._encoder,
            from_step=progress.step - progress.grouped,
            first_block=settings.first_block,
            without=settings.without,
            **shared,
        )
        groups = (
            group_batches(self._known.questions, self._encoder, from_step=progress.grouped, **shared)
            if self._known.questions
            else None
        )
        for step in itertools.count(progress.step):
            is_grouped = Random(f"{settings.seed}:{step}:source").random() < settings.own_share
            yield next(groups if groups and is_grouped else pairs)

    def _keep(self) -> None:
        """Save what resuming needs, and the averaged weights."""
        state = {
            "weights": trained(self._model),
            "average": self._average,
            "adam": self._adam.state_dict(),
            "progress": asdict(self.progress),
        }
        torch.save(state, self._out / "state.part")
        os.replace(self._out / "state.part", self._out / "state.pt")
        average = {name: weight.cpu() for name, weight in self._average.items()}
        save_difference(self._out / "reader.part", average, self._public)
        os.replace(self._out / "reader.part", self._out / "reader.safetensors")

    def _look(self) -> None:
        """Add the averaged weights' figures on what is held out to `dev.jsonl`."""
        with averaged(self._model, self._average):
            row = asdict(self.progress) | dev.evaluate(self._model, self._encoder, self._known.dev_pairs)
            if self._known.dev_groups:
                row["own"] = dev.evaluate_own(self._model, self._encoder, *self._known.dev_groups)
        append(self._out / "dev.jsonl", row)


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a line to a file of JSON lines."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
