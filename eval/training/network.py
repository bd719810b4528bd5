"""The reader in torch: an encoder with four outputs, its loss, and weights kept as a difference. For training only."""

# Without torch installed its Module is Any to mypy, and this file subclasses it.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from qa.reader.encode import PASSAGE

NEVER = -1e4  # a logit that no softmax gives any weight
GROUP_SHARE = 0.5  # weight of the loss over a question's passages together
DENIAL_SHARE, DENIAL_WEIGHT = 0.3, 4.0  # a passage that denies counts four times: there are few


class Outputs(NamedTuple):
    """Float32 logits of a batch."""

    answerable: Tensor  # [batch]
    start: Tensor  # [batch, tokens]; the first token stands for "not here"
    end: Tensor  # [batch, tokens]
    denies: Tensor  # [batch]: does the passage deny what the question takes for granted?


class Reader(torch.nn.Module):
    """Is the question answered in the passage, and where does the answer start and end?

    Start and end compete with the first token, which stands for "not here"; how far the passage wins, by start and
    by end, goes into the answerability beside the first token's own vote.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.is_bert = encoder.config.model_type == "bert"
        self.place = torch.nn.Linear(encoder.config.hidden_size, 2)
        self.vote = torch.nn.Linear(encoder.config.hidden_size, 1)
        self.margin = torch.nn.Linear(2, 1)
        self.denies = torch.nn.Linear(encoder.config.hidden_size, 1)
        torch.nn.init.normal_(self.place.weight, std=0.02)
        torch.nn.init.normal_(self.vote.weight, std=0.02)
        torch.nn.init.normal_(self.denies.weight, std=0.02)
        torch.nn.init.constant_(self.margin.weight, 0.1)
        for bias in (self.place.bias, self.vote.bias, self.margin.bias):
            torch.nn.init.zeros_(bias)
        torch.nn.init.constant_(self.denies.bias, -3.0)  # few passages deny anything

    def forward(self, input_ids: Tensor, attention_mask: Tensor, segments: Tensor) -> Outputs:
        """Int64 [batch, tokens] each -> the logits."""
        more = {"token_type_ids": (segments > 0).long()} if self.is_bert else {}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **more)[0].float()
        with torch.autocast(hidden.device.type, enabled=False):  # the outputs are computed in full precision
            return self.outputs_of(hidden, segments)

    def outputs_of(self, hidden: Tensor, segments: Tensor) -> Outputs:
        start, end = self.place(hidden).unbind(-1)
        inside = segments == PASSAGE
        start_in, end_in = (logits.masked_fill(~inside, NEVER) for logits in (start, end))
        margins = torch.stack([start_in.logsumexp(1) - start[:, 0], end_in.logsumexp(1) - end[:, 0]], 1)
        answerable = (self.vote(hidden[:, 0]) + self.margin(margins)).squeeze(1)
        first = torch.zeros_like(inside)
        first[:, 0] = True
        denies = self.denies(hidden[:, 0]).squeeze(1)
        return Outputs(answerable, torch.where(first, start, start_in), torch.where(first, end, end_in), denies)


def load_reader(folder: Path, *, every: int = 1) -> Reader:
    """A reader with fresh heads on the encoder in `folder`, its embeddings frozen, without dropout.

    Of its layers each `every`-th is kept, the last one among them.

    Less than two passes over the data leave nothing for dropout to prevent, and drawing its masks costs a tenth of
    the time; the average of the weights steadies what is kept.
    """
    encoder = AutoModel.from_pretrained(
        str(folder),
        attn_implementation="eager",
        add_pooling_layer=False,
        local_files_only=True,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    encoder.encoder.layer = encoder.encoder.layer[every - 1 :: every]
    for parameter in encoder.embeddings.parameters():
        parameter.requires_grad_(False)
    return Reader(encoder)


def run(model: Reader, batch: dict[str, Tensor]) -> Outputs:
    """The model's outputs, computed in bf16; model and batch must be on one device."""
    with torch.autocast(batch["input_ids"].device.type, dtype=torch.bfloat16):
        outputs: Outputs = model(batch["input_ids"], batch["attention_mask"], batch["segments"])
    return outputs


def moved(batch: dict[str, Tensor], model: Reader) -> dict[str, Tensor]:
    """The batch on the model's device."""
    device = model.vote.weight.device
    return {name: tensor.to(device) for name, tensor in batch.items()}


def loss_of(outputs: Outputs, batch: dict[str, Tensor], *, smoothing: float) -> Tensor:
    """The sum of the losses of passages, of denials and, when the batch has groups, of groups."""
    denied = functional.binary_cross_entropy_with_logits(
        outputs.denies, batch["denies"], reduction="none", pos_weight=outputs.denies.new_tensor(DENIAL_WEIGHT)
    )
    loss = passage_loss(outputs, batch, smoothing=smoothing) + DENIAL_SHARE * denied.mean()
    return loss + GROUP_SHARE * group_loss(outputs.answerable, batch) if "group" in batch else loss


def passage_loss(outputs: Outputs, batch: dict[str, Tensor], *, smoothing: float) -> Tensor:
    """Mean over the batch of weight · (answerability + start / 2 + end / 2); a span of unknown place counts nothing."""
    answerable, start, end, _ = outputs
    target = batch["answerable"] * (1 - 2 * smoothing) + smoothing
    verdict = functional.binary_cross_entropy_with_logits(answerable, target, reduction="none")
    places = sum(
        functional.cross_entropy(logits, batch[name], reduction="none", ignore_index=-1)
        for logits, name in ((start, "start"), (end, "end"))
    )
    return ((verdict + places / 2) * batch["weight"]).mean()


def group_loss(answerable: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy over each question's passages and an empty place with logit 0, weighted mean over the questions.

    The passage that answers must win; where none does, the empty place. `group` numbers the questions from 0,
    `place` the passages of a question from 0; a question has at most one passage that answers.
    """
    group, place = batch["group"], batch["place"]
    count, width = int(group.max()) + 1, int(place.max()) + 2
    logits = answerable.new_full((count, width), NEVER)
    logits[:, 0] = 0.0
    logits = logits.index_put((group, place + 1), answerable)
    target = torch.zeros(count, dtype=torch.long, device=group.device)
    target.index_add_(0, group, (place + 1) * batch["answerable"].long())
    weight = batch["weight"].new_zeros(count).scatter_reduce(0, group, batch["weight"], "amax")
    return (functional.cross_entropy(logits, target, reduction="none") * weight).sum() / weight.sum()


def trained(model: torch.nn.Module) -> dict[str, Tensor]:
    """The parameters that training may change, by name: all but the embeddings."""
    return {name: parameter.data for name, parameter in model.named_parameters() if ".embeddings." not in name}


def freeze(model: Reader, layers: int) -> None:
    """Exclude the encoder's first `layers` from training."""
    for layer in model.encoder.encoder.layer[:layers]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)


def save_difference(path: Path, weights: dict[str, Tensor], start: dict[str, Tensor]) -> None:
    """Write the difference of `weights` from `start` in int8 with a scale a row; vectors and new tensors whole."""
    kept: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.ndim < 2 or name not in start:
            kept[name] = weight.contiguous().clone()
            continue
        delta = weight - start[name]
        scale = delta.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        kept[f"{name}.steps"], kept[f"{name}.scale"] = (delta / scale).round().to(torch.int8), scale
    save_file(kept, str(path))


def load_difference(path: Path, start: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `save_difference` wrote, to within half a step of each row."""
    kept = load_file(str(path))
    weights = {name: tensor for name, tensor in kept.items() if not name.endswith((".steps", ".scale"))}
    for name in [key[: -len(".steps")] for key in kept if key.endswith(".steps")]:
        weights[name] = start[name] + kept[f"{name}.steps"].float() * kept[f"{name}.scale"]
    return weights


def put(model: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy `weights` into the model's parameters of these names."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)


@contextmanager
def averaged(model: Reader, average: dict[str, Tensor]) -> Iterator[None]:
    """Measure the model with these weights; afterwards it has its own again."""
    own = {name: weight.clone() for name, weight in trained(model).items()}
    put(model, average)
    model.eval()
    try:
        yield
    finally:
        put(model, own)
        model.train()
