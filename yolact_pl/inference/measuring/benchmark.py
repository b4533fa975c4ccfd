"""How long a predictor takes, stage by stage and for several batch sizes."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from yolact_pl.inference.measuring.timing import Spread, Stopwatch, peak_memory, reset_peak_memory
from yolact_pl.inference.predictor import Predictor

Read = Callable[[], NDArray[np.uint8]]
"""Gives one image, uint8 [H, W, 3] RGB, as a file would be read."""

STAGES = ("decode and resize", "network", "boxes and NMS", "masks")
MIN_BATCHES = 5


@dataclass(frozen=True)
class StageTimes:
    """Image by image."""

    stages: dict[str, Spread]
    """Of each of `STAGES`, the device waited for in between."""
    end_to_end: Spread
    """From the file to the masks on the device, the device waited for at the end only."""
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
    """MiB, see `peak_memory`."""


def measure_stages(predictor: Predictor, images: Sequence[Read], *, warmup: int) -> StageTimes:
    """Every image once stage by stage and once at a stretch, in turn, so that both see the same machine.

    Args:
        predictor: whose steps are measured.
        images: at least one.
        warmup: images that run first and are not counted, the list begun again where it ends.
    """
    watch = Stopwatch(predictor.device)
    times: list[list[float]] = []
    totals: list[float] = []
    detections: list[int] = []
    for number, read in enumerate([*itertools.islice(itertools.cycle(images), warmup), *images]):
        laps, count = _stage_by_stage(predictor, read, watch)
        watch.start()
        predictor([read()])
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
    """As many batches as have room for all images once, but at least 5; arguments as for `measure_stages`."""
    device = predictor.device
    watch = Stopwatch(device)
    pixels = itertools.cycle(images)
    num_batches = max(MIN_BATCHES, -(-len(images) // batch_size))
    network: list[float] = []
    complete: list[float] = []
    reset_peak_memory(device)
    try:
        for number in range(warmup + num_batches):
            batch = [read() for read in itertools.islice(pixels, batch_size)]
            tensor = predictor.prepare(batch)
            watch.start()
            predictor.forward([tensor])
            alone = watch.lap()
            predictor(batch)
            if number >= warmup:
                network.append(alone)
                complete.append(watch.lap())
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return BatchTimes(batch_size, None, None, None)
    return BatchTimes(batch_size, Spread.of(network), Spread.of(complete), peak_memory(device))


def _stage_by_stage(predictor: Predictor, read: Read, watch: Stopwatch) -> tuple[list[float], int]:
    """Seconds of each stage, and how many detections there are."""
    watch.start()
    image = read()
    batch = predictor.prepare([image])
    laps = [watch.lap()]
    predictions = predictor.forward([batch])
    laps.append(watch.lap())
    chosen = predictor.choose(predictions, 0, image.shape[:2])
    laps.append(watch.lap())
    predictor.finish(predictions, 0, chosen, image.shape[:2])
    laps.append(watch.lap())
    return laps, len(chosen.scores)
