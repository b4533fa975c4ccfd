import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.decoders.anchor_decoder import AnchorDecoder

DECODER = AnchorDecoder()
corner = st.floats(0, 500, width=32)
side = st.floats(1, 300, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> torch.Tensor:
    rows = draw(st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=6))
    x, y, w, h = torch.tensor(rows).unbind(1)
    return torch.stack((x, y, x + w, y + h), dim=1)


@settings(deadline=None)
@given(boxes())
def test_decoding_undoes_encoding(a: torch.Tensor) -> None:
    anchors = a.flip(0)
    torch.testing.assert_close(DECODER.decode(DECODER.encode(a, anchors), anchors), a, atol=5e-2, rtol=1e-3)


def test_decoding_by_hand() -> None:
    # anchor: centre (20, 30), size 20 x 40. centre + 1 * 0.1 * size = (22, 26) for deltas (1, -1);
    # size * exp(0.2 * (5 ln 2, 0)) = (40, 40).
    anchor = torch.tensor([[10.0, 10.0, 30.0, 50.0]])
    deltas = torch.tensor([[1.0, -1.0, 5 * math.log(2), 0.0]])
    torch.testing.assert_close(DECODER.decode(deltas, anchor), torch.tensor([[2.0, 6.0, 42.0, 46.0]]))


@pytest.mark.parametrize("delta", [1e3, 1e30, math.inf])
def test_large_size_deltas_stay_finite(delta: float) -> None:
    decoded = DECODER.decode(torch.tensor([[0.0, 0.0, delta, delta]]), torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    assert decoded.isfinite().all()


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5, 0.9])
def test_confident_anchors_are_those_of_the_whole_softmax(threshold: float) -> None:
    logits = torch.randn(500, 6, generator=torch.Generator().manual_seed(0)) * 3
    probabilities = logits.softmax(dim=1)[:, 1:]
    expected = (probabilities.amax(dim=1) > threshold).nonzero()[:, 0]
    anchors, scores = DECODER.confident(logits, threshold)
    assert torch.equal(anchors, expected)
    torch.testing.assert_close(scores, probabilities[expected])
