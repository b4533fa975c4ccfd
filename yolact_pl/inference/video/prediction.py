"""Prediction on the frames of a video: reading, network, choosing, drawing and writing at the same time."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.drawing.draw import ColorBy, draw_detections
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.tracker import Tracker
from yolact_pl.inference.video.pipeline import run_pipeline
from yolact_pl.inference.video.reader import Frame
from yolact_pl.results.detections import Detections


@dataclass(frozen=True)
class SeenFrame:
    """A frame with its detections."""

    frame: Frame
    detections: Detections
    picture: NDArray[np.uint8] | None
    """[H, W, 3] RGB: the frame with its detections drawn, if that was asked for."""


def predict_video(
    frames: Iterable[Frame],
    predictor: Predictor,
    deliver: Callable[[SeenFrame], None],
    *,
    batch_size: int = 4,
    newest: bool = False,
    tracker: Tracker | None = None,
    draw: bool = True,
    color_by: ColorBy = "class",
    labels: bool = True,
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """Hand each frame and what was found in it to `deliver`, in order.

    The network runs in the calling thread, all else in others; few frames are held at a time.

    Args:
        frames: such as a `VideoReader`; iterated in another thread.
        predictor: looks at the frames; with a tracker that of `start_tracking`.
        deliver: called in another thread, always the same one.
        batch_size: frames that run through the network at once.
        newest: instead of all frames the network gets, one by one, the newest there is; others are dropped.
        tracker: if given, only its tracked objects are delivered.
        draw: whether to make pictures.
        color_by: as for `draw_detections`.
        labels: as for `draw_detections`.
        interrupted: asked between batches in the calling thread; once true, what was begun is completed.

    Raises:
        Exception: the first of any part, after all of them have stopped.
    """

    def prepared() -> Iterator[tuple[Frame, Any]]:
        for frame in frames:
            yield frame, predictor.prepare([frame.image])

    def work(batch: list[tuple[Frame, Any]]) -> list[tuple[Frame, Any, int]]:
        outputs = predictor.forward([inputs for _, inputs in batch])
        return [(frame, outputs, i) for i, (frame, _) in enumerate(batch)]

    last_index = -1

    def choose(item: tuple[Frame, Any, int]) -> tuple[Frame, Detections]:
        nonlocal last_index
        frame, outputs, index = item
        detections = predictor.detect(outputs, index, frame.image.shape[:2])
        if tracker is not None:  # this stage is one thread, which gets the frames in order
            detections = tracker.update(detections, frame.index - last_index)
            last_index = frame.index
        return frame, detections

    def drawn(item: tuple[Frame, Detections]) -> SeenFrame:
        frame, detections = item
        if not draw:
            return SeenFrame(frame, detections, None)
        picture = draw_detections(
            frame.image, detections, predictor.class_names, color_by=color_by, labels=labels
        )
        return SeenFrame(frame, detections, picture)

    run_pipeline(
        prepared(),
        work,
        (choose, drawn, deliver),
        batch_size=batch_size,
        newest=newest,
        interrupted=interrupted,
    )


def paced(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames of a file at the times at which a camera would give them."""
    start = time.monotonic()
    for frame in frames:
        time.sleep(max(0.0, start + frame.time - time.monotonic()))
        yield frame
