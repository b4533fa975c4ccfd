"""debug=fast, limit, overfit and profile on a tiny run."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.module import YolactModule

Run = Callable[..., Any]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often a batch was trained on and validated with."""
    counts = {"training_step": 0, "validation_step": 0}

    def counting(name: str) -> Callable[..., Any]:
        original = getattr(YolactModule, name)

        def step(self: YolactModule, *arguments: Any) -> Any:
            counts[name] += 1
            return original(self, *arguments)

        return step

    for name in counts:
        monkeypatch.setattr(YolactModule, name, counting(name))
    return counts


def test_fast(run_task: Run, tmp_path: Path, calls: dict[str, int], caplog: pytest.LogCaptureFixture) -> None:
    options = ["schedule.max_steps=100", "dataset.batch_size=1", "logger=tensorboard"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, "debug=fast", *options)
    assert "checkpoint" not in caplog.text  # none is there to be named
    assert calls == {"training_step": 3, "validation_step": 3}
    assert json.loads((tmp_path / "metrics.json").read_text())["images"] == 3
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not list(tmp_path.rglob("events.out*"))


def test_limit(run_task: Run, tmp_path: Path, calls: dict[str, int]) -> None:
    """Smaller limits than those of the file, so that they bite: 10 images are 5 batches, 5 are 3.

    When to validate is said again, since the tiny run sets it on the command line.
    """
    given = ["trainer.limit_train_batches=3", "trainer.limit_val_batches=1"]
    own = [
        "trainer.val_check_interval=null",
        "trainer.check_val_every_n_epoch=1",
    ]
    run_task(tmp_path, "debug=limit", *given, *own, "schedule.max_steps=100")
    assert calls == {"training_step": 6, "validation_step": 2}
    assert len(list((tmp_path / "checkpoints").glob("*.ckpt"))) >= 2
    assert (tmp_path / "csv" / "version_0" / "metrics.csv").exists()


def test_overfit_is_measured_on_the_images_that_are_learned(
    run_task: Run, data_dir: Path, tmp_path: Path, calls: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["schedule.max_steps=2", "trainer.val_check_interval=2", "dataset.batch_size=4"]
    given.append("schedule.batch_size=4")
    seen: dict[str, Any] = {}

    def look(module: YolactModule) -> None:
        data = module.trainer.datamodule  # type: ignore[attr-defined]
        seen.update(augment=data.augment, annotations=data.val_annotations.path, images=data.val_size)

    monkeypatch.setattr(YolactModule, "on_train_start", look)
    run_task(tmp_path, "debug=overfit", "dataset.max_images=4", *given)
    assert isinstance(seen["augment"], NoAugmentation)
    assert seen["annotations"].name == "instances_train.json"
    assert seen["images"] == 4
    truth = json.loads((data_dir / "shapes" / "annotations" / "instances_train.json").read_text())
    first_four = {image["id"] for image in truth["images"][:4]}
    found = {row["image_id"] for row in json.loads((tmp_path / "bbox_detections.json").read_text())}
    assert found
    assert found <= first_four


@pytest.mark.slow
def test_profile_leaves_a_table_and_a_trace(run_task: Run, tmp_path: Path, calls: dict[str, int]) -> None:
    own = ["trainer.val_check_interval=null", "dataset.batch_size=1", "schedule.max_steps=100"]
    run_task(tmp_path, "debug=profile", *own)
    assert calls["training_step"] == 10
    (table,) = tmp_path.glob("*profile*.txt")
    assert "aten::conv" in table.read_text()
    (trace,) = tmp_path.glob("*profile*.json")
    names = {event.get("name", "") for event in json.loads(trace.read_text())["traceEvents"]}
    assert any("training_step" in name for name in names)
    assert any("conv" in name for name in names)
