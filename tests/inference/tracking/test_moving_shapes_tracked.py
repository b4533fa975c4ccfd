"""Moving shapes with occlusions, exits and look-alikes: scores by trackeval, beside ByteTrack's.

The numbers of a trained network on 300 frames are in docs/tracking.md, from benchmarks/tracking.py.
"""

import numpy as np
import pytest
import supervision
from trackers import ByteTrackTracker

from tests.inference.tracking.scoring import track_scores
from tests.inference.tracking.simulated_detector import simulated_detections
from yolact_pl.data.moving_shapes import TruthFrame, moving_shapes
from yolact_pl.inference.tracking.tracker import Tracker
from yolact_pl.results.detections import Detections

MIN_SCORE = 0.3


@pytest.fixture(scope="module")
def clip() -> list[TruthFrame]:
    frames = moving_shapes(np.random.default_rng(5), size=224, num_objects=10, num_frames=150)
    return list(frames)


@pytest.fixture(scope="module")
def found(clip: list[TruthFrame]) -> list[Detections]:
    return simulated_detections(clip, np.random.default_rng(1))


def own_scores(clip: list[TruthFrame], found: list[Detections]) -> dict[str, float]:
    tracker = Tracker(min_score=MIN_SCORE)
    tracked = [tracker.update(one) for one in found]
    ids = [one.tracker_ids for one in tracked if one.tracker_ids is not None]
    return track_scores(clip, ids, [one.masks for one in tracked])


def byte_track_scores(clip: list[TruthFrame], found: list[Detections]) -> dict[str, float]:
    reference = ByteTrackTracker(
        lost_track_buffer=60,
        track_activation_threshold=MIN_SCORE,
        high_conf_det_threshold=MIN_SCORE,
        minimum_iou_threshold=0.2,
    )
    ids, masks = [], []
    for one in found:
        given = supervision.Detections(
            xyxy=one.boxes, confidence=one.scores, data={"row": np.arange(len(one))}
        )
        tracked = reference.update(given)
        rows = np.asarray(tracked.data["row"])[tracked.tracker_id >= 0]
        ids.append(tracked.tracker_id[tracked.tracker_id >= 0])
        masks.append(one.masks[rows])
    return track_scores(clip, ids, masks)


def test_better_than_byte_track_on_the_same_detections(
    clip: list[TruthFrame], found: list[Detections]
) -> None:
    own, reference = own_scores(clip, found), byte_track_scores(clip, found)
    assert own["HOTA"] > reference["HOTA"]
    assert own["IDF1"] > reference["IDF1"]
    assert own["IDSW"] < reference["IDSW"]


def test_masks_and_coefficients_lose_fewer_objects_than_boxes_alone(
    clip: list[TruthFrame], found: list[Detections]
) -> None:
    boxes_alone = [
        Detections.from_masks(boxes=one.boxes, scores=one.scores, labels=one.labels, masks=one.masks)
        for one in found
    ]
    all_parts, alone = own_scores(clip, found), own_scores(clip, boxes_alone)
    assert all_parts["IDSW"] <= alone["IDSW"]
    assert all_parts["HOTA"] > alone["HOTA"]  # coasting objects have a mask
