"""task=export, from a checkpoint to a file that task=predict takes."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import yolact_pl
from tests.tiny_run import TINY
from yolact_pl.export.verification.comparison import Difference
from yolact_pl.export.verification.report import Report
from yolact_pl.inference.exported.metadata import ExportMetadata

Run = Callable[..., Any]
WRITTEN = ["check.json", "check.png", "check.txt", "metadata.json"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    from hydra.utils import get_method

    from tests.tiny_run import compose_config

    output = tmp_path_factory.mktemp("trained")
    cfg = compose_config([*TINY, f"data_dir={data_dir}"], output)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    get_method(cfg.task.run)(cfg)
    return output / "checkpoints" / "last.ckpt"


def test_writes_a_folder_that_proves_itself(
    run_task: Run, checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The data set is named in `TINY`, so that AP is measured too."""
    caplog.set_level(logging.INFO)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "model.onnx.failed").write_text("of an earlier export")
    options = ["max_detections=20", "nms=cross_class", "licence=CC0", "score_threshold=0.1"]
    run_task(tmp_path, "task=export", f"checkpoint={checkpoint}", *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*WRITTEN, "model.onnx", "notes.txt"])
    about = ExportMetadata.from_json((tmp_path / "metadata.json").read_text())
    assert (about.max_detections, about.nms, about.licence) == (20, "cross_class", "CC0")
    assert (about.score_threshold, about.image_size) == (0.1, (64, 64))
    assert about.checkpoint["name"] == "last.ckpt"
    report = json.loads((tmp_path / "check.json").read_text())
    assert report["passes"]
    assert report["images"] == 4
    assert about.ap == report["ap"]
    assert about.ap is not None
    assert about.ap["torch"] == pytest.approx(about.ap["exported"], abs=1e-3)
    assert "task=predict" in caplog.text
    model = yolact_pl.load(tmp_path, min_score=0.1)
    assert model.predictor.engine.name == "onnxruntime"
    assert len(model(np.zeros((50, 60, 3), np.uint8))) <= 20


def test_a_file_that_differs_is_named_so(
    run_task: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an earlier one doesn't stay beside it."""

    def different(source: Any, *_: object) -> Report:
        rows = [Difference("class_logits", 0.5, 0.1, "of the largest value")]
        return Report(source.metadata, 1, "drawn", {1: rows})

    class Nothing:
        model = "model.onnx"
        precisions = ("float32",)
        layouts = ("detections",)

        def write(self, source: Any, layout: str, folder: Path) -> None:
            (folder / self.model).write_text("new")

    monkeypatch.setattr("yolact_pl.tasks.export.check_export", different)
    monkeypatch.setattr("yolact_pl.tasks.export.find_format", lambda name: Nothing())
    (tmp_path / "model.onnx").write_text("old")
    with pytest.raises(ValueError, match=r"\.failed does not.*class_logits differs first, by 0\.5"):
        run_task(tmp_path, "task=export", f"checkpoint={checkpoint}")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["check.json", "check.txt", "metadata.json", "model.onnx.failed"]
    assert (tmp_path / "model.onnx.failed").read_text() == "new"
    with pytest.raises(ValueError, match="did not compute what torch computes"):
        yolact_pl.load(tmp_path / "model.onnx.failed")


def test_int8_is_accepted_by_ap(run_task: Run, checkpoint: Path, tmp_path: Path) -> None:
    options = ["precision=int8", "calibration_images=3", "max_ap_drop=0.02"]
    run_task(tmp_path, "task=export", f"checkpoint={checkpoint}", *options)
    about = ExportMetadata.from_json((tmp_path / "metadata.json").read_text())
    report = json.loads((tmp_path / "check.json").read_text())
    assert report["passes"]
    assert about.precision == "int8"
    assert about.ap == report["ap"]
    assert about.ap is not None
    assert report["int8_trials"][-1]["ap"] == about.ap["exported"]
    assert yolact_pl.load(tmp_path).predictor.engine.precision == "int8"


def test_int8_that_loses_too_much(
    run_task: Run,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """More and more layers stay in float, and the last trial has failed."""

    def lossy(predictor: Any, *_: object) -> dict[str, float]:
        return {"box": 0.5, "mask": 0.5 if predictor.engine.name == "torch" else 0.4}

    caplog.set_level(logging.INFO)
    monkeypatch.setattr("yolact_pl.tasks.export.average_precision", lossy)
    options = ["precision=int8", "calibration_images=1"]
    with pytest.raises(ValueError, match=r"mask AP is 10\.00 lower than torch's, 1\.0 are allowed"):
        run_task(tmp_path, "task=export", f"checkpoint={checkpoint}", *options)
    assert (tmp_path / "model.onnx.failed").is_file()
    assert not (tmp_path / "model.onnx").exists()
    trials = json.loads((tmp_path / "check.json").read_text())["int8_trials"]
    assert [len(trial["float_layers"]) for trial in trials][:4] == [0, 2, 6, 14]
    named = trials[1]["float_layers"]
    assert f"all in int8 but {', '.join(named)} in float: box AP 50.00, mask AP 40.00" in caplog.text
    assert ", ".join(named) in (tmp_path / "check.txt").read_text()


@pytest.mark.parametrize("check", [True, False])
def test_int8_without_validation_images(
    run_task: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    """Refused, but where it is not to be checked."""

    def nothing(self: object) -> None:
        raise ValueError("no such folder")

    monkeypatch.setattr("yolact_pl.config.trained.Trained.data", nothing)
    monkeypatch.setattr("yolact_pl.tasks.export.typed_keys", lambda: {"task"})
    options = [f"checkpoint={checkpoint}", "precision=int8", f"check={str(check).lower()}"]
    if check:
        with pytest.raises(ValueError, match="precision=int8 is accepted by the AP"):
            run_task(tmp_path, "task=export", *options)
        assert [*tmp_path.iterdir()] == []
    else:
        run_task(tmp_path, "task=export", *options)
        assert (tmp_path / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("format=onxn", "format=onxn is not known; did you mean 'onnx'"),
        ("precision=half", "precision=half is not known"),
        ("max_ap_drop=2", "max_ap_drop=2: expected a number from 0 to 1"),
        ("calibration_images=0", "calibration_images=0: expected a whole number"),
        ("layout=boxes", "layout=boxes is not known"),
        ("input=int8", "input=int8 is not known; did you mean 'uint8'"),
        ("nms=soft", "nms=soft is not known"),
        ("iou_threshold=2", "iou_threshold=2: expected a number"),
        ("max_detections=0", "max_detections=0: expected a whole number"),
        ("check=maybe", "check=maybe: expected true or false"),
        ("dynamic_size=3", "dynamic_size=3: expected true or false"),
        ("licence=3", "licence=3: expected a text"),
        ("class_names=cat", r"class_names=cat: expected a list"),
        ("class_names=[cat]", "class"),
        ("image_size=16", "image_size=.* at least 32 pixels"),
        ("checkpoint=nowhere.ckpt", "checkpoint=nowhere.ckpt: no such file"),
    ],
)
def test_what_can_not_be_used_is_told_in_a_sentence(
    run_task: Run, checkpoint: Path, tmp_path: Path, override: str, said: str
) -> None:
    overrides = ["task=export", f"checkpoint={checkpoint}", override]
    with pytest.raises(ValueError, match=said) as raised:
        run_task(tmp_path / "out", *overrides)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists() or not [*(tmp_path / "out").iterdir()]


@pytest.mark.parametrize("name", ["notes.ckpt", "model.onnx"])
def test_other_files_as_checkpoint(run_task: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("something else")
    with pytest.raises(ValueError, match=str(file)):
        run_task(tmp_path / "out", "task=export", f"checkpoint={file}")
