"""OpenVINO models in 8 bits, by NNCF."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import openvino
from numpy.typing import NDArray

from yolact_pl.export.onnx_graph import INPUT
from yolact_pl.export.portable import parts_of
from yolact_pl.export.quantisation.plan import layer_name

os.environ.setdefault("NNCF_CI", "1")  # read at import: it would send usage data to its makers

import nncf

CONVOLUTIONS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
WITHOUT_WORK = ("Constant", "Parameter", "Result")


def quantised(
    complete: openvino.Model, inputs: Sequence[NDArray[Any]], float_layers: Collection[str] = ()
) -> openvino.Model:
    """A model in 8 bits, with a `FakeQuantize` at what computes in them.

    Weights have 7 of their 8 bits, so that no sum saturates on processors without VNNI.

    Args:
        complete: with `parts_of(COMPLETE)` as outputs, in float32; stays as it is.
        inputs: see `Quantisation`.
        float_layers: see `Quantisation`.
    """
    logging.getLogger("nncf").setLevel(
        logging.ERROR
    )  # its own function also changes the handlers of the root
    return nncf.quantize(
        complete.clone(),
        nncf.Dataset(inputs, lambda pixels: {INPUT: pixels}),
        preset=nncf.QuantizationPreset.MIXED,  # unsigned activations
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=sorted(in_float(complete, float_layers)), validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )


def in_float(model: openvino.Model, float_layers: Collection[str] = ()) -> set[str]:
    """Names of the nodes that do not compute in 8 bits."""
    nodes = [node for node in model.get_ops() if node.get_type_name() not in WITHOUT_WORK]
    network = upstream(_raw_outputs(model))
    convolutions = [node for node in network.values() if node.get_type_name() in CONVOLUTIONS]
    grids = [_source(node, 1) for node in nodes if node.get_type_name() == "GridSample"]
    found = {node.get_friendly_name() for node in nodes} - {*network}
    found |= {node.get_friendly_name() for node in _reading_images(convolutions)}
    found |= {*upstream(grids, until=CONVOLUTIONS)}
    found |= {node.get_friendly_name() for node in convolutions if layer_of(node) in float_layers}
    return found


def upstream(nodes: Iterable[openvino.Node], *, until: Collection[str] = ()) -> dict[str, openvino.Node]:
    """Some nodes and those that they are computed of, by name.

    Args:
        nodes: where the search starts.
        until: types at which it ends; they are among the result.
    """
    found: dict[str, openvino.Node] = {}
    waiting = [*nodes]
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in found:
            found[node.get_friendly_name()] = node
            if node.get_type_name() not in until:
                waiting.extend(_source(node, index) for index in range(node.get_input_size()))
    return found


def layer_of(convolution: openvino.Node) -> str:
    """See `layer_name`."""
    weight = _source(convolution, 1)
    while weight.get_type_name() != "Constant" and weight.get_input_size():
        weight = _source(weight, 0)
    return layer_name(weight.get_friendly_name())


def _raw_outputs(model: openvino.Model) -> list[openvino.Node]:
    wanted = {*parts_of("raw")}
    return [
        _source(result, 0) for result in model.get_results() if wanted & result.input_value(0).get_names()
    ]


def _reading_images(convolutions: Iterable[openvino.Node]) -> Iterator[openvino.Node]:
    for node in convolutions:
        before = upstream([_source(node, 0)], until=CONVOLUTIONS).values()
        if not any(one.get_type_name() in CONVOLUTIONS for one in before):
            yield node


def _source(node: openvino.Node, index: int) -> openvino.Node:
    return node.input_value(index).get_node()
