"""Export all-MiniLM-L6-v2 to one ONNX file the product runs without torch.

    python -m eval.training.export_embedder SOURCE_DIR                     # int8, into qa/models/all-minilm-l6-v2
    python -m eval.training.export_embedder SOURCE_DIR --fp32 --out DIR    # the reference for compare_embedder
    python -m eval.training.export_embedder SOURCE_DIR --chroma --out DIR  # what Chroma's default would download

SOURCE_DIR holds the published model.safetensors, config.json and tokenizer.json. Needs torch, transformers, onnx,
onnxruntime, tokenizers and numpy; with the same versions of them, the same bytes come out each time. Of transformers
and onnxruntime not every pair works (5.23 and 1.31 do): fusing goes by the shape of the exported graph.
"""

# Without torch installed its Module is Any to mypy, and this file subclasses it.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from tokenizers import Tokenizer
from transformers import BertModel

from eval.training.swap import replacing, sha256, write_sums
from qa.embed import MODEL
from qa.errors import ModelError

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = ("model.onnx", "tokenizer.json")
OPSET = 17  # the first with LayerNormalization; older runtimes stay usable
HEADS, HIDDEN, LAYERS = 12, 384, 6
# What the fused graph of a 6-layer BERT must hold. The optimizer finds sub-graphs by pattern and silently leaves those
# it does not know, so a changed exporter would show only as a slow model.
FUSED = {"Attention": LAYERS, "BiasGelu": LAYERS, "SkipLayerNormalization": 2 * LAYERS}


class SentenceEncoder(torch.nn.Module):
    """BERT, the mean over the real tokens, and length 1: what sentence-transformers does in three modules."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Int64 [batch, tokens], 1 for a real token and 0 for padding -> float32 [batch, 384], rows of length 1."""
        segments = torch.zeros_like(input_ids)
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=segments)[0]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        length = mean.pow(2).sum(1, keepdim=True).sqrt()
        embedding: torch.Tensor = mean / length.clamp(min=1e-12)
        return embedding


class TokenEncoder(torch.nn.Module):
    """BERT alone: what Chroma's default embedding function pools by itself."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Int64 [batch, tokens] three times -> float32 [batch, tokens, 384]."""
        hidden: torch.Tensor = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )[0]
        return hidden


def check_source(source: Path) -> None:
    """Refuse weights other than the published ones: the card's figures hold for those alone."""
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        if not (source / name).is_file():
            raise ModelError(f"{source / name}: no such file")
    digest = sha256(source / "model.safetensors")
    if digest != WEIGHTS_SHA256:
        raise ModelError(f"{source / 'model.safetensors'}: sha256 is {digest}, expected {WEIGHTS_SHA256}")


def trace(model: SentenceEncoder, path: Path) -> None:
    """Write the plain ONNX graph of `model`, batch and tokens free."""
    ids = torch.tensor([[101, 7592, 2088, 102], [101, 7592, 102, 0]])
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        model,
        (ids, (ids != 0).long()),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "embedding": {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,  # the BERT fusions below know this exporter's sub-graphs
    )


def fuse(plain: Path, fused: Path) -> None:
    """Replace attention, layer norm and GELU by onnxruntime's own kernels."""
    options = FusionOptions("bert")
    # The default turns the mask into a length per row, which is right for padding at the end only.
    options.use_raw_attention_mask(True)
    # Fused with its layer norm, the embedding could be quantised only with one scale for the whole table.
    options.enable_embed_layer_norm = False
    model = optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=HEADS, hidden_size=HIDDEN, opt_level=0, optimization_options=options
    )
    found = model.get_fused_operator_statistics()
    if any(found.get(op, 0) != count for op, count in FUSED.items()):
        raise ModelError(f"the graph was not fused as expected: { {op: found.get(op, 0) for op in FUSED} }")
    model.save_model_to_file(str(fused))


def quantise_matmuls(fused: Path, quantised: Path) -> None:
    """Make the linear layers' weights int8, one scale per output channel; activations are quantised as they come."""
    quantize_dynamic(
        fused,
        quantised,
        op_types_to_quantize=["Attention", "MatMul"],
        per_channel=True,
        # 7-bit weights. x86 CPUs without VNNI add two 8-bit products in 16 bits and saturate, so full-range weights
        # would give other embeddings there than on the machine that built an index.
        reduce_range=True,
        weight_type=QuantType.QInt8,
        # The types onnx cannot infer behind onnxruntime's own operators are all float.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def quantise_words(model: onnx.ModelProto) -> None:
    """Make the word embeddings int8 with a scale per word, in place: half the file, and nearly free of error."""
    graph = model.graph
    table = next(t for t in graph.initializer if t.name.endswith("word_embeddings.weight"))
    weight = numpy_helper.to_array(table)
    scale = (np.abs(weight).max(axis=1, keepdims=True) / 127).astype(np.float32)
    scale[scale == 0] = 1
    rows = np.round(weight / scale).astype(np.int8)

    at, node = next((i, n) for i, n in enumerate(graph.node) if n.op_type == "Gather" and n.input[0] == table.name)
    ids, out = node.input[1], node.output[0]
    lookup = [
        helper.make_node("Gather", ["words_int8", ids], ["words_rows"], "words_rows"),
        helper.make_node("Gather", ["words_scale", ids], ["words_scales"], "words_scales"),
        helper.make_node("Cast", ["words_rows"], ["words_float"], "words_float", to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["words_float", "words_scales"], [out], "words"),
    ]
    graph.node.remove(node)
    for offset, new in enumerate(lookup):
        graph.node.insert(at + offset, new)
    graph.initializer.remove(table)
    graph.initializer.extend(
        [numpy_helper.from_array(rows, "words_int8"), numpy_helper.from_array(scale, "words_scale")]
    )


def clean(model: onnx.ModelProto) -> None:
    """Drop what says how and where the graph was made, and state the output's shape."""
    model.producer_name, model.producer_version, model.doc_string = "", "", ""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    model.graph.name, model.graph.doc_string = "all-MiniLM-L6-v2", ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    output = helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, ["batch", HIDDEN])
    model.graph.output[0].CopyFrom(output)


def check_graph(model: SentenceEncoder, data: bytes, least_cosine: float) -> None:
    """Run the finished graph beside torch, with padding at either end, none, and a hole in the mask."""
    ids = torch.randint(1000, 30000, (4, 24), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 9:], mask[2, :9], mask[3, 5:8] = 0, 0, 0
    expected = model(ids, mask).numpy()
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    got: Any = session.run(["embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    cosine = float((expected * got).sum(axis=1).min())
    if not cosine >= least_cosine:
        raise ModelError(f"the graph disagrees with torch: least cosine {cosine:.4f}, wanted {least_cosine}")


def export(source: Path, out: Path, fp32: bool) -> None:
    """Write model.onnx, tokenizer.json and SHA256SUMS from the published files in `source`; `out` changes whole."""
    check_source(source)
    bert = BertModel.from_pretrained(
        str(source), attn_implementation="eager", add_pooling_layer=False, local_files_only=True
    )
    model = SentenceEncoder(bert).eval()
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        plain, fused, quantised = (Path(scratch, f"{name}.onnx") for name in ("plain", "fused", "quantised"))
        trace(model, plain)
        fuse(plain, fused)
        if fp32:
            graph = onnx.load(fused)
        else:
            quantise_matmuls(fused, quantised)
            graph = onnx.load(quantised)
            quantise_words(graph)
        clean(graph)
        onnx.checker.check_model(graph)
        data = graph.SerializeToString(deterministic=True)
        check_graph(model, data, 0.99999 if fp32 else 0.95)  # random tokens are harder on int8 than text is

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_truncation()  # the published file pads and cuts to 128; the caller knows its own window
    tokenizer.no_padding()
    with replacing(out) as made:
        (made / "model.onnx").write_bytes(data)
        (made / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
        write_sums(made, FILES)


def export_for_chroma(source: Path, out: Path) -> None:
    """Write the six files of Chroma's default embedding function: the plain fp32 graph, as Chroma's own is."""
    check_source(source)
    bert = BertModel.from_pretrained(str(source), attn_implementation="eager", local_files_only=True)
    ids = torch.tensor([[101, 7592, 2088, 102], [101, 7592, 102, 0]])
    names = ["input_ids", "attention_mask", "token_type_ids"]
    out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(
            TokenEncoder(bert).eval(),
            (ids, (ids != 0).long(), torch.zeros_like(ids)),
            str(out / "model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={key: {0: "batch", 1: "tokens"} for key in [*names, "last_hidden_state"]},
            opset_version=OPSET,
            dynamo=False,
        )
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    (out / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    shutil.copy(source / "tokenizer.json", out)
    for name in ("config.json", "special_tokens_map.json", "tokenizer_config.json"):  # looked for, never read
        (out / name).write_text("{}", encoding="utf-8")


def main() -> None:
    """Export, then print each file's size in bytes and its sha256."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR")
    parser.add_argument("--out", type=Path, default=MODEL, metavar="DIR")
    parser.add_argument("--fp32", action="store_true", help="leave the weights in 32 bits (needs --out)")
    parser.add_argument("--chroma", action="store_true", help="what Chroma's default would download (needs --out)")
    args = parser.parse_args()
    if (args.fp32 or args.chroma) and args.out == MODEL:
        parser.error("--fp32 and --chroma need --out: the package ships the int8 file")

    # Tracing warns about branches that are constant for this model; check_graph tests the outcome.
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    try:
        if args.chroma:
            export_for_chroma(args.source, args.out)
        else:
            export(args.source, args.out, args.fp32)
    except ModelError as error:
        sys.exit(f"export_embedder: {error}")
    for name in FILES:
        print(f"{name} {(args.out / name).stat().st_size} {sha256(args.out / name)}")


if __name__ == "__main__":
    main()
