"""Exported files: opened, computed and refused."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import yolact_pl
from tests.inference.exported.drawn_graph import (
    BOXES,
    BRIGHT,
    LABELS,
    SCORES,
    SIDE,
    STRIDE,
    drawn_metadata,
    write_onnx,
    write_openvino,
)
from yolact_pl.inference.exported.metadata import ExportError
from yolact_pl.inference.exported.model_file import exported_file
from yolact_pl.inference.exported.predictor import open_session

RUNTIMES = ["onnxruntime", "openvino"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    about = drawn_metadata(class_thresholds=(0.7, 0.3))
    write_onnx(folder / "model.onnx", about)
    write_openvino(folder / "model_openvino", about)
    return folder


def file_of(folder: Path, runtime: str) -> Path:
    return folder / {"onnxruntime": "model.onnx", "openvino": "model_openvino/model.xml"}[runtime]


def grey_images(*values: int) -> np.ndarray:
    return np.stack([np.full((SIDE, SIDE, 3), value, dtype=np.uint8) for value in values])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_session_gives_the_outputs_by_name(folder: Path, runtime: str) -> None:
    session = open_session(file_of(folder, runtime), threads=1)
    outputs = session.run(grey_images(BRIGHT + 10, BRIGHT - 20))
    assert (session.name, session.device, session.metadata.nms) == (runtime, "cpu", "fast")
    assert set(outputs) == {*session.metadata.outputs}
    assert outputs["labels"].dtype == np.int64
    for name, expected in (("boxes", BOXES), ("scores", SCORES), ("mask_scores", SCORES), ("labels", LABELS)):
        np.testing.assert_allclose(outputs[name], [expected] * 2)
    assert outputs["masks"].shape == (2, len(SCORES), SIDE // STRIDE, SIDE // STRIDE)
    np.testing.assert_allclose(outputs["masks"][:, 0, 0, 0], [10, -20], rtol=1e-5)
    told = session.meter.describe()
    assert told["threads"] == 1
    assert told[runtime]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_threads_share_a_session(folder: Path, runtime: str) -> None:
    session = open_session(file_of(folder, runtime))
    values = list(range(0, 256, 3))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda value: session.run(grey_images(value))["masks"], values))
    for value, masks in zip(values, results, strict=True):
        np.testing.assert_allclose(masks, value - BRIGHT, rtol=1e-5)


def test_threads_follow_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert open_session(folder / "model.onnx").meter.describe()["threads"] == 3


@pytest.mark.parametrize("inside", ["", "model.onnx", "model_openvino", "model_openvino/model.xml"])
def test_has_the_face_of_the_library(folder: Path, inside: str, tmp_path: Path) -> None:
    model = yolact_pl.load(folder / inside, top_k=2)
    image = np.full((100, 200, 3), 255, dtype=np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    first, second = model([path, image])
    for found in (first, second, model(Image.open(path))):
        assert found.names == ["dög", "cat"]
        assert found.boxes.tolist() == [[25, 12, 125, 62], [0, 0, 200, 100]]
    assert model(path, min_score=0.8).names == ["dög"]
    assert model(path, classes="cat").names == ["cat"]
    assert first.masks[0, 12:62, 25:125].all()
    assert first.masks[1].all()
    assert first.to_coco(5)[0]["category_id"] == 18
    assert len(first.to_polygons()) == 2
    assert (first.draw(image) != image).any()
    assert len(model.tiled(image, tile=80)) > 1


def test_what_is_left_out_is_as_exported(tmp_path: Path) -> None:
    """The defaults for checkpoints are no reason to refuse a file."""
    about = drawn_metadata(nms="exact", iou_threshold=0.65, score_threshold=0.5)
    model = yolact_pl.load(write_onnx(tmp_path / "any name.onnx", about))
    request = model.predictor.request
    assert (request.nms, request.iou_threshold, request.min_score) == ("exact", 0.65, 0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"image_size": 32}, "takes 64 x 64; export .* image_size=.32, 32. or dynamic_size=true"),
        ({"resize": "shortest_edge"}, "dynamic_size=true"),
        ({"half": True}, "half=true: .* precision=float32; export .* precision=float16"),
        ({"device": "cuda"}, "the installed onnxruntime has no CUDA"),
        ({"device": "mps"}, "onnxruntime runs on auto, cpu, cuda"),
        ({"anchors": "coco"}, "anchors belong to a .pth"),
        ({"class_names": ["cat"]}, "2 classes but 1 class names"),
        ({"nms": "exact"}, "export the checkpoint again with nms=exact"),
    ],
)
def test_refuses_what_the_file_is_not(folder: Path, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        yolact_pl.load(folder, **arguments)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


def test_openvino_names_its_devices(folder: Path) -> None:
    with pytest.raises(ExportError, match="device=cuda: OpenVINO finds cpu"):
        yolact_pl.load(folder / "model_openvino", device="cuda")


def test_input_of_another_size_where_it_is_dynamic(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "model.onnx", drawn_metadata(dynamic_size=True))
    assert yolact_pl.load(path, image_size=(64, 96)).predictor.image_size == (64, 96)
    with pytest.raises(ExportError, match="takes multiples of 32"):
        yolact_pl.load(path, image_size=100)


def _not_ours(path: Path) -> None:
    write_onnx(path, None)


def _other_version(path: Path) -> None:
    text = drawn_metadata().to_json().replace('"format_version": 1', '"format_version": 2')
    write_onnx(path, text)


def _later_opset(path: Path) -> None:
    write_onnx(path, drawn_metadata(), opset=99)


def _other_outputs(path: Path) -> None:
    write_onnx(path, drawn_metadata(layout="coefficients"))


def _cut_off(path: Path) -> None:
    write_onnx(path, drawn_metadata())
    path.write_bytes(path.read_bytes()[:-400])


def _empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_not_ours, "was not exported by this project"),
        (_other_version, "format_version=2"),
        (_later_opset, "has opset 99, onnxruntime .* pip install --upgrade onnxruntime"),
        (_other_outputs, "lacks the outputs coefficients, prototypes"),
        (_cut_off, "can't be opened by onnxruntime .* damaged"),
        (_empty, "can't be opened by onnxruntime .* damaged"),
    ],
)
def test_bad_onnx_files(make: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    make(path)
    with pytest.raises(ExportError, match=f"model.onnx.*{said}") as told:
        yolact_pl.load(path)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("damaged", ["model.xml", "model.bin", "metadata"])
def test_bad_openvino_models(damaged: str, tmp_path: Path) -> None:
    path = write_openvino(tmp_path / "model", None if damaged == "metadata" else drawn_metadata())
    if damaged != "metadata":
        (path.parent / damaged).write_bytes((path.parent / damaged).read_bytes()[:100])
    said = "was not exported by this project" if damaged == "metadata" else "can't be opened by openvino"
    with pytest.raises(ExportError, match=f"model.xml.*{said}") as told:
        yolact_pl.load(path.parent)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_missing_runtime_is_named_with_its_command(
    folder: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(ExportError, match=rf"model\.\w+ needs {runtime}: pip install {runtime}"):
        yolact_pl.load(file_of(folder, runtime))


def test_which_file_a_path_means(folder: Path, tmp_path: Path) -> None:
    assert exported_file(folder) == folder / "model.onnx"
    assert exported_file("yolact_base") is None
    assert exported_file(tmp_path / "a.ckpt") is None
    for name, said in (
        ("none.onnx", "no such file"),
        ("", "is a folder without model.onnx"),
        ("model.onnx.failed", "check.txt"),
        ("model.pt2", "torch.export.load"),
    ):
        with pytest.raises(ExportError, match=said):
            exported_file(tmp_path / name)
