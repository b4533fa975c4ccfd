"""Soft-target classification, against a loop over images, anchors and classes."""

import math

import pytest
import torch
from torch import Tensor

from yolact_pl.decoders.point_decoder import PointDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.quality_focal import QualityFocalLoss
from yolact_pl.structures import Predictions, Target, Targets

LABELS = torch.tensor([[0, 3, -1, 0, 1], [0, 0, 2, 0, 0]])
# Image 0: anchor 1 learns object 0, anchor 4 object 1, one slot is empty; image 1: anchor 2 learns object 2.
IMAGE, ANCHOR, OBJECTS = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 4, 1, 2]), torch.tensor([0, 1, 1, 2])
WEIGHTS = torch.tensor([0.7, 0.2, 0.0, 0.9])
NORMALISER = 1.8


def inputs(logits: Tensor) -> TermInputs:
    none = torch.zeros(0)
    targets = Targets.join([target([2, 0]), target([1])])
    assignment = Assignment(LABELS, IMAGE, ANCHOR, OBJECTS, WEIGHTS, [3, 1])
    predictions = Predictions(logits, none, none, none, none, None, (8, 8))
    normaliser = torch.tensor(NORMALISER)
    return TermInputs(predictions, targets, assignment, PointDecoder(), normaliser, normaliser, None)


def target(labels: list[int]) -> Target:
    n = len(labels)
    return Target(
        boxes=torch.zeros(n, 4),
        labels=torch.tensor(labels),
        masks=torch.zeros(n, 1, 1, dtype=torch.bool),
        iscrowd=torch.zeros(n, dtype=torch.bool),
        image_id=1,
        size=(8, 8),
    )


def expected(logits: Tensor, beta: float) -> float:
    soft = {(0, 1, 2): 0.7, (0, 4, 0): 0.2, (1, 2, 1): 0.9}
    total = 0.0
    for image in range(2):
        for anchor in range(5):
            for label in range(3):
                if LABELS[image, anchor] == -1:
                    continue
                t = soft.get((image, anchor, label), 0.0)
                p = 1 / (1 + math.exp(-float(logits[image, anchor, label])))
                total += -(t * math.log(p) + (1 - t) * math.log(1 - p)) * abs(t - p) ** beta
    return total / NORMALISER


@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_as_by_a_loop(beta: float) -> None:
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    value = QualityFocalLoss(2.0, beta=beta)(inputs(logits))
    assert float(value) == pytest.approx(2 * expected(logits, beta), rel=1e-6)


def test_neutral_anchors_have_no_gradient() -> None:
    logits = torch.zeros(2, 5, 3, requires_grad=True)
    QualityFocalLoss()(inputs(logits)).backward()
    assert logits.grad is not None
    assert not logits.grad[0, 2].any()
    assert logits.grad[0, 0].all()


def test_half_precision_is_summed_in_float32() -> None:
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    value = QualityFocalLoss()(inputs(logits))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, QualityFocalLoss()(inputs(logits.float())))
