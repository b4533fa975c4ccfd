"""The cost of layers, and the search for those to keep in float."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yolact_pl.export.portable import PortableModel
from yolact_pl.export.quantisation.layer_costs import layer_costs, rounded
from yolact_pl.export.quantisation.onnx_nodes import layers_in_8_bits
from yolact_pl.export.quantisation.onnx_quantiser import OnnxQuantiser
from yolact_pl.export.quantisation.trials import find_float_layers


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20))
def test_rounding_to_8_bits(values: list[float]) -> None:
    """At most 256 values, none further than half a step from its own, but where the ends are moved to 0."""
    x = torch.tensor(values)
    found = rounded(x)
    ends = [*values, 0.0]
    step = (max(ends) - min(ends)) / 255
    assert (found - x).abs().max() <= step * 1.01 + 1e-6
    assert rounded(torch.zeros(3)).equal(torch.zeros(3))


def test_costs_are_those_of_a_file_with_one_layer_in_8_bits(
    model: PortableModel, complete: onnx_ir.Model, inputs: list[NDArray[Any]], tmp_path: Path
) -> None:
    """By ONNX Runtime, whose ranges are of all images, not of each."""
    quantiser = OnnxQuantiser(complete, inputs[:2])
    layers = layers_in_8_bits(quantiser.model.graph)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seen: list[None] = []
    costs = layer_costs(model, layers, inputs[:2], lambda: seen.append(None))
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert {cost.layer for cost in costs} == {*layers}
    assert [cost.error for cost in costs] == sorted((cost.error for cost in costs), reverse=True)
    assert len(seen) == len(layers)
    expected = raw_outputs(complete, inputs[:2], tmp_path)
    errors = []
    for cost in (*costs[:3], costs[-1]):
        one = quantiser.quantised([layer for layer in layers if layer != cost.layer])
        found = raw_outputs(one, inputs[:2], tmp_path)
        pairs = [pair for batch in zip(expected, found, strict=True) for pair in zip(*batch, strict=True)]
        errors.append(sum(np.square(x - y).sum() / np.square(x).sum() for x, y in pairs) / 2)
    for cost, error in zip(costs[:3], errors[:3], strict=True):
        assert 0.3 < cost.error / error < 3, cost.layer
    assert errors[-1] < min(errors[:3]) / 3


def raw_outputs(model: onnx_ir.Model, inputs: list[NDArray[Any]], folder: Path) -> list[list[NDArray[Any]]]:
    onnx_ir.save(model, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = ["class_logits", "box_deltas", "anchor_coefficients", "prototypes"]
    return [session.run(names, {"images": pixels}) for pixels in inputs]


LAYERS = [f"layer{index}" for index in range(40)]


@pytest.mark.parametrize(
    ("needed", "tried"), [(0, [0]), (2, [0, 2]), (3, [0, 2, 6]), (31, [0, 2, 6, 14, 30])]
)
def test_costliest_layers_are_kept_until_ap_is_reached(needed: int, tried: list[int]) -> None:
    said: list[str] = []
    asked: list[None] = []

    def measure(layers: Sequence[str]) -> dict[str, float]:
        return {"box": 0.5, "mask": 0.4 if len(layers) < needed else 0.495}

    def costliest() -> Sequence[str]:
        asked.append(None)
        return LAYERS

    trials = find_float_layers(
        measure, costliest, expected={"box": 0.5, "mask": 0.5}, max_ap_drop=0.01, say=said.append
    )
    assert [list(trial.float_layers) for trial in trials] == [LAYERS[:count] for count in tried]
    assert len(said) == len(trials)
    assert len(asked) == (needed > 0)
    assert (trials[-1].lost <= 0.01) == (needed <= 30)
    if needed:
        assert "layer0, layer1" in said[1]


def test_few_layers_are_not_tried_twice() -> None:
    trials = find_float_layers(
        lambda layers: {"mask": 0.1},
        lambda: LAYERS[:3],
        expected={"mask": 0.5},
        max_ap_drop=0.01,
        say=lambda line: None,
    )
    assert [len(trial.float_layers) for trial in trials] == [0, 2, 3]
