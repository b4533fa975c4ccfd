"""Trained, measured and predicted with another resize than the published one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hydra.utils import get_method

from tests.tiny_run import assert_same_ap, compose_config
from yolact_pl import load
from yolact_pl.checkpoints.description import read_checkpoint
from yolact_pl.config.trained import load_trained

Run = Callable[..., Any]
RECTANGULAR = "image_size=[64,96]"
QUIET = [
    "trainer.accelerator=cpu",
    "callbacks.progress=null",
    "callbacks.evaluation.num_pictures=2",
    "logger=csv",
]


def run_from_checkpoint(output: Path, *overrides: str) -> None:
    """A task that is told nothing of the data and the network: the checkpoint knows."""
    cfg = compose_config([*QUIET, *overrides], output)
    get_method(cfg.task.run)(cfg)


@pytest.mark.parametrize("mode", ["letterbox", "shortest_edge"])
def test_a_checkpoint_knows_how_its_images_were_resized(mode: str, tmp_path: Path, run_task: Run) -> None:
    """The shapes are square, so that on 64 x 96 a letterbox has padding at both sides."""
    run_task(tmp_path / "train", f"resize={mode}", RECTANGULAR)
    (checkpoint,) = (tmp_path / "train" / "checkpoints").glob("last.ckpt")
    description = read_checkpoint(checkpoint)["yolact_pl"]
    assert (description["resize"], description["image_size"]) == (mode, [64, 96])

    run_from_checkpoint(tmp_path / "eval", "task=eval", f"checkpoint={checkpoint}")
    assert_same_ap(tmp_path / "eval", tmp_path / "train")

    picture = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    run_from_checkpoint(
        tmp_path / "predict",
        "task=predict",
        f"checkpoint={checkpoint}",
        f"source={tmp_path / 'picture.png'}",
        "min_score=0.0",
    )
    predicted = json.loads((tmp_path / "predict" / "predictions.json").read_text())

    model = load(checkpoint, min_score=0.0, device="cpu")
    assert (model.predictor.resize.mode, model.predictor.image_size) == (mode, (64, 96))
    detections = model(tmp_path / "picture.png", top_k=15)
    assert len(predicted[0]["detections"]) == len(detections.scores)
    np.testing.assert_allclose(
        [found["score"] for found in predicted[0]["detections"]], detections.scores, atol=1e-4
    )


def test_the_command_line_may_say_otherwise(tmp_path: Path, run_task: Run) -> None:
    run_task(tmp_path / "train", "resize=letterbox")
    checkpoint = tmp_path / "train" / "checkpoints" / "last.ckpt"
    cfg = compose_config([f"checkpoint={checkpoint}"], tmp_path)
    assert load_trained(cfg).cfg.resize == "letterbox"
    cfg = compose_config(["resize=stretch", f"checkpoint={checkpoint}"], tmp_path)
    trained = load_trained(cfg)
    assert (trained.cfg.resize, trained.cfg.dataset.resize) == ("stretch", "stretch")
    assert load(checkpoint, resize="shortest_edge", device="cpu").predictor.resize.mode == "shortest_edge"
