"""The packaged reader → weights that training can continue from, so that no second copy of them is needed.

    weights = packaged_weights(MODEL_DIR)    # what `trained(load_reader(…))` names, in float32

int8 steps times their scale, divided by what the export's smoothing multiplied them with: equal to the weights that
were exported to within half a step of 7 bits. Needs the `train` extra.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

PRODUCTS = {  # of a layer, by the export's name → (the encoder's names, in the order of the rows)
    "together": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
    "output": ("attention.attn.o",),
    "inner": ("intermediate.dense",),
    "outer": ("output.dense",),
}


def packaged_weights(folder: Path) -> dict[str, Tensor]:
    """The trained parameters in `folder`'s `model.onnx`, by the names they have in `eval.training.network.Reader`."""
    graph = onnx.load(folder / "model.onnx").graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = {name: node for node in graph.node for name in node.output}

    def value(name: str) -> Tensor:
        return torch.from_numpy(np.array(numpy_helper.to_array(tensors[name]), np.float32))

    def matrix(name: str) -> Tensor:
        """The weight [out, in], from its int8 steps or as it stands."""
        if name in tensors:
            return value(name).T
        return (value(f"{name}_quantized") * value(f"{name}_scale")).T

    weights = {
        name.removeprefix("reader."): value(name)
        for name in tensors
        if name.startswith("reader.") and ".embeddings." not in name and not name.endswith(("_scale", "_zero_point"))
        if not name.endswith("_quantized") and "_Transposed" not in name
    }
    products = {f"/{part}": _weight_of(nodes, f"/{part}/MatMul_output_0") for part in ("place",)}
    weights["place.weight"] = matrix(products["/place"])
    for part in ("vote", "margin", "denies"):
        name = f"reader.{part}.weight"
        if part != "denies" or f"reader.{part}.bias" in tensors:  # an older reader does not say what a passage denies
            weights[f"{part}.weight"] = value(name) if name in tensors else matrix(f"{name}_Transposed")
    weights.setdefault("margin.bias", weights["vote.bias"])  # equal, since both only ever act as their sum
    layers = sum(name.endswith(".together.shrink") for name in tensors)
    for number in range(layers):
        for part, names in PRODUCTS.items():
            stem = _weight_of(nodes, f"/layers.{number}/{part}/linear/MatMul_output_0")
            whole = matrix(stem) * value(f"layers.{number}.{part}.shrink")
            bias = value(f"layers.{number}.{part}.linear.bias")
            rows = zip(whole.chunk(len(names)), bias.chunk(len(names)), strict=True)
            for name, (weight, offset) in zip(names, rows, strict=True):
                weights[f"encoder.encoder.layer.{number}.{name}.weight"] = weight.contiguous()
                weights[f"encoder.encoder.layer.{number}.{name}.bias"] = offset.contiguous()
    return weights


def _weight_of(nodes: dict[str, onnx.NodeProto], output: str) -> str:
    """The weight's name behind a product, through the operators that dynamic quantisation puts around it."""
    node = nodes[output]
    while node.op_type not in ("MatMul", "MatMulInteger"):
        node = nodes[node.input[0]]
    return str(node.input[1]).removesuffix("_quantized")
