"""Int8 ONNX graphs: what computes in 8 bits, and how far from float they are."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
from numpy.typing import NDArray

from yolact_pl.export.quantisation.onnx_nodes import CONVOLUTIONS, layers_in_8_bits, upstream
from yolact_pl.export.quantisation.onnx_quantiser import OnnxQuantiser

RAW = ("class_logits", "box_deltas", "anchor_coefficients", "prototypes")
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


@pytest.fixture(scope="module")
def quantiser(complete: onnx_ir.Model, inputs: list[NDArray[Any]]) -> OnnxQuantiser:
    return OnnxQuantiser(complete, inputs)


def proto(model: onnx_ir.Model) -> onnx.ModelProto:
    return onnx_ir.to_proto(model)


def convolutions(graph: onnx.GraphProto) -> dict[str, bool]:
    """By the name of the weight: whether it computes in 8 bits."""
    made_by = {output: node for node in graph.node for output in node.output}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type in CONVOLUTIONS:
            sources = [made_by.get(name) for name in node.input[:2]]
            is_quantised = all(source and source.op_type == "DequantizeLinear" for source in sources)
            if is_quantised:
                assert sources[1] is not None
                assert types[sources[1].input[0]] == onnx.TensorProto.INT8
            name = sources[1].input[0] if is_quantised and sources[1] else node.input[1]
            found[name.removeprefix("network.").removesuffix("_quantized").removesuffix(".weight")] = (
                is_quantised
            )
    return found


def test_the_network_is_in_8_bits_and_the_rest_is_not(quantiser: OnnxQuantiser) -> None:
    """Every convolution before the raw outputs but the first one and offsets; no conversion after them."""
    graph = proto(quantiser.quantised()).graph
    found = convolutions(graph)
    in_float = {name for name, quantised in found.items() if not quantised}
    offsets = {name for name in found if name.endswith("conv_offset_mask")}
    rescoring = {name for name in found if name.startswith("mask_iou.")}
    assert len(offsets) == 3
    assert len(rescoring) == 6
    assert in_float == {"backbone.conv1"} | offsets | rescoring
    before = {node.name for node in upstream(graph, RAW)}
    after = [node for node in graph.node if node.name not in before]
    assert len(after) > 50
    assert not [node.name for node in after if node.op_type in CONVERSIONS]
    grids = [node.input[1] for node in graph.node if node.op_type == "GridSample"]
    positions = upstream(graph, grids, ends=lambda node: node.op_type in CONVOLUTIONS)
    assert not [node.name for node in positions if node.op_type in CONVERSIONS]


def test_layers_kept_in_float(quantiser: OnnxQuantiser) -> None:
    """A head convolution is applied to each level of the pyramid: all of them stay in float."""
    kept = {"head.class_logits", "backbone.layer2.0.conv1"}
    graph = proto(quantiser.quantised(kept)).graph
    before = convolutions(proto(quantiser.quantised()).graph)
    changed = {name for name, quantised in convolutions(graph).items() if quantised != before.get(name)}
    assert kept <= {*layers_in_8_bits(quantiser.model.graph)}
    assert changed == kept


def test_computes_nearly_what_float_computes(
    quantiser: OnnxQuantiser, complete: onnx_ir.Model, inputs: list[NDArray[Any]], tmp_path: Path
) -> None:
    outputs = []
    for name, model in (("float", complete), ("int8", quantiser.quantised())):
        onnx_ir.save(model, tmp_path / f"{name}.onnx")
        onnx.checker.check_model(onnx.load(tmp_path / f"{name}.onnx"))
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
        outputs.append(session.run([*RAW], {"images": np.concatenate(inputs[:2])}))
    for expected, found in zip(*outputs, strict=True):
        error = np.square(found - expected).sum() / np.square(expected).sum()
        assert 0 < error < 0.02
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("float", "int8")]
    assert sizes[1] < sizes[0]
