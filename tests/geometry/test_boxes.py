import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert
from torchvision.ops import box_iou as torchvision_box_iou

from yolact_pl.geometry.boxes import (
    box_iou,
    cxcywh_to_xyxy,
    decode_boxes,
    encode_boxes,
    xyxy_to_cxcywh,
)

corner = st.floats(0, 500, width=32)
side = st.floats(1, 300, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> torch.Tensor:
    rows = draw(st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=6))
    x, y, w, h = torch.tensor(rows).unbind(1)
    return torch.stack((x, y, x + w, y + h), dim=1)


@settings(deadline=None)
@given(boxes(), boxes())
def test_iou_is_torchvisions(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(box_iou(a, b), torchvision_box_iou(a, b), atol=1e-5, rtol=1e-5)


@settings(deadline=None)
@given(boxes())
def test_formats_are_torchvisions(a: torch.Tensor) -> None:
    centred = xyxy_to_cxcywh(a)
    torch.testing.assert_close(centred, box_convert(a, "xyxy", "cxcywh"))
    torch.testing.assert_close(cxcywh_to_xyxy(centred), a, atol=1e-3, rtol=1e-5)


@settings(deadline=None)
@given(boxes())
def test_decoding_undoes_encoding(a: torch.Tensor) -> None:
    anchors = a.flip(0)
    torch.testing.assert_close(decode_boxes(encode_boxes(a, anchors), anchors), a, atol=5e-2, rtol=1e-3)


def test_decoding_by_hand() -> None:
    # anchor: centre (20, 30), size 20 x 40. centre + 1 * 0.1 * size = (22, 26) for deltas (1, -1);
    # size * exp(0.2 * (5 ln 2, 0)) = (40, 40).
    anchor = torch.tensor([[10.0, 10.0, 30.0, 50.0]])
    deltas = torch.tensor([[1.0, -1.0, 5 * math.log(2), 0.0]])
    torch.testing.assert_close(decode_boxes(deltas, anchor), torch.tensor([[2.0, 6.0, 42.0, 46.0]]))


@pytest.mark.parametrize("delta", [1e3, 1e30, math.inf])
def test_large_size_deltas_stay_finite(delta: float) -> None:
    decoded = decode_boxes(torch.tensor([[0.0, 0.0, delta, delta]]), torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    assert decoded.isfinite().all()
