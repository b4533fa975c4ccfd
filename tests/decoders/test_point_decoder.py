"""Sigmoid scores and distances, against scalar formulas."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.decoders.point_decoder import SHIFT, PointDecoder

side = st.floats(0.5, 500)
place = st.floats(-100, 700)


@given(x=place, y=place, stride=st.sampled_from([8.0, 16.0, 64.0]), sides=st.tuples(side, side, side, side))
def test_boxes_around_a_point_survive_coding(
    x: float, y: float, stride: float, sides: tuple[float, float, float, float]
) -> None:
    left, top, right, bottom = sides
    box = torch.tensor([x - left, y - top, x + right, y + bottom], dtype=torch.float64)
    anchor = torch.tensor([x, y, x, y], dtype=torch.float64) + stride / 2 * torch.tensor([-1, -1, 1, 1])
    deltas = PointDecoder().encode(box, anchor)
    for delta, distance in zip(deltas.tolist(), sides, strict=True):
        assert math.log1p(math.exp(delta + SHIFT)) * stride == pytest.approx(distance, rel=1e-9)
    torch.testing.assert_close(PointDecoder().decode(deltas, anchor), box)


def test_a_point_beside_the_box_has_finite_deltas() -> None:
    deltas = PointDecoder().encode(torch.tensor([[10.0, 10, 20, 20]]), torch.tensor([[0.0, 0, 8, 8]]))
    assert deltas.isfinite().all()


def test_a_delta_of_zero_is_about_one_cell() -> None:
    box = PointDecoder().decode(torch.zeros(4), torch.tensor([16.0, 16, 32, 32]))
    torch.testing.assert_close(box, torch.tensor([8.0, 8, 40, 40]), rtol=0, atol=0.2)


@given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.0, 0.001, 0.3, 0.5, 0.9]))
def test_confident_anchors_are_those_above_the_threshold(seed: int, threshold: float) -> None:
    logits = 3 * torch.randn(40, 3, generator=torch.Generator().manual_seed(seed))
    anchors, scores = PointDecoder().confident(logits, threshold)
    expected = [
        row for row in range(40) if max(1 / (1 + math.exp(-x)) for x in logits[row].tolist()) > threshold
    ]
    assert anchors.tolist() == expected
    torch.testing.assert_close(scores, logits[expected].sigmoid())


def test_scores_of_half_precision_are_float32() -> None:
    assert PointDecoder().scores(torch.zeros(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
