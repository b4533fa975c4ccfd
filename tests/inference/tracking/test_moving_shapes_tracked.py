"""Moving shapes with occlusions, exits and look-alikes: scores by trackeval, beside ByteTrack's.

With a trained network and longer clips: benchmarks/tracking.py.
"""

import numpy as np
import pytest

from benchmarks.track_scores import boxes_alone, byte_track_scores, own_scores, track_scores
from tests.inference.tracking.simulated_detector import simulated_detections
from yolact_pl.data.moving_shapes import TruthFrame, moving_shapes
from yolact_pl.results.detections import Detections

MIN_SCORE = 0.3


@pytest.fixture(scope="module")
def clip() -> list[TruthFrame]:
    return list(moving_shapes(np.random.default_rng(5), size=224, num_objects=10, num_frames=150))


@pytest.fixture(scope="module")
def found(clip: list[TruthFrame]) -> list[Detections]:
    return simulated_detections(clip, np.random.default_rng(1))


def test_better_than_byte_track_on_the_same_detections(
    clip: list[TruthFrame], found: list[Detections]
) -> None:
    own, reference = own_scores(clip, found, MIN_SCORE), byte_track_scores(clip, found, MIN_SCORE)
    assert own["HOTA"] > reference["HOTA"]
    assert own["IDF1"] > reference["IDF1"]
    assert own["IDSW"] < reference["IDSW"]


def test_masks_and_coefficients_lose_no_object_more_and_fill_gaps(
    clip: list[TruthFrame], found: list[Detections]
) -> None:
    whole, alone = (
        own_scores(clip, found, MIN_SCORE),
        own_scores(clip, boxes_alone(found), MIN_SCORE, coasting=False),
    )
    assert whole["IDSW"] <= alone["IDSW"]
    assert whole["HOTA"] > alone["HOTA"]  # coasting objects have a mask


def test_ids_and_masks_of_the_truth_itself_are_a_full_score(clip: list[TruthFrame]) -> None:
    scores = track_scores(clip, [frame.ids for frame in clip], [frame.masks for frame in clip])
    assert scores == {"HOTA": 1, "IDF1": 1, "MOTA": 1, "IDSW": 0}
