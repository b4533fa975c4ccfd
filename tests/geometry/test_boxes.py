import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert
from torchvision.ops import box_iou as torchvision_box_iou

from yolact_pl.geometry.boxes import box_iou, cxcywh_to_xyxy, xyxy_to_cxcywh

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
