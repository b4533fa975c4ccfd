"""Files of each format against the torch module that they were made of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from tests.export.networks import NETWORKS, SIZE, images
from yolact_pl.export.formats.registry import FORMATS, find_format
from yolact_pl.export.quantisation.plan import Quantisation
from yolact_pl.export.source import Source, describe
from yolact_pl.inference.exported.metadata import KEY, OUTPUTS, ExportError, ExportMetadata
from yolact_pl.postprocess import Postprocess

TENSORRT = """
Abs Add And ArgMax Cast Ceil Clip Concat Constant ConstantOfShape Conv CumSum DepthToSpace
DequantizeLinear Div Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm
GlobalAveragePool Greater GreaterOrEqual GridSample HardSigmoid HardSwish Identity
InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log MatMul Max MaxPool Min Mul
Neg Not Or Pad Pow QuantizeLinear Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum Relu Reshape Resize Round Shape Sigmoid Sign Slice Softmax Softplus Split Sqrt Squeeze Sub
Sum Tanh Tile TopK Transpose Unsqueeze Where
"""
"""Of the operators that TensorRT's ONNX parser documents (docs/operators.md of onnx-tensorrt), those of
networks; of NonMaxSuppression, NonZero, Loop, Scan and If it takes only some forms, if any."""

Sources = Callable[..., Source]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Of a network's name, made once: tracing takes seconds."""
    checkpoint = tmp_path_factory.mktemp("checkpoint") / "network.ckpt"
    checkpoint.write_bytes(b"abc")
    made: dict[tuple[str, str], Source] = {}

    def source_of(name: str, precision: str = "float32") -> Source:
        if (name, precision) not in made:
            network, options = NETWORKS[name]
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
                precision=precision,
                checkpoint=checkpoint,
                licence="CC0",
            )
            made[name, precision] = Source(network, postprocess, metadata)
        return made[name, precision]

    return source_of


def check_graph(model: onnx.ModelProto, layout: str) -> None:
    """Opset, operators, inputs, outputs and metadata."""
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not model.functions
    for node in model.graph.node:
        assert node.domain == ""
        assert node.op_type in TENSORRT.split(), node.name
        assert not any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)
    (images,) = model.graph.input
    shape = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, shape) == ("images", ["N", *SIZE, 3])
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert tuple(output.name for output in model.graph.output) == OUTPUTS[layout]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    about = ExportMetadata.from_json(properties[KEY])
    assert about.layout == layout
    assert about.class_names == ("cat", "dog", "bird")
    assert about.checkpoint == {
        "name": "network.ckpt",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # of "abc", FIPS 180-2
    }
    assert properties["names"] == "cat, dog, bird"


def check_numbers(source: Source, format_name: str, layout: str, folder: Path) -> None:
    """One image and a batch of three; rows of nearly equal scores may change places."""
    written_by = find_format(format_name)
    written_by.write(source, layout, folder)
    session = written_by.open(folder)
    assert (folder / written_by.model).exists()
    assert session.metadata.layout == layout
    model = source.portable()
    model.layout = layout
    for count in (1, 3):
        pixels = images(count)
        with torch.inference_mode():
            expected = {name: part.numpy() for name, part in model(pixels).items()}
        found: dict[str, Any] = session.run(pixels.numpy())
        assert {name: (part.shape, part.dtype) for name, part in found.items()} == {
            name: (part.shape, part.dtype) for name, part in expected.items()
        }
        ranked = set(OUTPUTS["detections"]) | {"coefficients"} if layout != "raw" else set()
        for name in set(OUTPUTS[layout]) - (ranked - {"scores"}):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-4)
        for name in ranked & set(OUTPUTS[layout]):
            differing = ~np.isclose(found[name], expected[name], rtol=1e-3, atol=1e-3)
            assert differing.any(axis=tuple(range(2, differing.ndim))).mean() < 0.1, name


@pytest.mark.parametrize("layout", OUTPUTS)
def test_onnx_of_deformable_convolutions_and_rescored_masks(
    sources: Sources, layout: str, tmp_path: Path
) -> None:
    source = sources("yolact_plus")
    check_numbers(source, "onnx", layout, tmp_path)
    check_graph(onnx.load(tmp_path / "model.onnx"), layout)


def test_openvino(sources: Sources, tmp_path: Path) -> None:
    check_numbers(sources("yolact_plus"), "openvino", "detections", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model_openvino"]


@pytest.mark.slow
@pytest.mark.parametrize("layout", OUTPUTS)
@pytest.mark.parametrize("name", ["yolact_modern", "yolact_cross_class", "yolact"])
def test_onnx_of_other_networks(sources: Sources, name: str, layout: str, tmp_path: Path) -> None:
    check_numbers(sources(name), "onnx", layout, tmp_path)
    check_graph(onnx.load(tmp_path / "model.onnx"), layout)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolact_plus", "yolact_modern"])
@pytest.mark.parametrize("format_name", ["openvino", "torch_export"])
def test_other_formats(sources: Sources, format_name: str, name: str, tmp_path: Path) -> None:
    check_numbers(sources(name), format_name, "detections", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("format_name", FORMATS)
def test_float16(sources: Sources, format_name: str, tmp_path: Path) -> None:
    """Half of the space, numbers of 11 bits, anchors of 24."""
    found = {}
    for precision in ("float32", "float16"):
        written_by = find_format(format_name)
        folder = tmp_path / precision
        folder.mkdir()
        written_by.write(sources("yolact", precision), "raw", folder)
        found[precision] = written_by.open(folder).run(images(2).numpy())
    sizes = [
        sum(path.stat().st_size for path in (tmp_path / precision).rglob("*") if path.is_file())
        for precision in ("float32", "float16")
    ]
    assert sizes[1] < 0.8 * sizes[0]
    np.testing.assert_array_equal(found["float16"]["anchors"], found["float32"]["anchors"])
    for name in set(OUTPUTS["raw"]) - {"anchors"}:
        largest = np.abs(found["float32"][name]).max()
        assert 0 < np.abs(found["float16"][name] - found["float32"][name]).max() < 0.02 * largest


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ExportError, match=r"format=onnx needs onnxscript: pip install yolact-pl\[export\]"):
        find_format("onnx")


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_int8(sources: Sources, tmp_path: Path, format: str) -> None:
    """All layouts of one graph: the same numbers, near to those of float."""
    if format == "openvino":
        pytest.importorskip("nncf", reason="needs nncf: pip install nncf")
    source = sources("yolact", "int8")
    source.quantisation = Quantisation([images(1).numpy() for _ in range(4)])
    written_by = find_format(format)
    pixels = images().numpy()
    found = {}
    for layout in OUTPUTS:
        (tmp_path / layout).mkdir()
        written_by.write(source, layout, tmp_path / layout)
        session = written_by.open(tmp_path / layout)
        assert (session.metadata.precision, session.metadata.layout) == ("int8", layout)
        found[layout] = session.run(pixels)
    raw, full, small = found["raw"], found["detections"], found["coefficients"]
    for key in ("boxes", "scores", "mask_scores", "labels"):
        np.testing.assert_allclose(full[key], small[key], atol=1e-3)
    model = source.portable()
    model.layout = "raw"
    expected = model(torch.from_numpy(pixels))
    for key, part in raw.items():
        difference = np.square(part - expected[key].numpy()).sum() / np.square(expected[key].numpy()).sum()
        assert difference < 0.05, key
    assert np.abs(raw["class_logits"] - expected["class_logits"].numpy()).max() > 1e-4
    if format == "onnx":
        check_graph(onnx.load(tmp_path / "detections" / "model.onnx"), "detections")


def test_files_tell_nothing_of_the_machine(sources: Sources, tmp_path: Path) -> None:
    """Tracing notes the lines of the source beside each node."""
    find_format("onnx").write(sources("yolact"), "detections", tmp_path)
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path(__file__).parents[2]).encode() not in content
