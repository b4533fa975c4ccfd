"""Which nodes of an ONNX graph compute in 8 bits."""

from collections.abc import Callable, Collection, Iterable, Iterator

import onnx

from yolact_pl.export.portable import parts_of
from yolact_pl.export.quantisation.plan import layer_name

CONVOLUTIONS = ("Conv", "ConvTranspose")
BETWEEN = ("Add", "Clip", "Concat", "MaxPool", "Mul", "Relu", "Resize", "Sigmoid")
"""Other operators in 8 bits where a quantised convolution follows: conversions there cost time."""

Node = onnx.NodeProto


def nodes_in_8_bits(graph: onnx.GraphProto, float_layers: Collection[str] = ()) -> list[Node]:
    """See `Quantisation`.

    Args:
        graph: with the raw outputs among its tensors.
        float_layers: see `Quantisation`.
    """
    convolutions = list(filter(_is_convolution, upstream(graph, parts_of("raw"))))
    in_float = {node.name for node in _reading_images(graph, convolutions)}
    in_float |= {node.name for node in _sampling_positions(graph)}
    in_float |= {node.name for node in convolutions if layer_of(node) in float_layers}
    quantised = [node for node in convolutions if node.name not in in_float]
    before = upstream(
        graph, [node.input[0] for node in quantised], ends=lambda node: node.op_type not in BETWEEN
    )
    return quantised + [node for node in before if node.op_type in BETWEEN and node.name not in in_float]


def layers_in_8_bits(graph: onnx.GraphProto) -> list[str]:
    """Names of all convolutions that can stay in float by `Quantisation.float_layers`."""
    nodes = nodes_in_8_bits(graph)
    return list(dict.fromkeys(layer_of(node) for node in filter(_is_convolution, nodes)))


def layer_of(convolution: Node) -> str:
    """See `layer_name`."""
    return layer_name(convolution.input[1])


def upstream(
    graph: onnx.GraphProto, names: Iterable[str], *, ends: Callable[[Node], bool] = lambda _: False
) -> list[Node]:
    """The nodes that compute some tensors, in the order of the graph.

    Args:
        graph: to look in.
        names: of the tensors.
        ends: at which nodes the search ends; they are among the result.
    """
    made_by = {output: index for index, node in enumerate(graph.node) for output in node.output}
    found: set[int] = set()
    waiting = [*names]
    while waiting:
        index = made_by.get(waiting.pop())
        if index is not None and index not in found:
            found.add(index)
            if not ends(graph.node[index]):
                waiting.extend(graph.node[index].input)
    return [graph.node[index] for index in sorted(found)]


def _reading_images(graph: onnx.GraphProto, convolutions: Iterable[Node]) -> Iterator[Node]:
    for node in convolutions:
        if not any(map(_is_convolution, upstream(graph, node.input[:1], ends=_is_convolution))):
            yield node


def _sampling_positions(graph: onnx.GraphProto) -> list[Node]:
    """All that computes where `GridSample` samples, from the convolution on."""
    grids = [node.input[1] for node in graph.node if node.op_type == "GridSample"]
    return upstream(graph, grids, ends=_is_convolution)


def _is_convolution(node: Node) -> bool:
    return node.op_type in CONVOLUTIONS
