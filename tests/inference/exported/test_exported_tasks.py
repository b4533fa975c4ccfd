"""Tasks with an exported file in place of a checkpoint."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_method

import yolact_pl
from tests.inference.exported.drawn_graph import drawn_metadata, write_onnx, write_openvino
from tests.tiny_run import TINY, compose_config
from yolact_pl.data.shape_drawing import CLASSES

Run = Callable[..., Any]
TINY_DATA = [option for option in TINY if not option.startswith(("+backbone", "model"))]


@pytest.fixture
def run_task(data_dir: Path) -> Run:
    """As in other tests, without a word about the network."""

    def run(output: Path, *overrides: str) -> Any:
        cfg = compose_config([*TINY_DATA, f"data_dir={data_dir}", *overrides], output)
        return get_method(cfg.task.run)(cfg)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an export in each format, for the synthetic shapes."""
    folder = tmp_path_factory.mktemp("exported")
    ids = tuple(range(1, len(CLASSES) + 1))
    about = drawn_metadata(class_names=CLASSES, category_ids=ids, checkpoint={"name": "toy"})
    write_onnx(folder / "model.onnx", about)
    write_openvino(folder / "model_openvino", about)
    return folder


@pytest.mark.parametrize(("inside", "engine"), [("", "onnxruntime"), ("model_openvino", "openvino")])
def test_eval_measures_the_file(
    folder: Path, inside: str, engine: str, run_task: Run, data_dir: Path, tmp_path: Path
) -> None:
    run_task(tmp_path, "task=eval", f"checkpoint={folder / inside}")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    conditions = {"engine": engine, "precision": "float32", "device": "cpu", "images": 5}
    assert {name: metrics[name] for name in conditions} == conditions
    truth = json.loads((data_dir / "shapes" / "annotations" / "instances_val.json").read_text())
    files = [data_dir / "shapes" / "val" / entry["file_name"] for entry in truth["images"]]
    model = yolact_pl.load(folder / inside, min_score=0.05)
    expected = [
        row["segmentation"]["counts"]
        for entry, found in zip(truth["images"], model(files), strict=True)
        for row in found.to_coco(entry["id"])
    ]
    got = json.loads((tmp_path / "mask_detections.json").read_text())
    assert [row["segmentation"]["counts"] for row in got] == expected
    assert len(expected) == 15


def test_predict_writes_what_the_library_finds(
    folder: Path, run_task: Run, data_dir: Path, tmp_path: Path
) -> None:
    """The defaults of the options that are the file's own are not asked of it."""
    run_task(tmp_path, "task=eval", f"checkpoint={folder}")  # draws the shapes
    source = data_dir / "shapes" / "val"
    run_task(tmp_path, "task=predict", f"checkpoint={folder}", f"source={source}", "save=json")
    images = json.loads((tmp_path / "predictions.json").read_text())
    model = yolact_pl.load(folder)
    assert len(images) == 5
    for image in images:
        found = model(source / image["file"])
        assert [one["name"] for one in image["detections"]] == found.names
        assert len(found) == 2


def test_benchmark_names_engine_and_checkpoint(
    folder: Path, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    few = ["task.images=2", "task.warmup=1", "task.batch_sizes=[1,2]"]
    run_task(tmp_path, "task=benchmark", f"checkpoint={folder}", *few)
    report = json.loads((tmp_path / "benchmark.json").read_text())
    assert (report["name"], report["engine"], report["precision"]) == ("toy", "onnxruntime", "float32")
    assert report["checkpoint"] == str(folder / "model.onnx")
    assert report["image_size"] == [64, 64]
    assert report["machine"]["onnxruntime"] in caplog.text
    assert [batch["batch_size"] for batch in report["batches"]] == [1, 2]


@pytest.mark.parametrize(
    ("task", "option", "said"),
    [
        ("predict", "nms=exact", "the file has nms=fast inside; export the checkpoint again with nms=exact"),
        ("predict", "iou_threshold=0.6", "export the checkpoint again with iou_threshold=0.6"),
        ("predict", "min_score=0.01", "export the checkpoint again with score_threshold=0.01"),
        ("predict", "top_k=50", "export the checkpoint again with max_detections=50"),
        ("predict", "save=prototypes", "export the checkpoint again with layout=coefficients"),
        ("predict", "image_size=32", "export the checkpoint again with image_size=.32, 32."),
        ("predict", "anchors=coco", "anchors belong to a .pth"),
        ("predict", "half=true", "export the checkpoint again with precision=float16"),
        ("predict", "device=cuda", "the installed onnxruntime has no CUDA"),
        ("eval", "model.postprocess.nms=exact", "model.postprocess.nms: .* are inside of"),
        ("eval", "backbone=r50", "backbone: .* are inside of"),
        ("eval", "half=true", "export the checkpoint again with precision=float16"),
        ("benchmark", "task.compile=true", "task.compile=True is for torch"),
    ],
)
def test_what_is_typed_and_not_in_the_file_is_refused(
    folder: Path, task: str, option: str, said: str, run_task: Run, tmp_path: Path
) -> None:
    source = tmp_path / "image.ppm"
    source.write_bytes(b"P6 2 2 255 " + bytes(12))
    with pytest.raises(ValueError, match=said):
        run_task(tmp_path, f"task={task}", f"checkpoint={folder}", f"source={source}", option)


def test_eval_refuses_other_classes(run_task: Run, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "model.onnx", drawn_metadata())
    with pytest.raises(ValueError, match=r"model\.onnx: knows 2 classes, .* only the checkpoint has cat"):
        run_task(tmp_path, "task=eval", f"checkpoint={path}")
