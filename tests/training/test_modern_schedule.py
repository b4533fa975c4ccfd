"""Runs whose length and rate follow the data: resumed, started late, with a rate that is found."""

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_method

from tests.csv_log import logged
from tests.tiny_run import TINY, compose_config
from yolact_pl.training import tuning

MODERN = [*(o for o in TINY if not o.startswith("schedule.")), "schedule=modern", "schedule.batch_size=2"]
EIGHT = ["schedule.images=16", "trainer.val_check_interval=4", "callbacks=ema", "callbacks.ema.decay=0.5"]


def train(data_dir: Path, output: Path, *overrides: str) -> Any:
    cfg = compose_config([*MODERN, f"data_dir={data_dir}", *overrides], output)
    return get_method(cfg.task.run)(cfg)


def rate(step: int, steps: int, warmup: int) -> float:
    if step < warmup:
        return 2e-3 * (step + 1) / warmup
    return 2e-3 * (0.02 + 0.98 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2)


def test_resumed_run_is_the_uninterrupted_one(data_dir: Path, tmp_path: Path) -> None:
    """Weights, their average and its decay, which the ramp makes depend on the step, and the rate."""
    options = [*EIGHT, "callbacks.ema.ramp=4", "schedule.warmup=0.25", "callbacks.best.save_top_k=-1"]
    train(data_dir, tmp_path / "whole", *options)
    expected = {step: rate(step, 8, 2) for step in range(8)}
    assert logged(tmp_path / "whole", "lr-AdamW/pg1") == pytest.approx(expected)
    half = next((tmp_path / "whole" / "checkpoints").glob("*_4.ckpt"))
    train(data_dir, tmp_path / "rest", *options, f"resume={half}")
    assert logged(tmp_path / "rest", "lr-AdamW/pg1") == pytest.approx({s: expected[s] for s in range(4, 8)})
    whole, rest = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        for name in ("whole", "rest")
    )
    for state in ("state_dict", "current_model_state"):
        for name, value in whole[state].items():
            torch.testing.assert_close(rest[state][name], value, rtol=0, atol=1e-6)


def test_length_follows_the_images(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """10 images at 2 a step: 5 steps per epoch."""
    monkeypatch.setattr("pytorch_lightning.Trainer.fit", lambda *arguments, **options: None)
    with caplog.at_level(logging.INFO):
        train(data_dir, tmp_path, "schedule.epochs=30", "schedule.min_steps=1", "start_step=50")
    assert "learning rate 0.002 (warm-up 9 steps), cosine to 4e-05, 150 steps of 2 images" in caplog.text
    assert "length     100 steps, 20.0 epochs" in caplog.text
    train(data_dir, tmp_path, "schedule.epochs=2000")
    (told,) = (message for message in caplog.messages if "is long" in message)
    assert told.endswith("for 500 epochs: schedule.epochs=500")


def test_rate_is_found_and_stated(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For a batch of 8, from one of 2: the rate of AdamW grows with the root of the batch."""
    monkeypatch.setattr(tuning, "NUM_RATES", 16)
    monkeypatch.setattr(tuning, "steepest", lambda *arguments: 1e-3)
    with caplog.at_level(logging.INFO):
        found = train(data_dir, tmp_path, "schedule.batch_size=8", "task=find_lr")
    assert found == pytest.approx(2e-3)
    assert "learning rate 0.001 for 2 images a step" in caplog.text
    assert "schedule.lr=0.002" in caplog.text
