"""Exports a trained reader to ONNX files that the product runs without torch; needs the `train` extra.

    python -m eval.training.export WEIGHTS_DIR DIFFERENCE OUT_DIR --samples TRAIN_DIR [--fp32]

WEIGHTS_DIR holds the published encoder, DIFFERENCE is what `eval.training.train` wrote. OUT_DIR gets `model.onnx` (the
graph), `layers.bin` and `words.bin` (the weights beside it, so that no file exceeds 95 MB), `tokenizer.json`, a
calibration that is not fitted yet, `torch.json` (what torch says to some passages, to verify the files with) and
`SHA256SUMS`. OUT_DIR changes whole, at the end. The graph takes one question–passage pair, or several of the same
length, without padding. Go on with `eval.training.calibrate` and `eval.training.place`.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random

import click
import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from tokenizers import Tokenizer
from torch import Tensor

from eval.training import dev
from eval.training.export_embedder import OPSET, quantise_words
from eval.training.graph import DENIES, INPUTS, OUTPUTS, Graph, smooth
from eval.training.network import Reader, load_difference, load_reader, put, trained
from eval.training.pairs import load
from eval.training.place import TORCH, is_fitted
from eval.training.swap import replacing, write_sums
from qa.embed import token_ends
from qa.errors import ModelError
from qa.reader.encode import Encoder
from qa.reader.packaged import FILES

MAX_FILE_MB = 95
NOT_FITTED = {"slope": 1.0, "intercept": 0.0, "threshold": 0.5}


def samples_of(source: Path, encoder: Encoder, *, count: int = 48) -> list[tuple[Tensor, Tensor]]:
    """Inputs as the reader sees them, from the held-out titles of the training data."""
    held_out = dev.examples(load(source, token_ends, dev=True), seed=0)
    pool = [example for example in held_out if example.kind in ("answer", "unanswerable")]
    chosen = Random(0).sample(pool, min(count, len(pool)))
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
        got = {op: found.get(op, 0) for op in wanted}
        raise ModelError(f"the graph was not fused as expected: {got}; use the versions that the card names.")
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
    """Remove all information about how and where the graph was made, and state the outputs' shapes."""
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
    """Write the graph, and the large tensors into two files beside it: word embeddings and layers."""
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


def torch_numbers(model: Graph, samples: Sequence[tuple[Tensor, Tensor]]) -> list[dict[str, list[int] | float]]:
    """The samples with torch's logit of `answerable` for each."""
    return [
        {"input_ids": ids[0].tolist(), "segments": segments[0].tolist(), "answerable": float(model(ids, segments)[0])}
        for ids, segments in samples
    ]


def export(
    reader: Reader,
    tokenizer: Path,
    out: Path,
    *,
    samples: Sequence[tuple[Tensor, Tensor]],
    fp32: bool = False,
    name: str = "reader",
    outputs: Sequence[str] = OUTPUTS,
) -> None:
    """Write OUT_DIR's files; raises ModelError when it holds a calibrated reader, or a file gets too large."""
    if is_fitted(out):
        raise ModelError(f"{out} holds a calibrated reader; export into another folder, then put that in place.")
    model = Graph(reader.eval(), outputs=outputs).eval()
    with replacing(out) as made, tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        numbers = torch_numbers(model, samples)  # of the weights as they were trained
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
        write(graph, made)
        kept = Tokenizer.from_file(str(tokenizer))
        kept.no_truncation()
        kept.no_padding()
        (made / "tokenizer.json").write_text(kept.to_str(), encoding="utf-8")
        (made / "calibration.json").write_text(json.dumps(NOT_FITTED), encoding="utf-8")
        (made / TORCH).write_text(json.dumps(numbers), encoding="utf-8")
        write_sums(made, FILES)
        large = [file for file in FILES if (made / file).stat().st_size > MAX_FILE_MB * 1_000_000]
        if large and not fp32:
            raise ModelError(f"larger than {MAX_FILE_MB} MB: {', '.join(large)}; keep fewer layers or words.")


def export_run(weights: Path, difference: Path, out: Path, source: Path, *, fp32: bool = False, every: int = 1) -> None:
    """Export what a run wrote; `source` is the training data that the inputs are evened out with."""
    # Tracing warns about branches that are constant for this model; verifying tests the outcome.
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = load_reader(weights, every=every)
            learned = load_difference(difference, trained(reader))
            put(reader, learned)
            outputs = (*OUTPUTS, DENIES) if f"{DENIES}.weight" in learned else OUTPUTS
            tokenizer = weights / "tokenizer.json"
            samples = samples_of(source, Encoder(Tokenizer.from_file(str(tokenizer))))
            export(reader, tokenizer, out, samples=samples, fp32=fp32, outputs=outputs)
    finally:
        logging.disable(logging.NOTSET)


@click.command(help=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
@click.argument("weights", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("difference", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--samples", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--fp32", is_flag=True, help="Leave the weights in 32 bits.")
@click.option("--every", default=1, show_default=True, help="As the difference was trained with.")
def main(weights: Path, difference: Path, out: Path, samples: Path, fp32: bool, every: int) -> None:
    try:
        export_run(weights, difference, out, samples, fp32=fp32, every=every)
    except ModelError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
