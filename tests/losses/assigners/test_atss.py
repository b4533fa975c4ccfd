"""Adaptive training sample selection, against loops over objects and anchors."""

import pickle
import statistics

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.losses.assigners.test_task_aligned import box, found, iou, predict, target
from yolact_pl.losses.assigners.atss_assigner import AtssAssigner
from yolact_pl.structures import Predictions, Target, Targets

LEVELS = (range(0, 64), range(64, 80), range(80, 84))


def expected(
    predictions: Predictions, targets: list[Target], topk: int
) -> tuple[dict[tuple[int, int], tuple[int, float]], set[tuple[int, int]]]:
    """(image, anchor) to (row of the object, weight), by loops; and the anchors that rounding decides."""
    unsure: set[tuple[int, int]] = set()
    result: dict[tuple[int, int], tuple[int, float]] = {}
    first_row = 0
    points = [((a[0] + a[2]) / 2, (a[1] + a[3]) / 2, a[2] - a[0]) for a in predictions.anchors.tolist()]
    for image, one in enumerate(targets):
        best: dict[int, tuple[float, int]] = {}
        for n, b in enumerate(one["boxes"].tolist()):
            if one["iscrowd"][n]:
                continue
            cx, cy = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
            candidates: dict[int, float] = {}
            for level in LEVELS:
                order = sorted(level, key=lambda a: (points[a][0] - cx) ** 2 + (points[a][1] - cy) ** 2)
                for a in order[:topk]:
                    x, y, side = points[a]
                    candidates[a] = iou(b, [x - 4 * side, y - 4 * side, x + 4 * side, y + 4 * side])
            spread = statistics.stdev(candidates.values()) if len(candidates) > 1 else 0.0
            threshold = statistics.mean(candidates.values()) + spread
            unsure |= {(image, a) for a, overlap in candidates.items() if abs(overlap - threshold) < 1e-5}
            for a, overlap in candidates.items():
                inside = abs(points[a][0] - cx) <= max(b[2] - b[0], 8) / 2
                inside &= abs(points[a][1] - cy) <= max(b[3] - b[1], 8) / 2
                if overlap >= threshold and inside and (overlap, -n) > best.get(a, (-1.0, 0)):
                    best[a] = overlap, -n
        result |= {(image, a): (first_row - n, 1.0) for a, (_, n) in best.items()}
        first_row += len(one["boxes"])
    return result, unsure


# Odd places: objects whose centre is as far from two points have no single right answer.
odd = box.map(lambda b: [b[0] + 0.0371, b[1] + 0.0113, b[2] + 0.0231, b[3] + 0.0547])


@settings(max_examples=40, deadline=None)
@given(images=st.lists(st.lists(odd, max_size=5), min_size=1, max_size=3), topk=st.sampled_from([1, 4, 9]))
def test_as_by_loops(images: list[list[list[float]]], topk: int) -> None:
    predictions = predict(len(images))
    targets = [target(boxes) for boxes in images]
    assignment = AtssAssigner(topk=topk)(predictions, Targets.join(targets))
    wanted, unsure = expected(predictions, targets, topk)
    given = found(assignment)
    sure = (wanted.keys() | given.keys()) - unsure
    assert {key: given.get(key) for key in sure} == {key: wanted.get(key) for key in sure}
    positives = [(image, anchor) for image, anchor in (assignment.labels > 0).nonzero().tolist()]
    assert positives == sorted(found(assignment))


def test_crowds_are_neutral_and_take_no_anchor() -> None:
    one = target([[0.0, 0, 64, 64], [4, 4, 28, 28]], crowd=(0,))
    assignment = AtssAssigner()(predict(1), Targets.join([one]))
    assert {row for row, _ in found(assignment).values()} == {1}
    assert set(assignment.labels.unique().tolist()) == {-1, 2}


def test_can_be_pickled() -> None:
    """Processes that are spawned get the loss so."""
    assigner = AtssAssigner()
    targets = Targets.join([target([[4.0, 4, 28, 28]])])
    expected = assigner(predict(1), targets)
    again = pickle.loads(pickle.dumps(assigner))(predict(1), targets)
    assert torch.equal(again.labels, expected.labels)


def test_images_without_objects_are_background() -> None:
    assignment = AtssAssigner()(predict(2), Targets.join([target([]), target([])]))
    assert assignment.counts == [0, 0]
    assert not assignment.labels.any()
