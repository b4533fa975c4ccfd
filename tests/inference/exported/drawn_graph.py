"""Model files in the form of an export, without a network: fixed boxes, masks where the image is bright."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

from tests.inference.exported.test_metadata import metadata
from yolact_pl.inference.exported.metadata import KEY, ExportMetadata

SIDE, STRIDE = 64, 4
BOXES = [[8, 8, 40, 40], [0, 0, 64, 64], [32, 16, 60, 48], [0, 0, 0, 0]]
SCORES, LABELS = [0.9, 0.6, 0.2, 0.0], [1, 0, 1, 0]
"""The last row is padding."""
BRIGHT = 128


def drawn_metadata(**changes: Any) -> ExportMetadata:
    size = SIDE // STRIDE
    fixed = {"image_size": (SIDE, SIDE), "prototype_size": (size, size), "max_detections": len(SCORES)}
    return metadata(**{**fixed, **changes})


def write_onnx(path: Path, about: ExportMetadata | str | None, *, opset: int = 18) -> Path:
    """An ONNX file with these metadata, or this text in their place, or none."""
    one, pixels = [("N", len(SCORES))], TensorProto.FLOAT
    constants = {
        "channels": np.array([3]), "second": np.array([1]), "zero": np.array([0]), "first": np.array([1]),
        "bright": np.array(BRIGHT, np.float32), "rows": np.array([len(SCORES)]), "four": np.array([4]),
        "map": np.array([len(SCORES), SIDE // STRIDE, SIDE // STRIDE]),
        "box": np.array([BOXES], np.float32), "score": np.array([SCORES], np.float32),
        "label": np.array([LABELS]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=pixels),
        helper.make_node("ReduceMean", ["pixels", "channels"], ["grey"], keepdims=0),
        helper.make_node("Unsqueeze", ["grey", "second"], ["plane"]),
        helper.make_node(
            "AveragePool", ["plane"], ["small"], kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2
        ),
        helper.make_node("Sub", ["small", "bright"], ["logits"]),
        helper.make_node("Shape", ["images"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "first"], ["batch"]),
    ]
    for name, value, sizes in (
        ("boxes", "box", ["batch", "rows", "four"]),
        ("scores", "score", ["batch", "rows"]),
        ("mask_scores", "score", ["batch", "rows"]),
        ("labels", "label", ["batch", "rows"]),
        ("masks", "logits", ["batch", "map"]),
    ):
        nodes += [
            helper.make_node("Concat", sizes, [f"{name}_size"], axis=0),
            helper.make_node("Expand", [value, f"{name}_size"], [name]),
        ]
    shapes: dict[str, list[Any]] = {
        "boxes": [*one[0], 4], "scores": [*one[0]], "mask_scores": [*one[0]], "labels": [*one[0]],
        "masks": [*one[0], SIDE // STRIDE, SIDE // STRIDE],
    }  # fmt: skip
    kinds = {"labels": TensorProto.INT64}
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info(name, kinds.get(name, pixels), shape)
            for name, shape in shapes.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    if about is not None:
        text = about if isinstance(about, str) else about.to_json()
        helper.set_model_props(model, {KEY: text})
    onnx.save(model, str(path))
    return path


def write_openvino(folder: Path, about: ExportMetadata | None) -> Path:
    """The same for OpenVINO; the folder is made."""
    source = write_onnx(folder.parent / "source.onnx", None)
    model = openvino.convert_model(source)
    if about is not None:
        model.set_rt_info(about.to_json(), KEY)
    folder.mkdir()
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    source.unlink()
    return folder / "model.xml"
