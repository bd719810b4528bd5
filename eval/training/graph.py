"""The reader in the form that is exported, and the smoothing of its activations for 8 bits."""

# Without torch installed its Module is Any to mypy, and this file subclasses it.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eval.training.network import Reader
from qa.reader.encode import WINDOW_TOKENS

INPUTS, OUTPUTS = ("input_ids", "segments"), ("answerable", "start", "end")
DENIES = "denies"  # a fourth output, of readers that were trained for it
SMOOTHING = 0.7  # of 0.5 to 0.9 the least difference from full precision, see the model card


class _Attention(torch.autograd.Function):
    """Softmax attention as one operator of ONNX Runtime, with a bias on the scores or without."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, heads: int) -> Tensor:
        batch, tokens, width = query.shape
        q, k, v = (x.view(batch, tokens, heads, width // heads).transpose(1, 2) for x in (query, key, value))
        scores = q @ k.transpose(2, 3) / (width // heads) ** 0.5
        weights = (scores if bias is None else scores + bias).softmax(-1)
        mixed: Tensor = (weights @ v).transpose(1, 2).reshape(batch, tokens, width)
        return mixed

    @staticmethod
    def symbolic(g: Any, query: Any, key: Any, value: Any, bias: Any, heads: int) -> Any:
        inputs = [query, key, value]
        if not (bias is None or bias.node().mustBeNone()):
            empty = g.op("Constant", value_t=torch.tensor([], dtype=torch.float32))  # `fuse` puts "not given" here
            inputs += [empty, empty, bias]
        found = g.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads)
        found.setType(query.type())
        return found


class _Layer(torch.nn.Module):
    """One transformer layer of BERT or MPNet; query, key and value come from one product."""

    PRODUCTS = ("together", "output", "inner", "outer")

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention
        parts: tuple[Any, ...]
        if hasattr(attention, "attn"):
            parts = attention.attn.q, attention.attn.k, attention.attn.v
            self.output, self.first_norm = attention.attn.o, attention.LayerNorm
            self.heads: int = attention.attn.num_attention_heads
        else:
            parts = attention.self.query, attention.self.key, attention.self.value
            self.output, self.first_norm = attention.output.dense, attention.output.LayerNorm
            self.heads = attention.self.num_attention_heads
        self.inner, self.outer, self.second_norm = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm
        self.together = torch.nn.Linear(parts[0].in_features, 3 * parts[0].out_features)
        with torch.no_grad():
            self.together.weight.copy_(torch.cat([part.weight for part in parts]))
            self.together.bias.copy_(torch.cat([part.bias for part in parts]))

    def forward(self, hidden: Tensor, bias: Tensor | None) -> Tensor:
        query, key, value = self.together(hidden).chunk(3, dim=-1)
        attend: Any = _Attention.apply
        hidden = self.first_norm(self.output(attend(query, key, value, bias, self.heads)) + hidden)
        inner = torch.nn.functional.gelu(self.inner(hidden))
        normed: Tensor = self.second_norm(self.outer(inner) + hidden)
        return normed


class Graph(torch.nn.Module):
    """What the exported graph computes: `Reader` without padding, with attention as one operator."""

    def __init__(self, reader: Reader, *, outputs: Sequence[str] = OUTPUTS) -> None:
        super().__init__()
        self.reader, self.outputs = reader, tuple(outputs)
        self.embeddings = reader.encoder.embeddings
        self.layers = torch.nn.ModuleList(_Layer(layer) for layer in reader.encoder.encoder.layer)
        if not reader.is_bert:
            steps = torch.arange(WINDOW_TOKENS)
            buckets = reader.encoder.encoder.relative_position_bucket(steps[None] - steps[:, None], num_buckets=32)
            self.buckets: Tensor
            self.register_buffer("buckets", buckets)

    def forward(self, input_ids: Tensor, segments: Tensor) -> tuple[Tensor, ...]:
        """Int64 [batch, tokens] each -> those of the reader's `Outputs` that `outputs` names."""
        tokens, bias = input_ids.shape[1], None
        if self.reader.is_bert:
            hidden = self.embeddings(input_ids=input_ids, token_type_ids=(segments > 0).long())
        else:
            places = torch.arange(2, WINDOW_TOKENS + 2)[:tokens]  # MPNet counts from its padding id on
            words = self.embeddings.word_embeddings(input_ids) + self.embeddings.position_embeddings(places)
            hidden = self.embeddings.LayerNorm(words)
            table = self.reader.encoder.encoder.relative_attention_bias(self.buckets[:tokens, :tokens])
            bias = table.permute(2, 0, 1).unsqueeze(0)
        for layer in self.layers:
            hidden = layer(hidden, bias)
        found = self.reader.outputs_of(hidden, segments)
        return tuple(getattr(found, name) for name in self.outputs)


class _Scaled(torch.nn.Module):
    """A linear layer whose input's channels are scaled down, and its weights up: the same product."""

    def __init__(self, linear: torch.nn.Linear, scale: Tensor) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(linear.in_features, linear.out_features)
        self.linear.weight.copy_(linear.weight * scale)
        self.linear.bias.copy_(linear.bias)
        self.shrink: Tensor
        self.register_buffer("shrink", 1 / scale)

    def forward(self, inputs: Tensor) -> Tensor:
        product: Tensor = self.linear(inputs * self.shrink)
        return product


def smooth(model: Graph, samples: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Even out the channels that go into each matrix product, in place (Xiao et al. 2023, SmoothQuant).

    A few channels are a hundred times as large as the others, and all share one scale of 8 bits when they are
    quantised. scale = largest input ^ SMOOTHING / largest weight ^ (1 - SMOOTHING), by channel, over the samples.
    """
    largest: dict[tuple[int, str], Tensor] = {}

    def watch(key: tuple[int, str]) -> Any:
        def note(module: torch.nn.Module, inputs: tuple[Tensor]) -> None:
            seen = inputs[0].abs().amax((0, 1))
            largest[key] = torch.maximum(largest.get(key, seen), seen)

        return note

    places = [(number, name) for number in range(len(model.layers)) for name in _Layer.PRODUCTS]
    hooks = [getattr(model.layers[n], name).register_forward_pre_hook(watch((n, name))) for n, name in places]
    for ids, segments in samples:
        model(ids, segments)
    for hook in hooks:
        hook.remove()
    for number, name in places:
        linear = getattr(model.layers[number], name)
        weights = linear.weight.abs().amax(0).clamp(min=1e-5)
        scale = largest[number, name].clamp(min=1e-3) ** SMOOTHING / weights ** (1 - SMOOTHING)
        setattr(model.layers[number], name, _Scaled(linear, scale / scale.median()))
