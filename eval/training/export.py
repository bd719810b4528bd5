"""Export a trained reader to ONNX files the product runs without torch; needs the `train` extra.

    python -m eval.training.export WEIGHTS_DIR DIFFERENCE OUT_DIR --calibrate TRAIN_DIR
    python -m eval.training.export WEIGHTS_DIR DIFFERENCE OUT_DIR --calibrate TRAIN_DIR --fp32

WEIGHTS_DIR holds the published encoder, DIFFERENCE is what `eval.training.train` wrote. OUT_DIR gets `model.onnx` (the
graph), `layers.bin` and `words.bin` (the weights beside it, so that no file exceeds 95 MB), `tokenizer.json` and
`SHA256SUMS`. The graph takes one question–passage pair, or several of the same length, without padding.
"""

# Without torch installed its Module is Any to mypy, and this file subclasses it.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import click
import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from tokenizers import Tokenizer
from torch import Tensor

from eval.training import dev
from eval.training.export_embedder import OPSET, quantise_words
from eval.training.network import Reader, load_difference, load_reader, put, trained
from eval.training.pairs import load
from qa.embed import token_ends
from qa.reader.encode import WINDOW_TOKENS, Encoder

INPUTS, OUTPUTS = ("input_ids", "segments"), ("answerable", "start", "end")
DENIES = "denies"  # a fourth output, of readers that were trained for it
MAX_FILE_MB = 95
SMOOTHING = 0.7  # of 0.5 to 0.9 the least difference from full precision, see the model card


class ExportError(Exception):
    """The export cannot go on; the message is one line."""


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
        found = self.reader._outputs(hidden, segments)
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


def samples_of(source: Path, encoder: Encoder, *, count: int = 48) -> list[tuple[Tensor, Tensor]]:
    """Inputs as the reader sees them, from the held-out titles of the training data."""
    held_out = dev.examples(load(source, token_ends, dev=True), seed=0)
    chosen = Random(0).sample([example for example in held_out if example.kind in ("answer", "unanswerable")], count)
    coded = [encoder.encode(example.question, example.title, example.date, example.text) for example in chosen]
    return [(torch.tensor([encoded.ids]), torch.tensor([encoded.segments])) for encoded in coded]


def trace(model: Graph, path: Path) -> None:
    """Write the plain ONNX graph, batch and tokens free."""
    ids = torch.tensor([[0, 7596, 2092, 2, 2, 2, 2092, 7596, 2]] * 2)
    segments = torch.tensor([[0, 0, 0, 0, 0, 1, 2, 2, 1]] * 2)
    axes = {0: "batch", 1: "tokens"}
    by_passage = [name for name in model.outputs if name not in ("start", "end")]
    torch.onnx.export(
        model,
        (ids, segments),
        str(path),
        input_names=list(INPUTS),
        output_names=list(model.outputs),
        dynamic_axes={
            **dict.fromkeys((*INPUTS, "start", "end"), axes),
            **{output: {0: "batch"} for output in by_passage},
        },
        opset_version=OPSET,
        custom_opsets={"com.microsoft": 1},
        dynamo=False,  # the fusions below know this exporter's sub-graphs
    )


def fuse(plain: Path, fused: Path, *, layers: int) -> None:
    """Replace GELU by ONNX Runtime's own kernel, and name the inputs that attention does not get.

    Its kernel for a sum followed by a layer norm takes longer than the two of them.
    """
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    options.enable_embed_layer_norm = False  # the word embeddings get a scale a row
    model = optimizer.optimize_model(str(plain), model_type="bert", opt_level=0, optimization_options=options)
    found = model.get_fused_operator_statistics() | {
        "MultiHeadAttention": sum(node.op_type == "MultiHeadAttention" for node in model.model.graph.node)
    }
    found["LayerNormalization"] = sum(node.op_type == "LayerNormalization" for node in model.model.graph.node)
    wanted = {"MultiHeadAttention": layers, "BiasGelu": layers, "LayerNormalization": 2 * layers + 1}
    if any(found.get(op, 0) != count for op, count in wanted.items()):
        raise ExportError(f"the graph was not fused as expected: { {op: found.get(op, 0) for op in wanted} }")
    for node in model.model.graph.node:
        if node.op_type == "MultiHeadAttention" and len(node.input) == 6:
            node.input[3] = node.input[4] = ""
    model.prune_graph()
    model.save_model_to_file(str(fused))


def quantise(fused: Path, quantised: Path) -> None:
    """Make the layers' matrices int8, one scale per output channel; activations are quantised as they come.

    7-bit weights (`reduce_range`), as in the embedder: x86 CPUs without VNNI add two 8-bit products in 16 bits. The
    three outputs' own weights are a few thousand numbers and stay as they are.
    """
    graph = onnx.load(fused).graph
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    small = [n.name for n in graph.node if n.op_type in ("MatMul", "Gemm") and sizes.get(n.input[1], 0) < 10_000]
    quantize_dynamic(
        fused,
        quantised,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=small,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def clean(model: onnx.ModelProto, name: str) -> None:
    """Drop what says how and where the graph was made, and state the outputs' shapes."""
    model.producer_name, model.producer_version, model.doc_string = "", "", ""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    model.graph.name, model.graph.doc_string = name, ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for output in model.graph.output:
        shape = ["batch", "tokens"] if output.name in ("start", "end") else ["batch"]
        output.CopyFrom(helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, shape))


def write(model: onnx.ModelProto, out: Path) -> None:
    """Write the graph, and the large tensors into two files beside it: the words', and the layers'."""
    parts: dict[str, list[onnx.TensorProto]] = {"words.bin": [], "layers.bin": []}
    for tensor in model.graph.initializer:
        if int(np.prod(tensor.dims)) >= 10_000:
            is_word = tensor.name.startswith("words_") or "word_embeddings" in tensor.name
            parts["words.bin" if is_word else "layers.bin"].append(tensor)
    for name, tensors in parts.items():
        offset = 0
        with (out / name).open("wb") as file:
            for tensor in sorted(tensors, key=lambda tensor: tensor.name):
                data = numpy_helper.to_array(tensor).tobytes()
                file.write(data)
                tensor.ClearField("raw_data")
                for field in ("float_data", "int32_data", "int64_data"):
                    tensor.ClearField(field)
                tensor.data_location = onnx.TensorProto.EXTERNAL
                del tensor.external_data[:]
                for key, value in (("location", name), ("offset", str(offset)), ("length", str(len(data)))):
                    tensor.external_data.add(key=key, value=value)
                offset += len(data)
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))


def check_graph(model: Graph, path: Path, samples: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The largest difference of `answerable` between the files and torch, in logits."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    apart = 0.0
    for ids, segments in samples:
        expected = [output.numpy() for output in model(ids, segments)]
        got: Any = session.run(list(model.outputs), {"input_ids": ids.numpy(), "segments": segments.numpy()})
        apart = max(apart, float(np.abs(expected[0] - got[0]).max()))
    return apart


def export(
    reader: Reader,
    tokenizer: Path,
    out: Path,
    *,
    samples: Sequence[tuple[Tensor, Tensor]],
    fp32: bool,
    name: str,
    outputs: Sequence[str] = OUTPUTS,
) -> float:
    """Write OUT_DIR's files; returns how far `answerable` is from torch's at most over the samples, in logits."""
    model = Graph(reader.eval(), outputs=outputs).eval()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        if not fp32:
            smooth(model, samples)
        plain, fused, quantised = (Path(scratch, f"{step}.onnx") for step in ("plain", "fused", "quantised"))
        trace(model, plain)
        fuse(plain, fused, layers=len(model.layers))
        if fp32:
            graph = onnx.load(fused)
        else:
            quantise(fused, quantised)
            graph = onnx.load(quantised)
            quantise_words(graph)
        clean(graph, name)
        write(graph, out)
        apart = check_graph(model, out / "model.onnx", samples)
    kept = Tokenizer.from_file(str(tokenizer))
    kept.no_truncation()
    kept.no_padding()
    (out / "tokenizer.json").write_text(kept.to_str(), encoding="utf-8")
    names = ("layers.bin", "model.onnx", "tokenizer.json", "words.bin")
    sums = {file: hashlib.sha256((out / file).read_bytes()).hexdigest() for file in names}
    (out / "SHA256SUMS").write_text("".join(f"{digest}  {file}\n" for file, digest in sums.items()), encoding="utf-8")
    large = [file for file in names if (out / file).stat().st_size > MAX_FILE_MB * 1_000_000]
    if large and not fp32:
        raise ExportError(f"larger than {MAX_FILE_MB} MB: {', '.join(large)}")
    return apart


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("weights", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("difference", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--calibrate", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--fp32", is_flag=True, help="Leave the weights in 32 bits.")
def main(weights: Path, difference: Path, out: Path, calibrate: Path, fp32: bool) -> None:
    # Tracing warns about branches that are constant for this model; check_graph tests the outcome.
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    reader = load_reader(weights)
    trained_weights = load_difference(difference, trained(reader))
    put(reader, trained_weights)
    outputs = (*OUTPUTS, DENIES) if f"{DENIES}.weight" in trained_weights else OUTPUTS
    samples = samples_of(calibrate, Encoder(Tokenizer.from_file(str(weights / "tokenizer.json"))))
    try:
        apart = export(
            reader, weights / "tokenizer.json", out, samples=samples, fp32=fp32, name="reader", outputs=outputs
        )
    except ExportError as error:
        raise click.ClickException(str(error)) from None
    for path in sorted(out.iterdir()):
        click.echo(f"{path.name} {path.stat().st_size} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    click.echo(f"answerable differs from torch by at most {apart:.4f} over the samples")


if __name__ == "__main__":
    main()
