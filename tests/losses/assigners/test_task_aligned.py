"""The task-aligned assignment, against loops over objects and anchors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.decoders.point_decoder import PointDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.assigners.task_aligned_assigner import TaskAlignedAssigner
from yolact_pl.models.modern.yolact_modern import anchor_points
from yolact_pl.structures import Predictions, Target, Targets

SIZE = 64
DECODER = PointDecoder()


def predict(num_images: int, *, num_classes: int = 3, seed: int = 0) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    anchors = anchor_points(3)([(8, 8), (4, 4), (2, 2)], (SIZE, SIZE))
    a = len(anchors)
    return Predictions(
        class_logits=torch.randn(num_images, a, num_classes, generator=generator),
        box_deltas=torch.randn(num_images, a, 4, generator=generator),
        coefficients=torch.randn(num_images, a, 4, generator=generator),
        prototypes=torch.randn(num_images, 4, 32, 32, generator=generator),
        anchors=anchors,
        semantic_logits=None,
        image_size=(SIZE, SIZE),
    )


def target(boxes: list[list[float]], labels: list[int] | None = None, crowd: tuple[int, ...] = ()) -> Target:
    n = len(boxes)
    return Target(
        boxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.tensor(labels if labels is not None else [i % 3 for i in range(n)], dtype=torch.int64),
        masks=torch.zeros(n, 32, 32, dtype=torch.bool),
        iscrowd=torch.tensor([i in crowd for i in range(n)], dtype=torch.bool),
        image_id=1,
        size=(SIZE, SIZE),
    )


def iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def expected(
    predictions: Predictions, targets: list[Target], topk: int
) -> dict[tuple[int, int], tuple[int, float]]:
    """(image, anchor) to (row of the object, weight), by loops."""
    result: dict[tuple[int, int], tuple[int, float]] = {}
    first_row = 0
    for image, one in enumerate(targets):
        predicted = DECODER.decode(predictions.box_deltas[image], predictions.anchors).tolist()
        scores = predictions.class_logits[image].sigmoid()
        claims: dict[int, list[tuple[float, int, float]]] = {}  # anchor: (IoU, -object, alignment)
        for n, (box, label) in enumerate(zip(one["boxes"].tolist(), one["labels"].tolist(), strict=True)):
            if one["iscrowd"][n]:
                continue
            aligned = []
            for a, anchor in enumerate(predictions.anchors.tolist()):
                x, y = (anchor[0] + anchor[2]) / 2, (anchor[1] + anchor[3]) / 2
                half_w, half_h = max(box[2] - box[0], 8) / 2, max(box[3] - box[1], 8) / 2
                if abs(x - (box[0] + box[2]) / 2) > half_w or abs(y - (box[1] + box[3]) / 2) > half_h:
                    continue
                overlap = iou(box, predicted[a])
                aligned.append((float(scores[a, label]) ** 0.5 * overlap**6, a, overlap))
            for alignment, a, overlap in sorted(aligned, reverse=True)[:topk]:
                if alignment > 0:
                    claims.setdefault(a, []).append((overlap, -n, alignment))
        held: dict[int, list[tuple[int, float, float]]] = {}
        for a, own in claims.items():
            overlap, n, alignment = max(own)
            held.setdefault(-n, []).append((a, overlap, alignment))
        for n, own in held.items():
            best_overlap, best_alignment = max(x[1] for x in own), max(x[2] for x in own)
            for a, _, alignment in own:
                result[image, a] = first_row + n, alignment / best_alignment * best_overlap
        first_row += len(one["boxes"])
    return result


def found(assignment: Assignment) -> dict[tuple[int, int], tuple[int, float]]:
    columns = assignment.image, assignment.anchor, assignment.objects, assignment.weights
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {(image, anchor): (row, weight) for image, anchor, row, weight in rows if weight > 0}


side = st.floats(2, 60)
box = st.tuples(st.floats(0, 60), st.floats(0, 60), side, side).map(
    lambda b: [b[0], b[1], min(b[0] + b[2], 64.0), min(b[1] + b[3], 64.0)]
)


@settings(max_examples=40, deadline=None)
@given(
    images=st.lists(st.lists(box, max_size=6), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    topk=st.sampled_from([1, 3, 10, 500]),
)
def test_as_by_loops(images: list[list[list[float]]], seed: int, topk: int) -> None:
    predictions = predict(len(images), seed=seed)
    targets = [target(boxes) for boxes in images]
    assignment = TaskAlignedAssigner(DECODER, topk=topk)(predictions, Targets.join(targets))
    wanted = expected(predictions, targets, topk)
    got = found(assignment)
    assert {key: row for key, (row, _) in got.items()} == {key: row for key, (row, _) in wanted.items()}
    for key, (_, weight) in wanted.items():
        assert got[key][1] == pytest.approx(weight, rel=1e-3)
    joined = Targets.join(targets)
    for image in range(len(images)):
        for anchor in range(len(predictions.anchors)):
            row, _ = wanted.get((image, anchor), (None, 0))
            label = 0 if row is None else int(joined.labels[row]) + 1
            assert assignment.labels[image, anchor] == label


def test_of_equal_objects_the_first_has_the_anchors() -> None:
    same = [8.0, 8, 40, 40]
    targets = Targets.join([target([same, same], labels=[1, 1])])
    assignment = TaskAlignedAssigner(DECODER)(predict(1), targets)
    assert {row for row, _ in found(assignment).values()} == {0}


def test_every_object_has_as_many_slots_whatever_is_predicted() -> None:
    targets = Targets.join([target([[0.0, 0, 9, 9], [5, 5, 60, 60]]), target([]), target([[1.0, 1, 3, 3]])])
    assignment = TaskAlignedAssigner(DECODER, topk=7)(predict(3), targets)
    assert assignment.counts == [14, 0, 7]
    assert assignment.image.tolist() == [0] * 14 + [2] * 7
    assert assignment.objects.tolist() == [0] * 7 + [1] * 7 + [2] * 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_broken_predictions_take_no_anchor(value: float) -> None:
    predictions = predict(1)
    predictions.box_deltas.fill_(value)
    assignment = TaskAlignedAssigner(DECODER)(predictions, Targets.join([target([[8.0, 8, 40, 40]])]))
    assert assignment.weights.isfinite().all()
    assert not found(assignment)


def test_crowds_are_neutral_and_take_no_anchor() -> None:
    one = target([[0.0, 0, 64, 64], [4, 4, 28, 28]], crowd=(0,))
    predictions = predict(1)
    assignment = TaskAlignedAssigner(DECODER)(predictions, Targets.join([one]))
    assert {row for row, _ in found(assignment).values()} == {1}
    assert set(assignment.labels.unique().tolist()) == {-1, 2}
    alone = TaskAlignedAssigner(DECODER)(predictions, Targets.join([target([[0.0, 0, 32, 32]], crowd=(0,))]))
    centre = (predictions.anchors[:, :2] + predictions.anchors[:, 2:]) / 2
    assert torch.equal(alone.labels[0] == -1, (centre <= 32).all(1))


def test_no_anchor_per_object_is_refused() -> None:
    with pytest.raises(ValueError, match="topk=0"):
        TaskAlignedAssigner(DECODER, topk=0)
