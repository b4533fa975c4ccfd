"""The library's face of tracking, and what it asks of engines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.inference.tracking.test_tracker import SIZE, frame
from yolact_pl.images.placement import Placement, Resize
from yolact_pl.inference.measuring.timing import Meter
from yolact_pl.inference.model import Model
from yolact_pl.inference.options import Request
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.start import start_tracking
from yolact_pl.results.detections import Detections


class MovingSquare:
    """An engine that finds a square whose left side is the red of the image, and has parts or refuses."""

    name, precision, device = "by hand", "float32", "cpu"
    num_classes, score_threshold = 2, 0.05
    usual = Request(nms="fast", iou_threshold=0.5)
    meter = Meter()

    def __init__(self, *, parts: bool = True) -> None:
        self.parts = parts

    def check(self, request: Request) -> None:
        if request.parts and not self.parts:
            raise ValueError("this file has no coefficients")

    def prepare(self, images: Sequence[np.ndarray], placements: Sequence[Placement]) -> Any:
        return [int(image[0, 0, 0]) for image in images]

    def forward(self, inputs: Sequence[Any]) -> Any:
        return [left for one in inputs for left in one]

    def detect(
        self, outputs: Any, index: int, size: tuple[int, int], placement: Placement | None, request: Request
    ) -> Detections:
        left = outputs[index]
        things = [] if left == 0 else [(float(left), 20.0, 0.9, 0), (float(left), 80.0, 0.2, 1)]
        found = frame(*things, parts=request.parts)
        return found[found.scores > (request.min_score or 0)][: request.top_k]


def model(**options: Any) -> Model:
    engine = MovingSquare(**options)
    predictor = Predictor(engine, class_names=["cat", "dog"], resize=Resize("stretch", SIZE), min_score=0.3)
    return Model(predictor, category_ids=[3, 7])


def frames(*lefts: int) -> list[np.ndarray]:
    return [np.full((*SIZE, 3), left, dtype=np.uint8) for left in lefts]


@pytest.mark.parametrize("parts", [True, False])
def test_results_have_numbers_and_say_what_coasts(parts: bool) -> None:
    results = list(model(parts=parts).track(frames(20, 24, 28, 32, 36)))
    ids = [result.tracker_ids for result in results]
    assert [one.tolist() for one in ids if one is not None] == [[1]] * 5
    assert [result.names for result in results] == [["cat"]] * 5
    missing = list(model(parts=parts).track(frames(20, 24, 28, 0)))[-1]
    shown = missing.coasting
    assert shown is not None
    assert shown.tolist() == ([] if parts else [True])  # with prototypes it is seen that nothing is there


def test_frames_are_taken_one_by_one() -> None:
    taken = []

    def stream() -> Any:
        for image in frames(20, 24, 28):
            taken.append(image)
            yield image

    results = model().track(stream())
    assert taken == []
    next(results)
    assert len(taken) == 1


def test_two_videos_do_not_share_tracks() -> None:
    one = model()
    first, second = one.track(frames(20, 24)), one.track(frames(100, 104))
    for a, b in zip(first, second, strict=True):
        assert a.tracker_ids is not None
        assert b.tracker_ids is not None
        assert a.tracker_ids.tolist() == b.tracker_ids.tolist() == [1]


def test_a_video_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, SIZE[::-1])
    for image in frames(40, 44, 48):
        writer.write(image)
    writer.release()
    assert [len(result) for result in model().track(path)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (frames(20)[0], {}, "one image is given to the model itself"),
        (frames(20), {"track_buffer": 0}, "track_buffer=0: expected a number of frames"),
        (frames(20), {"min_score": 2}, "min_score=2"),
        ("missing.mp4", {}, "missing.mp4"),
    ],
)
def test_what_cannot_be_tracked_is_told_at_once(given: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model().track(given, **options)


def test_a_frame_that_is_none_is_named() -> None:
    bad: list[Any] = [*frames(20), "no image"]
    results = model().track(bad)
    next(results)
    with pytest.raises(ValueError, match="no image"):
        next(results)


def test_supervision_gets_the_numbers() -> None:
    pytest.importorskip("supervision")
    result = next(model().track(frames(20)))
    assert result.to_supervision().tracker_id.tolist() == [1]
    assert model()(frames(20)[0]).to_supervision().tracker_id is None


def test_the_predictor_finds_weak_detections_and_the_tracker_knows_what_is_strong() -> None:
    predictor = model().predictor.with_options(min_score=0.4, top_k=3)
    detecting, tracker = start_tracking(predictor, track_buffer=7)
    request = detecting.request
    assert (request.min_score, request.top_k, request.parts) == (0.1, None, True)
    assert (float(tracker.min_score), tracker.top_k, tracker.track_buffer) == (pytest.approx(0.4), 3, 7)
    weak, _ = start_tracking(model().predictor.with_options(min_score=0.07))
    assert weak.request.min_score == pytest.approx(0.07)
