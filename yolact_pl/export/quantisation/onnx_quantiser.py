"""ONNX graphs in 8 bits, by the static quantisation of ONNX Runtime."""

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from yolact_pl.export.onnx_graph import INPUT
from yolact_pl.export.portable import parts_of
from yolact_pl.export.quantisation.onnx_nodes import BETWEEN, CONVOLUTIONS, nodes_in_8_bits, upstream

AT_ONCE = 8
"""Images whose ranges are kept before they are joined."""


class OnnxQuantiser:
    """A graph whose tensors' ranges were measured, to be quantised with any choice of layers.

    Weights are symmetric per channel with 7 of their 8 bits, so that no sum saturates on processors without
    VNNI; activations are unsigned.

    Args:
        complete: of `trace_onnx`, in float32.
        inputs: see `Quantisation`.
    """

    def __init__(self, complete: onnx_ir.Model, inputs: Iterable[NDArray[Any]]) -> None:
        self.model = onnx_ir.to_proto(complete)
        self.ranges = _measured_ranges(_network_alone(self.model), inputs)

    def quantised(self, float_layers: Collection[str] = ()) -> onnx_ir.Model:
        """The complete graph, with `QuantizeLinear` and `DequantizeLinear` around what computes in 8 bits.

        Args:
            float_layers: see `Quantisation`.
        """
        model = _copy(self.model)
        nodes = [node.name for node in nodes_in_8_bits(model.graph, float_layers)]
        if not nodes:
            return onnx_ir.from_proto(model)  # the library takes no nodes for all
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self.ranges,
            nodes_to_quantize=nodes,
            nodes_to_exclude=[],
            op_types_to_quantize=[*CONVOLUTIONS, *BETWEEN],
            extra_options={},
        )
        quantizer.quantize_model()
        result = onnx_ir.from_proto(quantizer.model.model)
        result.graph.sort()
        return result


def _network_alone(complete: onnx.ModelProto) -> onnx.ModelProto:
    """The part that computes the raw outputs."""
    model = _copy(complete)
    graph = model.graph
    nodes = upstream(complete.graph, parts_of("raw"))
    used = {name for node in nodes for name in node.input}
    made = {name for node in nodes for name in node.output}
    initializers = [tensor for tensor in complete.graph.initializer if tensor.name in used]
    outputs = [output for output in complete.graph.output if output.name in made]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(initializers)
    graph.output.extend(outputs)
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _measured_ranges(model: onnx.ModelProto, inputs: Iterable[NDArray[Any]]) -> TensorsData:
    """Smallest and largest value of each tensor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        onnx.save(model, path)
        calibrator = create_calibrator(
            path,
            [*CONVOLUTIONS, *BETWEEN],
            augmented_model_path=str(path.with_name("with_ranges.onnx")),
            extra_options={"max_intermediate_outputs": AT_ONCE},
        )
        calibrator.collect_data(_Reader(inputs))
        return calibrator.compute_data()


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Iterable[NDArray[Any]]) -> None:
        self.inputs = iter(inputs)

    def get_next(self) -> dict[str, NDArray[Any]]:
        """Empty at the end."""
        pixels = next(self.inputs, None)
        return {} if pixels is None else {INPUT: pixels}
