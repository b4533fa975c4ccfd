"""Times of a predictor, by stage and by batch size."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.measuring.timing import Spread, Stopwatch
from yolact_pl.inference.predictor import Predictor

Read = Callable[[], NDArray[np.uint8]]
"""Gives one image, uint8 [H, W, 3] RGB, as a file would be read."""

STAGES = ("decode and resize", "network", "detections", "masks at full size")
MIN_BATCHES = 5


@dataclass(frozen=True)
class StageTimes:
    """Image by image."""

    stages: dict[str, Spread]
    """Of each of `STAGES`, synchronised in between."""
    end_to_end: Spread
    """From the file to masks at full size, synchronised as in a prediction."""
    detections: list[int]
    """Found in each image."""


@dataclass(frozen=True)
class BatchTimes:
    """Of batches of one size, from pixels in memory; None: they did not fit into the device's memory."""

    batch_size: int
    network: Spread | None
    """The network alone."""
    complete: Spread | None
    """From pixels to masks."""
    peak_memory: float | None
    """MiB, see `Meter.peak_memory`."""


def measure_stages(predictor: Predictor, images: Sequence[Read], *, warmup: int) -> StageTimes:
    """Each image once stage by stage and once end to end, alternating, so that both see the same machine.

    Args:
        predictor: whose steps are measured.
        images: at least one.
        warmup: images that run first and are not counted; the list repeats if it is shorter.
    """
    watch = Stopwatch(predictor.engine.meter)
    times: list[list[float]] = []
    totals: list[float] = []
    detections: list[int] = []
    for number, read in enumerate([*itertools.islice(itertools.cycle(images), warmup), *images]):
        laps, count = _stage_by_stage(predictor, read, watch)
        watch.start()
        _complete(predictor, [read()])
        total = watch.lap()
        if number >= warmup:
            times.append(laps)
            totals.append(total)
            detections.append(count)
    columns = zip(STAGES, zip(*times, strict=True), strict=True)
    return StageTimes({name: Spread.of(column) for name, column in columns}, Spread.of(totals), detections)


def measure_batches(
    predictor: Predictor, images: Sequence[Read], batch_size: int, *, warmup: int
) -> BatchTimes:
    """Times of enough batches for all images, at least 5; arguments as for `measure_stages`."""
    meter = predictor.engine.meter
    watch = Stopwatch(meter)
    pixels = itertools.cycle(images)
    num_batches = max(MIN_BATCHES, -(-len(images) // batch_size))
    network: list[float] = []
    complete: list[float] = []
    meter.reset_peak_memory()
    try:
        for number in range(warmup + num_batches):
            batch = [read() for read in itertools.islice(pixels, batch_size)]
            inputs = predictor.prepare(batch)
            watch.start()
            predictor.forward([inputs])
            alone = watch.lap()
            _complete(predictor, batch)
            if number >= warmup:
                network.append(alone)
                complete.append(watch.lap())
    except meter.out_of_memory:
        return BatchTimes(batch_size, None, None, None)
    return BatchTimes(batch_size, Spread.of(network), Spread.of(complete), meter.peak_memory())


def _stage_by_stage(predictor: Predictor, read: Read, watch: Stopwatch) -> tuple[list[float], int]:
    """Seconds of each stage, and how many detections there are."""
    watch.start()
    image = read()
    batch = predictor.prepare([image])
    laps = [watch.lap()]
    outputs = predictor.forward([batch])
    laps.append(watch.lap())
    found = predictor.detect(outputs, 0, image.shape[:2])
    laps.append(watch.lap())
    found.masks  # noqa: B018
    laps.append(watch.lap())
    return laps, len(found)


def _complete(predictor: Predictor, images: Sequence[NDArray[np.uint8]]) -> None:
    """From pixels to masks at full size."""
    for found in predictor(images):
        found.masks  # noqa: B018
