"""What the command line changes, told at the start of a run."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_run import compose_config
from yolact_pl.config.config_difference import difference
from yolact_pl.config.typed_keys import typed_overrides_of_task


def lines(*overrides: str) -> list[str]:
    compose_config(list(overrides), Path("somewhere"))
    return difference(typed_overrides_of_task())


def test_nothing_differs() -> None:
    assert lines() == []
    assert lines("experiment=quickstart", "data_dir=elsewhere", "name=mine") == []
    assert lines("task=train") == []


def test_values_that_differ_from_the_experiment() -> None:
    assert lines("experiment=quickstart", "schedule.lr=1", "schedule.lr=5e-4", "image_size=96") == [
        "schedule.lr: 0.002 -> 0.0005",
        "image_size: 128 -> 96",  # and not the four places that follow it
    ]


def test_values_that_differ_from_the_default() -> None:
    assert lines("schedule.lr=5e-4", "backbone.weights=null", "trainer.sync_batchnorm=true") == [
        "schedule.lr: 0.001 -> 0.0005",
        "backbone.weights: imagenet -> null",
        "trainer.sync_batchnorm: false -> true",
    ]


def test_group_is_one_line_and_values_in_it_count_from_there() -> None:
    assert lines("experiment=yolact_base", "backbone=r50", "schedule=quick", "schedule.gamma=0.2") == [
        "backbone: r101 -> r50",
        "schedule: coco_800k -> quick",
        "schedule.gamma: 0.4 -> 0.2",
    ]
    assert lines("debug=limit") == ["debug: null -> limit"]
    assert lines("callbacks=[ema,early_stopping]") == ["callbacks: default -> [ema, early_stopping]"]


def test_parts_that_are_added_and_left_out() -> None:
    assert lines("callbacks.progress=null", "+trainer.detect_anomaly=true", "schedule.milestones=[3,4]") == [
        "callbacks.progress: ... -> null",
        "trainer.detect_anomaly: null -> true",
        "schedule.milestones: [280000, 600000, 700000, 750000] -> [3, 4]",
    ]
    assert lines("~callbacks.throughput") == ["callbacks.throughput: ... -> (none)"]


def test_run_begins_with_it(
    run_task: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, "schedule.max_steps=1", "trainer.limit_val_batches=0", "seed=7")
    said = [record.getMessage() for record in caplog.records]
    first = said.index("differs from experiment=shapes_published in")
    assert "    schedule.max_steps: 1200 -> 1" in said[first:]
    assert "    seed: 0 -> 7" in said[first:]
