"""From training to pictures, and what goes wrong on the way."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import yolact_pl
from tests.csv_log import logged
from tests.tiny_run import assert_same_ap

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    return tmp_path_factory.mktemp("runs") / "first"


@pytest.fixture
def first_run(trained: Path, run_task: Run) -> Path:
    if not trained.exists():
        trained.mkdir()
        run_task(trained)
    return trained


def test_training_leaves_checkpoints_metrics_and_pictures(first_run: Path) -> None:
    names = {path.name for path in (first_run / "checkpoints").iterdir()}
    assert names == {"shapes_published_0_4.ckpt", "last.ckpt"}
    assert (first_run / "validation.jpg").stat().st_size > 1000
    metrics = json.loads((first_run / "metrics.json").read_text())
    assert metrics["images"] == 5
    assert sorted(logged(first_run)) == [0, 1, 2, 3]


def test_checkpoints_hold_tensors_and_primitives_only(first_run: Path) -> None:
    content = torch.load(first_run / "checkpoints" / "last.ckpt", weights_only=True)
    description = content["yolact_pl"]
    assert len(description["class_names"]) == description["network"]["num_classes"]
    assert json.dumps(description)
    assert description["network"]["backbone"]["weights"] is None


def test_eval_repeats_the_validation_of_training(
    first_run: Path, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The predictor in float32 finds what the network of the training finds."""
    caplog.set_level(logging.INFO)
    run_task(tmp_path, "task=eval", f"checkpoint={first_run / 'checkpoints' / 'last.ckpt'}")
    assert_same_ap(tmp_path, first_run)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    conditions = {"engine": "torch", "precision": "float32", "device": "cpu"}
    assert {name: metrics[name] for name in conditions} == conditions
    assert "engine torch, precision float32, device cpu" in caplog.text
    trained, measured = (json.loads((p / "mask_detections.json").read_text()) for p in (first_run, tmp_path))
    assert [row["score"] for row in measured] == pytest.approx([row["score"] for row in trained], abs=1e-5)
    assert len((tmp_path / "per_class.csv").read_text().splitlines()) > 2


def test_report_and_thresholds_of_a_checkpoint(
    first_run: Path, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = first_run / "checkpoints" / "last.ckpt"
    run_task(tmp_path, "task=eval", f"checkpoint={checkpoint}", "report=true", "save_thresholds=true")
    report = json.loads((tmp_path / "report.json").read_text())
    measured, metrics = report["measured"], json.loads((tmp_path / "metrics.json").read_text())
    assert measured["checkpoint_sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert measured["data_sha256"] == hashlib.sha256(Path(measured["data"]).read_bytes()).hexdigest()
    assert measured["milliseconds_per_image"] > 0
    assert report["ap"]["mask"] == metrics["mask"]
    assert report["ap"]["box"] == metrics["box"]
    assert set(report["ap"]) == {"box", "mask", "boundary"}
    copy = tmp_path / "last_thresholds.ckpt"
    thresholds = torch.load(copy, weights_only=True)["class_thresholds"]
    assert thresholds == [row["threshold"] or 0.3 for row in report["classes"]]
    found = tmp_path / "found"
    source = Path(measured["data"]).parents[1] / "val"
    run_task(found, "task=predict", f"checkpoint={copy}", f"source={source}", "min_score=auto", "save=json")
    assert (found / "predictions.json").exists()
    with pytest.raises(ValueError, match=r"min_score=auto: .* save_thresholds=true"):
        run_task(found, "task=predict", f"checkpoint={checkpoint}", f"source={source}", "min_score=auto")


@pytest.mark.usefixtures("bfloat16_cpu")
@pytest.mark.parametrize("option", ["half=true", "tile=40", "model.postprocess.nms=exact"])
def test_eval_measures_what_the_predictor_finds(
    option: str, first_run: Path, run_task: Run, data_dir: Path, tmp_path: Path
) -> None:
    checkpoint = first_run / "checkpoints" / "last.ckpt"
    run_task(tmp_path, "task=eval", f"checkpoint={checkpoint}", option, "dataset.batch_size=5")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["precision"] == ("bfloat16" if option == "half=true" else "float32")
    assert metrics.get("tile") == (40 if option == "tile=40" else None)
    truth = json.loads((data_dir / "shapes" / "annotations" / "instances_val.json").read_text())
    files = [data_dir / "shapes" / "val" / entry["file_name"] for entry in truth["images"]]
    model = yolact_pl.load(checkpoint, device="cpu", half=option == "half=true", min_score=0, top_k=None)
    if option == "tile=40":
        expected = [model.tiled(file, tile=40, nms="fast") for file in files]
    else:
        expected = model(files, nms="exact" if option.endswith("exact") else "fast")
    rows = [
        row
        for entry, found in zip(truth["images"], expected, strict=True)
        for row in found.to_coco(entry["id"])
    ]
    got = json.loads((tmp_path / "mask_detections.json").read_text())
    assert len(got) > 10
    assert [row["segmentation"] for row in got] == [row["segmentation"] for row in rows]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("device=cuda:7", ": torch finds no such"),
        ("tile=0", ": expected the side"),
        ("tile=large", ": expected the side"),
    ],
)
def test_eval_refuses_missing_devices_and_wrong_tiles(
    option: str, message: str, first_run: Path, run_task: Run, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=option + message):
        run_task(tmp_path, "task=eval", f"checkpoint={first_run / 'checkpoints' / 'last.ckpt'}", option)


def test_predict_writes_a_picture_for_each_image_and_a_json(
    first_run: Path, run_task: Run, data_dir: Path, tmp_path: Path
) -> None:
    checkpoint = first_run / "checkpoints" / "last.ckpt"
    run_task(
        tmp_path,
        "task=predict",
        f"checkpoint={checkpoint}",
        f"source={data_dir / 'shapes' / 'val'}",
        "min_score=0",
    )
    assert len(list(tmp_path.glob("0*.jpg"))) == 5
    assert (tmp_path / "gallery.jpg").exists()
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 5


def test_predict_names_an_unreadable_image_and_writes_the_others(
    first_run: Path, run_task: Run, data_dir: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (source / "good.png").write_bytes(next((data_dir / "shapes" / "val").glob("*.png")).read_bytes())
    with pytest.raises(ValueError, match=r"1 of 2 images.*broken\.jpg"):
        run_task(
            tmp_path,
            "task=predict",
            f"checkpoint={first_run / 'checkpoints' / 'last.ckpt'}",
            f"source={source}",
        )
    assert (tmp_path / "good.jpg").exists()
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 1


def test_resumed_run_has_the_losses_of_the_uninterrupted_one(run_task: Run, tmp_path: Path) -> None:
    """10 images in batches of 2: epochs of 5. Step 3 is in the first, 5 its end, 7 in the second."""
    whole = tmp_path / "whole"
    options = ["augment=ssd", "schedule.max_steps=9", "trainer.val_check_interval=5"]
    options += ["callbacks.periodic.every_n_train_steps=1", "callbacks.periodic.save_top_k=-1"]
    run_task(whole, *options)
    expected = logged(whole)
    assert len(expected) == 9
    for name in ("shapes_published_0_3_periodic", "shapes_published_0_5", "shapes_published_1_7_periodic"):
        resumed = tmp_path / name
        run_task(resumed, *options, f"resume={whole / 'checkpoints' / name}.ckpt")
        after = logged(resumed)
        assert sorted(after) == list(range(int(name.split("_")[3]), 9))
        for step, value in after.items():
            assert value == pytest.approx(expected[step], rel=1e-6), (name, step)


def test_resume_auto_takes_the_newest_checkpoint_of_the_name(run_task: Run, tmp_path: Path) -> None:
    run_task(tmp_path / "a")
    assert sorted(logged(tmp_path / "a")) == [0, 1, 2, 3]
    run_task(tmp_path / "b", "resume=auto", "schedule.max_steps=6")
    assert sorted(logged(tmp_path / "b")) == [4, 5]


def test_same_seed_same_losses_whatever_the_workers(run_task: Run, tmp_path: Path) -> None:
    run_task(tmp_path / "a", "augment=ssd")
    run_task(tmp_path / "b", "augment=ssd", "dataset.num_workers=2")
    run_task(tmp_path / "c", "augment=ssd", "seed=1")
    assert logged(tmp_path / "a") == pytest.approx(logged(tmp_path / "b"))
    assert logged(tmp_path / "a") != pytest.approx(logged(tmp_path / "c"))


def test_step_with_non_finite_gradients_leaves_the_weights_alone(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from yolact_pl.losses.yolact_loss import YolactLoss

    original = YolactLoss.forward
    calls: list[int] = []

    def poisoned(self: YolactLoss, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        terms = original(self, *args, **kwargs)
        return {**terms, "box": terms["box"] * (np.nan if len(calls) == 2 else 1.0)}

    monkeypatch.setattr(YolactLoss, "forward", poisoned)
    run_task(tmp_path)
    skips = [r.getMessage() for r in caplog.records if "not finite" in r.getMessage()]
    assert len(skips) == 1
    assert "images" in skips[0]
    content = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert all(torch.isfinite(value).all() for value in content["state_dict"].values())


def test_too_many_non_finite_steps_in_a_row_stop_the_run(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolact_pl.losses.yolact_loss import YolactLoss

    original = YolactLoss.forward
    monkeypatch.setattr(
        YolactLoss,
        "forward",
        lambda self, *a, **k: {n: v * np.nan for n, v in original(self, *a, **k).items()},
    )
    with pytest.raises(ValueError, match=r"3 steps in a row.*lower schedule\.lr"):
        run_task(tmp_path, "callbacks.gradient_guard.max_in_a_row=3")


BAD = {
    "eval without a checkpoint": (["task=eval"], "checkpoint=<file>"),
    "no such checkpoint": (["task=eval", "checkpoint=nothing.ckpt"], "nothing.ckpt: no such file"),
    "predict without a source": (["task=predict"], "source="),
    "no such source": (["task=predict", "source=no_such_folder"], "no_such_folder"),
    "resume without a file": (["resume=nothing.ckpt"], "nothing.ckpt: no such file"),
    "batch of nothing": (["dataset.batch_size=0"], "batch_size=0"),
    "batch norm setting": (["model.freeze_bn=maybe"], "maybe"),
    "unknown nms": (["model.postprocess.nms=slow"], "slow"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_told_in_one_sentence(case: str, run_task: Run, tmp_path: Path) -> None:
    overrides, expected = BAD[case]
    with pytest.raises(ValueError, match=expected) as error:
        run_task(tmp_path, *overrides)
    assert "\n" not in str(error.value)


def test_checkpoint_of_another_architecture_names_the_difference(
    first_run: Path, run_task: Run, tmp_path: Path
) -> None:
    checkpoint = first_run / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match="channels is 16 in the file, 8 on the command line"):
        run_task(tmp_path, "task=eval", f"checkpoint={checkpoint}", "model.network.channels=8")


def test_file_that_is_no_checkpoint_is_refused(run_task: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ckpt"
    wrong.write_bytes(b"this is not a checkpoint")
    with pytest.raises(ValueError, match=r"wrong\.ckpt"):
        run_task(tmp_path, "task=eval", f"checkpoint={wrong}")
