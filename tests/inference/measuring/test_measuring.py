"""`inference/benchmark.py` and its report."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from tests.inference.test_predictor import small_predictor
from yolact_pl.inference.measuring import timing
from yolact_pl.inference.measuring.benchmark import STAGES, BatchTimes, measure_batches, measure_stages
from yolact_pl.inference.measuring.report import BenchmarkReport, batch_numbers, benchmark_text
from yolact_pl.inference.measuring.timing import Spread
from yolact_pl.inference.predictor import Predictor
from yolact_pl.results.masks import Patch, SmallMasks

SLOW_START = 5.0


class Clock:
    """Seconds that pass only when somebody says so."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


class SlowPredictor(Predictor):
    """Each step takes a time of its own, and the first network much longer."""

    def __init__(self, clock: Clock) -> None:
        vars(self).update(vars(small_predictor()))
        self.clock = clock
        self.batches: list[int] = []

    def prepare(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        self.clock.now += 0.004 * len(images)
        return super().prepare(images)

    def forward(self, inputs: Sequence[torch.Tensor]) -> Any:
        self.clock.now += 0.03 * len(inputs[0]) if self.batches else SLOW_START
        self.batches.append(len(inputs[0]))
        return super().forward(inputs)

    def detect(self, outputs: Any, index: int, size: tuple[int, ...]) -> Any:
        self.clock.now += 0.02
        found = super().detect(outputs, index, size)
        masks: Any = SlowMasks(found.small_masks, self.clock)
        return replace(found[:1], small_masks=masks)


class SlowMasks:
    """One mask that takes its time."""

    def __init__(self, masks: SmallMasks, clock: Clock) -> None:
        self.masks, self.clock, self.size = masks, clock, masks.size

    def patch(self, row: int) -> Patch:
        self.clock.now += 0.01
        return self.masks.patch(row)


def reads(count: int, log: list[int] | None = None) -> list[Callable[[], np.ndarray]]:
    def read(number: int) -> np.ndarray:
        if log is not None:
            log.append(number)
        return np.full((40, 30 + number, 3), number, dtype=np.uint8)

    return [lambda number=number: read(number) for number in range(count)]


def test_each_stage_gets_its_own_time_and_the_warm_up_does_not_count(clock: Clock) -> None:
    log: list[int] = []
    times = measure_stages(SlowPredictor(clock), reads(4, log), warmup=1)
    assert tuple(times.stages) == STAGES
    for name, planted in zip(STAGES, (4, 30, 20, 10), strict=True):
        assert times.stages[name] == pytest.approx((planted, planted))
    assert times.end_to_end == pytest.approx((64, 64))
    assert times.detections == [1] * 4
    # One image to warm up, then all: each read once for the stages and once for the whole.
    assert log == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_batches_are_full_and_come_from_all_images(clock: Clock) -> None:
    predictor = SlowPredictor(clock)
    log: list[int] = []
    times = measure_batches(predictor, reads(7, log), 3, warmup=1)
    assert times.batch_size == 3
    assert predictor.batches == [3] * 2 * (1 + 5)  # alone and complete, one to warm up and five counted
    assert log == [n % 7 for n in range(18)]
    assert times.network == pytest.approx((90, 90))
    assert times.complete == pytest.approx((3 * 64, 3 * 64))


def test_what_does_not_fit_into_memory_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = small_predictor()
    error = torch.cuda.OutOfMemoryError()
    monkeypatch.setattr(Predictor, "forward", Mock(side_effect=error))
    times = measure_batches(predictor, reads(2), 64, warmup=0)
    assert times == BatchTimes(64, None, None, None)
    assert batch_numbers(times) == {
        "batch_size": 64,
        "network_ms": None,
        "network_images_per_second": None,
        "complete_ms": None,
        "complete_images_per_second": None,
        "peak_memory_mib": None,
    }


def report(**changes: Any) -> BenchmarkReport:
    batches = [
        batch_numbers(BatchTimes(2, Spread(50, 60), Spread(80, 90), 123.4)),
        batch_numbers(BatchTimes(4, None, None, None)),
    ]
    known: dict[str, Any] = {
        "name": "some", "checkpoint": None, "image_size": [64, 96], "num_classes": 3,
        "score_threshold": 0.05, "engine": "torch", "precision": "float32", "compiled": True,
        "images": "3 images of there",
        "detections": [0, 2, 9], "stages": {name: {"median": 10.0, "p90": 12.0} for name in STAGES},
        "end_to_end": {"median": 40.0, "p90": 44.0}, "frames_per_second": 25.0, "batches": batches,
        "machine": {"device": "cuda:0", "gpu": "A GPU", "cpu": "A CPU", "threads": 2, "torch": "2.9"},
    }  # fmt: skip
    return BenchmarkReport(**{**known, **changes})


def test_text_says_what_was_measured() -> None:
    text = benchmark_text(report())
    for part in (
        "some at 64x96, 3 classes, untrained",
        "float32, compiled",
        "cuda:0: A GPU",
        "3 images of there; detections above 0.05: 2 in the median, 0 to 9",
        "chance",
        "25.0 frames/s",
        "peak MiB, tensors",
    ):
        assert part in text
    assert "chance" not in benchmark_text(report(checkpoint="weights.ckpt"))
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert ["network", "10.00", "12.00", "25.0"] in rows  # a quarter of the sum
    assert ["end to end", "40.00", "44.00"] in [[c for c in row if c] for row in rows]
    assert ["2", "40.0", "25.0", "123.4"] in rows  # 2 in 50 ms, 2 in 80 ms
    assert ["4", "-", "-", "-"] in rows


@pytest.mark.parametrize(("gpu", "unit"), [(None, "peak MiB, process"), ("A GPU", "peak MiB, tensors")])
def test_whose_memory_it_is(gpu: str | None, unit: str) -> None:
    machine = {"device": "x", "gpu": gpu, "cpu": "A CPU", "threads": 2, "torch": "2.9"}
    assert unit in benchmark_text(report(machine=machine))
