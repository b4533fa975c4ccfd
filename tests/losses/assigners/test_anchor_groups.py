import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from yolact_pl.geometry.boxes import box_iou
from yolact_pl.losses.assigners import anchor_groups
from yolact_pl.losses.assigners.anchor_groups import GROUP_SIZE, group_anchors, iou_bounds, overlapping_pairs
from yolact_pl.models.anchors import Anchors


def random_boxes(n: int, generator: torch.Generator, *, smallest: float, largest: float) -> Tensor:
    corner = torch.rand(n, 2, generator=generator) * 100
    return torch.cat(
        (corner, corner + smallest + (largest - smallest) * torch.rand(n, 2, generator=generator)), dim=1
    )


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    num_boxes=st.integers(0, 20),
    num_anchors=st.integers(1, 400),
    smallest=st.sampled_from([0.0, 1.0, 30.0]),
    grid=st.sampled_from([0.0, 1.0, 10.0]),
    min_iou=st.sampled_from([0.0, 0.1, 0.4, 0.9, 1.0]),
)
def test_pairs_are_those_of_the_whole_table(seed, num_boxes, num_anchors, smallest, grid, min_iou):
    generator = torch.Generator().manual_seed(seed)
    boxes = random_boxes(num_boxes, generator, smallest=smallest, largest=60)
    anchors = random_boxes(num_anchors, generator, smallest=1, largest=40)
    if grid:  # many equal IoUs, and boxes without any area
        boxes, anchors = boxes.div(grid).round() * grid, anchors.div(grid).floor() * grid
        anchors[:, 2:] += 1
    table = box_iou(boxes, anchors)
    pairs, best = overlapping_pairs(boxes, group_anchors(anchors), min_iou=min_iou)
    found = {(o, a): iou for o, a, iou in zip(*(part.tolist() for part in pairs), strict=True)}
    assert len(found) == len(pairs.iou)
    rows, columns = (table >= min_iou).nonzero(as_tuple=True)
    wanted = table[rows, columns].tolist()
    assert found == dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), wanted, strict=True))
    assert best.objects.tolist() == list(range(num_boxes))
    assert torch.equal(best.iou, table.amax(1))
    assert torch.equal(best.anchor, table.argmax(1))


def test_no_anchor_of_a_group_is_above_its_bound():
    generator = torch.Generator().manual_seed(0)
    boxes = random_boxes(300, generator, smallest=0.5, largest=120)
    anchors = random_boxes(20 * GROUP_SIZE, generator, smallest=2, largest=80)
    bounds = iou_bounds(boxes, group_anchors(anchors))
    reached = box_iou(boxes, anchors).view(300, 20, GROUP_SIZE).amax(2)
    assert (bounds >= reached).all()


def test_a_small_part_of_the_table_is_worked_out(monkeypatch):
    anchors = Anchors((24, 48, 96, 192, 384), (1.0, 0.5, 2.0))(
        [(69, 69), (35, 35), (18, 18), (9, 9), (5, 5)], (550, 550)
    )
    generator = torch.Generator().manual_seed(0)
    boxes = 5 * random_boxes(50, generator, smallest=2, largest=60)
    worked_out, pairwise_iou = [], anchor_groups.pairwise_iou

    def counted(*args: Tensor) -> Tensor:
        iou = pairwise_iou(*args)
        worked_out.append(iou.numel())
        return iou

    monkeypatch.setattr(anchor_groups, "pairwise_iou", counted)
    overlapping_pairs(boxes, group_anchors(anchors), min_iou=0.4)
    assert sum(worked_out) < 0.1 * 50 * len(anchors)


@pytest.mark.parametrize("num_anchors", [1, GROUP_SIZE, GROUP_SIZE + 1])
def test_groups_hold_every_anchor(num_anchors):
    anchors = torch.rand(num_anchors, 4).sort(1).values
    groups = group_anchors(anchors)
    rows = groups.coordinates.movedim(1, 2).reshape(-1, 4)
    assert torch.equal(rows[:num_anchors], anchors)
    assert (rows[num_anchors:] == anchors[-1]).all()
