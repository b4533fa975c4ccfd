"""Model repositories against the servers' documented form."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.export.networks import NETWORKS, SIZE, images
from yolact_pl.export.formats.registry import find_format
from yolact_pl.export.source import Source, describe
from yolact_pl.inference.exported.metadata import OUTPUTS
from yolact_pl.postprocess import Postprocess

ONNX_TYPES = {
    "TYPE_UINT8": onnx.TensorProto.UINT8,
    "TYPE_FP32": onnx.TensorProto.FLOAT,
    "TYPE_INT64": onnx.TensorProto.INT64,
}
"""Triton's names (docs/user_guide/model_configuration.md, Datatypes)."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    checkpoint = tmp_path_factory.mktemp("checkpoint") / "network.ckpt"
    checkpoint.write_bytes(b"abc")
    network, options = NETWORKS["yolact"]
    postprocess = Postprocess(**options)
    metadata = describe(
        network,
        postprocess,
        layout="detections",
        input="uint8",
        image_size=SIZE,
        dynamic_size=False,
        resize="stretch",
        image_value_range=None,
        class_names=("cat", "dog", "bird"),
        category_ids=(17, 18, 16),
        class_thresholds=None,
        precision="float32",
        checkpoint=checkpoint,
        licence=None,
    )
    return Source(network, postprocess, metadata)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("layout", ["detections", "coefficients"])
def test_triton(source: Source, tmp_path: Path, layout: str) -> None:
    """Names, types and dimensions of `config.pbtxt` are those of the graph without the batch."""
    find_format("triton").write(source, layout, tmp_path)
    repository = tmp_path / "model_repository"
    assert files(repository) == ["yolact/1/model.onnx", "yolact/config.pbtxt"]
    config = (repository / "yolact" / "config.pbtxt").read_text()
    assert 'name: "yolact"\nbackend: "onnxruntime"\nmax_batch_size: 8\n' in config
    assert "dynamic_batching { }" in config
    tensors = re.findall(r'\{ name: "(\w+)" data_type: (\w+) dims: \[ ([-\d, ]+) \] \}', config)
    found = {name: (kind, [int(side) for side in sides.split(",")]) for name, kind, sides in tensors}
    graph = onnx.load(repository / "yolact" / "1" / "model.onnx").graph
    assert [name for name, *_ in tensors] == ["images", *OUTPUTS[layout]]
    for value in (*graph.input, *graph.output):
        kind, sides = found[value.name]
        shape = [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        assert shape == ["N", *sides]
        assert value.type.tensor_type.elem_type == ONNX_TYPES[kind]


def test_openvino_model_server(source: Source, tmp_path: Path) -> None:
    """A model is a folder with a folder per version; the path is relative to the config's folder."""
    written_by = find_format("openvino_model_server")
    written_by.write(source, "detections", tmp_path)
    written_by.write(source, "detections", tmp_path)  # again, with what was measured
    repository = tmp_path / "model_repository"
    assert files(repository) == ["config.json", "yolact/1/model.bin", "yolact/1/model.xml"]
    (entry,) = json.loads((repository / "config.json").read_text())["model_config_list"]
    assert entry["config"]["name"] == "yolact"
    assert (repository / entry["config"]["base_path"] / "1" / "model.xml").is_file()
    pixels = images().numpy()
    found = written_by.open(tmp_path).run(pixels)
    with torch.inference_mode():
        expected = source.portable()(torch.from_numpy(pixels))
    np.testing.assert_allclose(found["scores"], expected["scores"].numpy(), atol=1e-4)
