import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import box_iou

from tests.checkpoints.checkpoint_files import small_network
from yolact_pl.anchor_search.coverage import Objects
from yolact_pl.anchor_search.setting import AnchorSetting
from yolact_pl.models.anchors import Anchors

SETTINGS = {
    "published": AnchorSetting((24, 48, 96, 192, 384), (1, 0.5, 2), square=True, reference_size=550),
    "plus": AnchorSetting((24, 48, 96, 192, 384), (1, 0.5, 2), octaves=3, reference_size=550),
    "small": AnchorSetting((5, 9, 20, 41, 77), (0.7, 1.9)),
}


def pyramid(image_size: tuple[int, int]) -> list[tuple[int, int]]:
    """By convolutions of stride 2: three to P3, then one a level."""
    sizes = [image_size]
    for _ in range(7):
        sizes.append(((sizes[-1][0] - 1) // 2 + 1, (sizes[-1][1] - 1) // 2 + 1))
    return sizes[3:]


def random_boxes(count: int, image_size: tuple[int, int], seed: int) -> Tensor:
    rng = np.random.default_rng(seed)
    height, width = image_size
    sides = np.exp(rng.uniform(np.log(2), np.log(0.9 * min(image_size)), (count, 2)))
    first = rng.uniform(0, 1, (count, 2)) * ((width, height) - sides)
    return torch.from_numpy(np.concatenate((first, first + sides), axis=1)).float()


def all_on(boxes: Tensor, image_size: tuple[int, int]) -> Objects:
    return Objects(boxes, torch.tensor([image_size]).expand(len(boxes), 2), torch.zeros(len(boxes)))


def try_all(boxes: Tensor, anchors: Anchors, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Best IoU and its level, one box after the other with every anchor that the network has."""
    sizes = pyramid(image_size)
    everyone = anchors(sizes, image_size)
    counts = [rows * columns * anchors.num_per_cell for rows, columns in sizes]
    best, level = [], []
    for box in boxes:
        iou = box_iou(box[None], everyone)[0]
        maxima = torch.stack([part.max() for part in iou.split(counts)])
        best.append(maxima.max())
        level.append(maxima.argmax())
    return torch.stack(best), torch.stack(level)


def check_against_loop(boxes: Tensor, anchors: Anchors, image_size: tuple[int, int]) -> None:
    coverage = all_on(boxes, image_size).coverage(anchors)
    iou, level = try_all(boxes, anchors, image_size)
    torch.testing.assert_close(coverage.iou, iou, rtol=0, atol=1e-5)
    differing = coverage.level != level  # only where two levels are equally good
    for box, other in zip(boxes[differing], coverage.level[differing].tolist(), strict=True):
        sizes = pyramid(image_size)
        parts = anchors(sizes, image_size).split([h * w * anchors.num_per_cell for h, w in sizes])
        best = box_iou(box[None], torch.cat(parts)).max()
        torch.testing.assert_close(box_iou(box[None], parts[other]).max(), best, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("image_size", [(550, 550), (160, 160), (97, 211)])
def test_best_iou_is_that_of_trying_all_anchors(name: str, image_size: tuple[int, int]) -> None:
    anchors = SETTINGS[name].build(image_size)
    check_against_loop(random_boxes(60, image_size, seed=1), anchors, image_size)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5),
)
def test_any_input_and_boxes_at_its_edges(height: int, width: int, corners: list[tuple[float, ...]]) -> None:
    scale = torch.tensor([width, height], dtype=torch.float32)
    pairs = torch.tensor(corners).view(-1, 2, 2).sort(dim=1).values * scale
    boxes = pairs.flatten(1)
    boxes[:, 2:] += 0.5
    check_against_loop(boxes, SETTINGS["small"].build((height, width)), (height, width))


def test_grid_is_that_of_the_network() -> None:
    """Boxes that are the network's own anchors are covered without a rest."""
    network = small_network(1).eval()
    images = torch.zeros((1, 3, 100, 76), dtype=torch.uint8)
    with torch.no_grad():
        anchors = network(images).anchors
    coverage = all_on(anchors, (100, 76)).coverage(network.anchors)
    torch.testing.assert_close(coverage.iou, torch.ones(len(anchors)), rtol=0, atol=1e-5)


def test_objects_on_inputs_of_their_own_sizes() -> None:
    sizes = [(64, 96), (96, 64), (160, 160)]
    anchors = SETTINGS["small"].build((96, 96))
    boxes = [random_boxes(9, size, seed=k) for k, size in enumerate(sizes)]
    inputs = torch.tensor(sizes).repeat_interleave(9, dim=0)
    coverage = Objects(torch.cat(boxes), inputs, torch.zeros(27)).coverage(anchors)
    expected = [try_all(part, anchors, size)[0] for part, size in zip(boxes, sizes, strict=True)]
    torch.testing.assert_close(coverage.iou, torch.cat(expected), rtol=0, atol=1e-5)


def test_numbers_by_hand() -> None:
    """Two boxes on an anchor's centre: one with its shape, one of half its area."""
    anchors = Anchors([8, 200, 200, 200, 200], [1])
    boxes = torch.tensor([[8.0, 8, 16, 16], [8.0, 10, 16, 14], [6.0, 11, 18, 13]])
    coverage = all_on(boxes, (64, 64)).coverage(anchors)
    assert coverage.iou.tolist() == pytest.approx([1, 0.5, 16 / (64 + 24 - 16)])
    assert coverage.level.tolist() == [0, 0, 0]
    assert coverage.mean_iou == pytest.approx((1.5 + 16 / 72) / 3)
    assert coverage.recall == pytest.approx(2 / 3)
    part = coverage.of(torch.tensor([False, False, True]))
    assert (part.mean_iou, part.recall) == (pytest.approx(16 / 72), 0)


def test_sizes_are_those_of_coco() -> None:
    area = torch.tensor([1.0, 1023, 1024, 9215, 9216, 1e5])
    objects = Objects(torch.rand(6, 4), torch.full((6, 2), 64), area)
    assert {name: chosen.nonzero().flatten().tolist() for name, chosen in objects.by_size().items()} == {
        "small": [0, 1],
        "medium": [2, 3],
        "large": [4, 5],
    }


def test_sample_keeps_what_belongs_together() -> None:
    boxes = random_boxes(50, (64, 64), seed=0)
    inputs = torch.arange(100).view(50, 2) + 64
    sample = Objects(boxes, inputs, boxes[:, 0].clone()).sample(20, np.random.default_rng(0))
    assert len(sample) == 20
    assert len(set(sample.area.tolist())) == 20
    rows = [boxes[:, 0].tolist().index(area) for area in sample.area.tolist()]
    assert torch.equal(sample.boxes, boxes[rows])
    assert torch.equal(sample.inputs, inputs[rows])
