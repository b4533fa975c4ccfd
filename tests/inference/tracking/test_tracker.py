"""Scenes made by hand: what keeps its number, what gets one, and what is shown in between."""

from typing import Any

import numpy as np
import pytest

from yolact_pl.inference.tracking.tracker import Tracker
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections

SIZE = (120, 160)
STRIDE = 4
Thing = tuple[float, float, float, int]
"""Left, top and score of a square of 24 pixels, and its label."""


def frame(*things: Thing, hidden: tuple[Thing, ...] = (), parts: bool = True) -> Detections:
    """Squares; prototype k shows those of label k, `hidden` ones too, and a last one is constant."""
    map_size = SIZE[0] // STRIDE, SIZE[1] // STRIDE
    prototypes = np.zeros((3, *map_size), dtype=np.float32)
    prototypes[2] = 1
    for left, top, _, label in (*things, *hidden):
        y, x = round(top / STRIDE), round(left / STRIDE)
        prototypes[label, max(y, 0) : max(y + 6, 0), max(x, 0) : max(x + 6, 0)] = 1
    labels = np.array([label for *_, label in things], dtype=np.int64)
    coefficients = (16 * np.eye(3)[labels] - 8 * np.eye(3)[2]).astype(np.float32)
    scores = np.array([score for _, _, score, _ in things], dtype=np.float32)
    boxes = [[left, top, left + 24, top + 24] for left, top, *_ in things]
    return InputDetections(
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        scores=scores,
        mask_scores=scores,
        labels=labels,
        masks=1 / (1 + np.exp(-np.tensordot(coefficients, prototypes, axes=1))).astype(np.float32),
        input_size=SIZE,
        prototypes=prototypes if parts else None,
        coefficients=coefficients if parts else None,
    ).in_image(SIZE, whole_pixels=False)


def numbers(found: Detections) -> list[int]:
    assert found.tracker_ids is not None
    return found.tracker_ids.tolist()


def seen(found: Detections) -> list[int]:
    """The numbers of those that do not coast."""
    assert found.coasting is not None
    return [number for number, coasting in zip(numbers(found), found.coasting, strict=True) if not coasting]


def test_numbers_stay_with_moving_objects_whatever_their_rank() -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(12):
        first, second = (10 + 4.0 * i, 20, 0.9, 0), (100 - 4.0 * i, 60, 0.5 + 0.45 * (i % 2), 1)
        things = (first, second) if first[2] > second[2] else (second, first)
        found = tracker.update(frame(*things))
        by_label = dict(zip(found.labels.tolist(), numbers(found), strict=True))
        assert by_label == {0: 1, 1: 2}
        assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_an_object_appears_with_its_second_detection_those_of_the_first_frame_at_once() -> None:
    tracker = Tracker(min_score=0.3)
    old, new = (10.0, 20.0, 0.9, 0), (100.0, 60.0, 0.8, 1)
    assert numbers(tracker.update(frame(old))) == [1]
    assert numbers(tracker.update(frame(old, new))) == [1]
    assert numbers(tracker.update(frame(old, new))) == [1, 2]
    flash = (60.0, 80.0, 0.8, 1)
    assert numbers(tracker.update(frame(old, new, flash))) == [1, 2]
    assert numbers(tracker.update(frame(old, new))) == [1, 2]
    assert numbers(tracker.update(frame(old, new, flash))) == [1, 2]


def test_weak_detections_continue_tracks_and_start_none() -> None:
    tracker = Tracker(min_score=0.3)
    tracker.update(frame((10, 20, 0.9, 0)))
    weak, other = (10.0, 20.0, 0.15, 0), (100.0, 60.0, 0.2, 1)
    for _ in range(4):
        found = tracker.update(frame(other, weak))
        assert numbers(found) == seen(found) == [1]
        assert found.scores == pytest.approx(0.15)


def test_each_class_has_its_own_score_to_start_with() -> None:
    tracker = Tracker(min_score=[0.3, 0.7])
    found = tracker.update(frame((10, 20, 0.5, 0), (100, 60, 0.5, 1)))
    assert found.labels.tolist() == [0]


@pytest.mark.parametrize("parts", [True, False])
def test_a_hidden_object_returns_with_its_number_where_it_is_expected(parts: bool) -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(10):
        tracker.update(frame((4.0 * i, 20, 0.9, 0), parts=parts))
    for _ in range(15):
        assert seen(tracker.update(frame(parts=parts))) == []
    for i in (25, 26):
        assert seen(tracker.update(frame((4.0 * i, 20, 0.9, 0), parts=parts))) == [1]


def test_an_object_that_slowed_down_while_hidden_is_found_near_its_expected_place() -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(10):
        tracker.update(frame((4.0 * i, 20, 0.9, 0)))
    for _ in range(15):
        tracker.update(frame())
    assert seen(tracker.update(frame((64, 20, 0.9, 0)))) == [1]  # expected at 100


def test_it_is_not_another_class_that_returns() -> None:
    tracker = Tracker(min_score=0.3)
    for _ in range(3):
        tracker.update(frame((60, 20, 0.9, 0)))
    for _ in range(15):
        tracker.update(frame())
    for _ in range(2):
        found = tracker.update(frame((78, 20, 0.9, 1)))
    assert seen(found) == [2]


def test_frames_that_were_dropped_count_as_time() -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(8):
        tracker.update(frame((8.0 * i, 20, 0.9, 0)))
    assert seen(tracker.update(frame((8.0 * 12, 20, 0.9, 0)), steps=5)) == [1]


@pytest.mark.parametrize(("steps", "number"), [(5, 1), (6, 2)])
def test_a_track_survives_as_many_frames_as_the_buffer_has(steps: int, number: int) -> None:
    tracker = Tracker(min_score=0.3, track_buffer=5)
    thing = (40.0, 20.0, 0.9, 0)
    for _ in range(3):
        tracker.update(frame(thing))
    tracker.update(frame(), steps=steps)
    tracker.update(frame(thing))
    assert seen(tracker.update(frame(thing))) == [number]


def test_what_has_left_the_image_is_forgotten() -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(8):
        tracker.update(frame((60 - 9.0 * i, 20, 0.9, 0)))
    for _ in range(2):
        found = tracker.update(frame())
    assert numbers(found) == []
    for _ in range(2):
        found = tracker.update(frame((-12, 20, 0.9, 0)))
    assert seen(found) == [2]


def test_masks_tell_apart_what_boxes_do_not() -> None:
    """Two long objects cross like an X: equal boxes, masks that share little."""

    def crossing(order: tuple[int, int]) -> Detections:
        ramp = np.abs(np.arange(40)[:, None] - np.arange(40)[None]) < 4
        masks = np.stack((ramp, ramp[:, ::-1])).astype(np.float32)[list(order)]
        return InputDetections(
            boxes=np.tile(np.array([[2.0, 2, 38, 38]], dtype=np.float32), (2, 1)),
            scores=np.array([0.9, 0.8], dtype=np.float32),
            mask_scores=np.array([0.9, 0.8], dtype=np.float32),
            labels=np.zeros(2, dtype=np.int64),
            masks=masks,
            input_size=(40, 40),
        ).in_image((40, 40))

    tracker = Tracker(min_score=0.3)
    assert numbers(tracker.update(crossing((0, 1)))) == [1, 2]
    assert numbers(tracker.update(crossing((1, 0)))) == [2, 1]


def test_coefficients_tell_apart_what_boxes_and_masks_do_not() -> None:
    tracker = Tracker(min_score=0.3)
    tracker.update(frame((40, 40, 0.9, 0), (52, 40, 0.8, 1)))
    both_between = frame((46, 40, 0.9, 1), (46, 40, 0.8, 0))
    assert numbers(tracker.update(both_between)) == [2, 1]


def test_an_object_without_detection_coasts_on_the_new_prototypes() -> None:
    tracker = Tracker(min_score=0.3)
    for i in range(10):
        tracker.update(frame((4.0 * i, 20, 0.9, 0)))
    missed = (40.0, 20.0, 0.0, 0)
    found = tracker.update(frame((120, 80, 0.8, 1), hidden=(missed,)))
    assert numbers(found) == [1]
    assert found.coasting is not None
    assert found.coasting.tolist() == [True]
    expected = np.zeros(SIZE, dtype=bool)
    expected[20:44, 40:64] = True
    assert np.count_nonzero(found.masks[0] ^ expected) <= 0.1 * 24 * 24  # the box is predicted
    assert found.scores == pytest.approx(0.9)
    np.testing.assert_allclose(found.boxes[0], [40, 20, 64, 44], atol=2)


def test_nothing_coasts_where_prototypes_show_nothing_or_another_object_lies() -> None:
    missed = (40.0, 20.0, 0.0, 0)
    for present, hidden in (((), ()), (((40.0, 20.0, 0.9, 1), (100.0, 80.0, 0.9, 1)), (missed,))):
        tracker = Tracker(min_score=0.3)
        for i in range(10):
            tracker.update(frame((4.0 * i, 20, 0.9, 0), *((*one[:3], 1) for one in present)))
        found = tracker.update(frame(*present, hidden=hidden))
        assert found.coasting is not None
        assert not found.coasting.any()


def test_coasting_ends() -> None:
    tracker = Tracker(min_score=0.3)
    thing = (40.0, 20.0, 0.9, 0)
    for _ in range(3):
        tracker.update(frame(thing))
    shown = [len(tracker.update(frame(hidden=(thing,)))) for _ in range(14)]
    assert shown == [1] * 10 + [0] * 4


@pytest.mark.parametrize("pixel_masks", [True, False])
def test_without_prototypes_the_box_alone_coasts(pixel_masks: bool) -> None:
    tracker = Tracker(min_score=0.3)
    for left in (40, 44, 48):
        detections = frame((left, 20, 0.9, 0), parts=False)
        if pixel_masks:
            known: dict[str, Any] = {"boxes": detections.boxes, "scores": detections.scores}
            detections = Detections.from_masks(**known, labels=detections.labels, masks=detections.masks)
        tracker.update(detections)
    found = tracker.update(detections[:0])
    assert numbers(found) == [1]
    assert found.masks.shape == (1, *SIZE)
    assert not found.masks.any()


def test_the_label_is_what_most_of_the_scores_say() -> None:
    tracker = Tracker(min_score=0.3)
    for _ in range(3):
        tracker.update(frame((40, 20, 0.9, 0)))
    found = tracker.update(frame((40, 20, 0.9, 1)))
    assert numbers(found) == [1]
    assert found.labels.tolist() == [0]


def test_at_most_top_k_are_given_and_the_others_stay_known() -> None:
    tracker = Tracker(min_score=0.3, top_k=1)
    assert numbers(tracker.update(frame((10, 20, 0.9, 0), (100, 60, 0.8, 1)))) == [1]
    assert numbers(tracker.update(frame((100, 60, 0.8, 1)))) == [2]


def test_frames_without_anything() -> None:
    tracker = Tracker(min_score=0.3)
    for _ in range(3):
        found = tracker.update(frame())
        assert len(found) == 0
        assert numbers(found) == []
        assert found.masks.shape == (0, *SIZE)
