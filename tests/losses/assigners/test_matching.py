import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from yolact_pl.geometry.boxes import box_iou
from yolact_pl.losses.assigners import anchor_groups, iou_assigner
from yolact_pl.losses.assigners import iou_matching as matching
from yolact_pl.losses.assigners.anchor_groups import group_anchors
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.assigners.iou_assigner import IouAssigner
from yolact_pl.losses.assigners.known_anchors import MAX_KNOWN
from yolact_pl.structures import Predictions, Target, Targets


def make_target(boxes: Tensor, labels: Tensor | None = None, crowd: Tensor | None = None) -> Target:
    n = len(boxes)
    return Target(
        boxes=boxes,
        labels=torch.arange(n) if labels is None else labels,
        masks=torch.zeros(n, 4, 4, dtype=torch.bool),
        iscrowd=torch.zeros(n, dtype=torch.bool) if crowd is None else crowd,
        image_id=7,
        size=(64, 64),
    )


def random_boxes(n: int, generator: torch.Generator, *, whole: bool) -> Tensor:
    """Whole coordinates on a small grid give many equal IoUs."""
    high = 8 if whole else 64
    corner = torch.rand(n, 2, generator=generator) * high
    size = torch.rand(n, 2, generator=generator) * high / 2
    if whole:
        corner, size = corner.floor(), size.floor() + 1
    return torch.cat((corner, corner + size + 0.5 * (not whole)), dim=1)


def assign(anchors: Tensor, targets: list[Target], assigner: IouAssigner | None = None) -> Assignment:
    """By the published thresholds; nothing but the anchors of the predictions counts."""
    none = torch.zeros(len(targets), len(anchors), 0)
    predictions = Predictions(none, none, none, none, anchors, None, (64, 64))
    return (assigner or IouAssigner())(predictions, Targets.join(targets))


def match_slowly(anchors: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """The procedure as it is told: one forced pair after the other, then thresholds, then crowds."""
    rows = (~target["iscrowd"]).nonzero()[:, 0].tolist()
    labels, objects = [0] * len(anchors), [0] * len(anchors)
    iou = box_iou(target["boxes"], anchors).tolist()
    best = [max(((iou[row][a], -row) for row in rows), default=(0.0, 0)) for a in range(len(anchors))]
    best = [(value, -minus_row) for value, minus_row in best]
    pairs = sorted((-iou[row][a], row, a) for row in rows for a in range(len(anchors)))
    taken, served = set(), set()
    for _, row, a in pairs:
        if row not in served and a not in taken:
            served.add(row)
            taken.add(a)
            best[a] = (2.0, row)
    for a, (value, row) in enumerate(best):
        if value >= 0.5:
            labels[a], objects[a] = int(target["labels"][row]) + 1, row
        elif value >= 0.4:
            labels[a] = -1
    for row in target["iscrowd"].nonzero()[:, 0].tolist():
        x1, y1, x2, y2 = target["boxes"][row].tolist()
        for a, (left, top, right, bottom) in enumerate(anchors.tolist()):
            shared = max(0, min(x2, right) - max(x1, left)) * max(0, min(y2, bottom) - max(y1, top))
            if labels[a] <= 0 and shared / ((right - left) * (bottom - top)) > 0.7:
                labels[a] = -1
    return torch.tensor(labels), torch.tensor(objects)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=3),
    whole=st.booleans(),
    at_once=st.sampled_from([1, 7, 2**16]),
    num_anchors=st.sampled_from([150, 64, 40]),
)
def test_matching_is_the_procedure_done_one_by_one(seed, counts, whole, at_once, num_anchors):
    generator = torch.Generator().manual_seed(seed)
    anchors = random_boxes(num_anchors, generator, whole=whole)
    targets = [
        make_target(
            random_boxes(n, generator, whole=whole),
            torch.randint(5, (n,), generator=generator),
            torch.rand(n, generator=generator) < 0.2,
        )
        for n in counts
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchor_groups, "BOUNDS_AT_ONCE", at_once)
        patch.setattr(matching, "REFUSED_AT_ONCE", at_once)
        assignment = assign(anchors, targets)
    start = 0
    for image, target in enumerate(targets):
        labels, objects = match_slowly(anchors, target)
        assert assignment.labels[image].tolist() == labels.tolist()
        positive, own = labels > 0, assignment.image == image
        assert assignment.counts[image] == own.sum()
        assert assignment.anchor[own].tolist() == positive.nonzero()[:, 0].tolist()
        assert (assignment.objects[own] - start).tolist() == objects[positive].tolist()
        start += len(target["labels"])


def test_objects_that_want_the_same_anchor_pass_it_on():
    # One cluster of shifted boxes: all prefer the anchor at 0; the best of them, the last row, keeps it.
    anchors = torch.tensor([[0.0, 0, 10, 10], [100, 0, 110, 10], [3, 0, 13, 10], [6, 0, 16, 10]])
    boxes = torch.tensor([[1.2, 0, 11.2, 10], [0.8, 0, 10.8, 10], [0.1, 0, 10.1, 10]])
    assignment = assign(anchors, [make_target(boxes)])
    # Left are the anchors at 3 (nearer to 1.2, the first row), then at 6 for the second row.
    assert assignment.anchor.tolist() == [0, 2, 3]
    assert assignment.objects.tolist() == [2, 0, 1]
    assert assignment.labels[0].tolist() == [3, 0, 1, 2]


def test_equal_objects_keep_an_anchor_each():
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 9, 9]])
    assignment = assign(anchors, [make_target(torch.tensor([[0.0, 0, 10, 10]] * 3))])
    assert sorted(assignment.objects.tolist()) == [0, 1, 2]
    assert (assignment.labels > 0).all()


def test_more_objects_than_anchors_is_an_error():
    with pytest.raises(ValueError, match="image 7 has 3 objects but the network only 2 anchors"):
        assign(torch.tensor([[0.0, 0, 1, 1], [1, 1, 2, 2]]), [make_target(torch.rand(3, 4))])


@pytest.mark.parametrize("name", ["base_a", "single_a", "focal_a", "cap_a", "spill_a", "plus_a"])
def test_matching_equals_the_published(load_case, name):
    case = load_case(name)
    assignment = IouAssigner()(case.predictions, case.targets)
    expected = torch.from_numpy(case.arrays["conf_t"]).long()
    assert torch.equal(assignment.labels, expected)
    counts = case.targets.image.bincount(minlength=len(case.targets))
    objects = assignment.objects - (counts.cumsum(0) - counts)[assignment.image]
    assert torch.equal(objects, torch.from_numpy(case.arrays["idx_t"]).long()[expected > 0])


def test_groups_of_anchors_are_made_once_for_each_image_size(monkeypatch):
    made = []
    monkeypatch.setattr(iou_assigner, "group_anchors", lambda x: made.append(x) or group_anchors(x))
    assigner = IouAssigner()
    sizes = [torch.tensor([[0.0, 0, size, size]]) for size in range(1, 4)]
    for anchors in sizes * 2:
        assign(anchors, [make_target(torch.rand(0, 4))], assigner)
    assert len(made) == 3
    for size in range(MAX_KNOWN):  # of as many other sizes: the first are forgotten
        assign(torch.tensor([[0.0, 0, 10 + size, 10]]), [make_target(torch.rand(0, 4))], assigner)
    assign(sizes[0], [make_target(torch.rand(0, 4))], assigner)
    assert len(made) == 3 + MAX_KNOWN + 1
