"""Int8 OpenVINO models: what computes in 8 bits, and how far from float they are."""

from typing import Any

import numpy as np
import onnx_ir
import pytest
from numpy.typing import NDArray

pytest.importorskip("nncf", reason="format=openvino precision=int8 needs nncf: pip install nncf")
import openvino

from yolact_pl.export.quantisation.openvino_quantiser import CONVOLUTIONS, layer_of, quantised, upstream

RAW = ("class_logits", "box_deltas", "anchor_coefficients", "prototypes")


@pytest.fixture(scope="module")
def float_model(complete: onnx_ir.Model, tmp_path_factory: pytest.TempPathFactory) -> openvino.Model:
    path = tmp_path_factory.mktemp("onnx") / "complete.onnx"
    onnx_ir.save(complete, path)
    return openvino.Core().read_model(path)


def convolutions(model: openvino.Model) -> dict[str, bool]:
    """By name: whether both inputs are quantised."""
    found = {}
    for node in model.get_ops():
        if node.get_type_name() in CONVOLUTIONS:
            inputs = upstream(
                [node.input_value(index).get_node() for index in (0, 1)],
                until=(*CONVOLUTIONS, "FakeQuantize"),
            )
            kinds = [one.get_type_name() for one in inputs.values()]
            found[layer_of(node)] = "FakeQuantize" in kinds
    return found


def test_the_network_is_in_8_bits_and_the_rest_is_not(
    float_model: openvino.Model, inputs: list[NDArray[Any]]
) -> None:
    """And is near to float; layers that are to stay in float do."""
    model = quantised(float_model, inputs, {"head.class_logits"})
    found = convolutions(model)
    in_float = {name for name, is_quantised in found.items() if not is_quantised}
    offsets = {name for name in found if name.endswith("conv_offset_mask")}
    rescoring = {name for name in found if name.startswith("mask_iou.")}
    assert len(offsets) == 3
    assert len(rescoring) == 6
    assert in_float == {"backbone.conv1", "head.class_logits"} | offsets | rescoring
    raw = [
        result.input_value(0).get_node()
        for result in model.get_results()
        if result.input_value(0).get_names() & {*RAW}
    ]
    before = upstream(raw)
    assert len(raw) == len(RAW)
    after = [node for node in model.get_ops() if node.get_friendly_name() not in before]
    assert not [node for node in after if node.get_type_name() == "FakeQuantize"]
    pixels = np.concatenate(inputs[:2])
    outputs = []
    for one in (float_model, model):
        results = openvino.compile_model(one, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)
        outputs.append([results[name] for name in RAW])
    for expected, computed in zip(*outputs, strict=True):
        error = np.square(computed - expected).sum() / np.square(expected).sum()
        assert 0 < error < 0.02
