"""`experiment=own_data`: from a folder with one json to a model that is measured and used."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_method

from tests.csv_log import logged
from tests.data.test_suited_size import write_set
from tests.tiny_run import assert_same_ap, compose_config

TINY = [
    "experiment=own_data",
    "backbone=r10",
    "+backbone.width=8",
    "model.network.channels=16",
    "dataset.batch_size=2",
    "dataset.num_workers=0",
    "schedule.min_steps=5",
    "schedule.epochs=1",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "callbacks.progress=null",
    "callbacks.evaluation.num_pictures=0",
    "logger=csv",
]


def call(output: Path, *overrides: str) -> Any:
    cfg = compose_config([*TINY, *overrides], output)
    return get_method(cfg.task.run)(cfg)


@pytest.fixture
def my_data(tmp_path: Path) -> str:
    folder = tmp_path / "my_data" / "images"
    folder.mkdir(parents=True)
    path = write_set(folder / "annotations.json", [(60, 80)] * 10, [(30, 40)] * 10)
    path.rename(folder.parent / "annotations.json")
    return f"dataset.root={folder.parent}"


def test_one_command_from_a_folder_to_a_model(
    my_data: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call(tmp_path / "run", my_data)
    assert "image_size 64: median object 35 px in images of 69 px; image_size=... overrides" in caplog.text
    assert "validation with 1 of the training images, as no validation set is given; " in caplog.text
    # 5 steps of 8 images are 20 of 2
    assert "length     20 steps, 4.4 epochs; schedule.min_steps=... overrides" in caplog.text
    assert list(logged(tmp_path / "run", "val/mask_AP")) == list(range(1, 20, 2))  # ten validations
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    entry = content["yolact_pl"]
    assert entry["image_size"] == [64, 64]
    assert entry["config"]["dataset"]["image_size"] == entry["config"]["image_size"] == 64
    assert "averaging_state" in content
    for task in ("eval", "preview_data", "check_data"):
        call(tmp_path / task, my_data, f"task={task}", f"checkpoint={last}")
    assert_same_ap(tmp_path / "eval", tmp_path / "run")  # of the last validation
    picture = Path(my_data.split("=")[1]) / "images" / "0.png"
    call(tmp_path / "predict", "task=predict", f"checkpoint={last}", f"source={picture}")
    assert (tmp_path / "predict" / "predictions.json").exists()


def test_resumed_run_keeps_the_size_that_it_had(
    my_data: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    call(tmp_path / "run", my_data, "image_size=96", "schedule.images=4")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    caplog.set_level(logging.INFO)
    call(tmp_path / "more", my_data, "schedule.images=8", f"resume={last}")
    content = torch.load(tmp_path / "more" / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["yolact_pl"]["image_size"] == [96, 96]
    assert content["global_step"] == 4
