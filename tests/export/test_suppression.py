"""NMS of fixed shapes against `geometry.nms` and a loop."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from yolact_pl.export.suppression import LEFT_OUT, ROUNDS, CrossClassNms, ExactNms, FastNms, Survivors
from yolact_pl.geometry.nms import Survivors as Found
from yolact_pl.geometry.nms import cross_class_nms, exact_nms, fast_nms


def crowd(seed: int, num: int, num_classes: int = 3, side: float = 100) -> tuple[Tensor, Tensor]:
    """Boxes [num, 4] of which many overlap, and scores [num, C] without ties."""
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(num, 2, generator=draw) * side
    boxes = torch.cat((corner, corner + 10 + torch.rand(num, 2, generator=draw) * 40), dim=1)
    order = torch.randperm(num * num_classes, generator=draw).view(num, num_classes)
    return boxes, (1 + order) / (2 + num * num_classes)


def assert_same(static: Survivors, image: int, expected: Found, limit: int) -> None:
    anchors, labels, scores = (part[:limit] for part in expected)
    count = len(scores)
    torch.testing.assert_close(static.scores[image, :count], scores, rtol=0, atol=0)
    assert static.anchors[image, :count].tolist() == anchors.tolist()
    assert static.labels[image, :count].tolist() == labels.tolist()
    for part in static:
        assert not part[image, count:].any()


def fast(boxes: Tensor, scores: Tensor, candidates: int, limit: int) -> tuple[torch.nn.Module, Found]:
    options = {"iou_threshold": 0.5, "max_candidates": candidates, "max_detections": limit}
    return FastNms(**options), fast_nms(boxes, scores, **options)


def cross_class(boxes: Tensor, scores: Tensor, candidates: int, limit: int) -> tuple[torch.nn.Module, Found]:
    nms = CrossClassNms(iou_threshold=0.5, max_candidates=candidates, max_detections=limit)
    return nms, cross_class_nms(boxes, scores, iou_threshold=0.5, max_candidates=candidates)


def exact(boxes: Tensor, scores: Tensor, candidates: int, limit: int) -> tuple[torch.nn.Module, Found]:
    nms = ExactNms(iou_threshold=0.5, score_threshold=0.2, max_candidates=10**6, max_detections=limit)
    return nms, exact_nms(boxes, scores, iou_threshold=0.5, score_threshold=0.2, max_detections=limit)


@pytest.mark.parametrize("pair", [fast, cross_class, exact])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    num=st.integers(1, 60),
    candidates=st.integers(1, 70),
    limit=st.integers(1, 30),
    threshold=st.floats(0, 0.9),
)
def test_equals_the_torch_predictors(
    pair: Callable[..., tuple[torch.nn.Module, Found]],
    seed: int,
    num: int,
    candidates: int,
    limit: int,
    threshold: float,
) -> None:
    """In a batch, with anchors that take no part among the others."""
    crowds = [crowd(seed + image, num) for image in range(2)]
    boxes, scores = (torch.stack(parts) for parts in zip(*crowds, strict=True))
    takes_part = scores.amax(dim=2) > threshold
    static = pair(boxes[0], scores[0], candidates, limit)[0](
        boxes, torch.where(takes_part[..., None], scores, LEFT_OUT)
    )
    for image in range(2):
        rows = takes_part[image].nonzero()[:, 0]
        index, labels, best = pair(boxes[image, rows], scores[image, rows], candidates, limit)[1]
        assert_same(static, image, (rows[index], labels, best), limit)


@pytest.mark.parametrize("length", [2, 3, ROUNDS, ROUNDS + 1])
def test_chains_of_suppressions(length: int) -> None:
    """Each box overlaps the next one only: greedy NMS keeps every other one."""
    left = torch.arange(length, dtype=torch.float32) * 3
    boxes = torch.stack((left, left * 0, left + 10, left * 0 + 10), dim=1)
    scores = torch.linspace(0.9, 0.5, length)[:, None]
    nms = ExactNms(iou_threshold=0.5, score_threshold=0.1, max_candidates=100, max_detections=100)
    found = nms(boxes[None], scores[None])
    kept = found.anchors[0, found.scores[0] > 0].tolist()
    assert kept == list(range(0, length, 2))


def test_boxes_without_area_suppress_nobody() -> None:
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5], [5, 5, 9, 9]])[None]
    nms = CrossClassNms(iou_threshold=0.5, max_candidates=9, max_detections=9)
    found = nms(boxes, torch.tensor([0.9, 0.8, 0.7])[None, :, None])
    assert found.anchors.tolist() == [[0, 1, 2]]
