"""Anchors as points."""

from torch import Tensor


def centres(anchors: Tensor) -> Tensor:
    """[A, 4] xyxy to [A, 2]."""
    return (anchors[:, :2] + anchors[:, 2:]) / 2


def contains(boxes: Tensor, anchors: Tensor, *, min_side: float | Tensor | None = None) -> Tensor:
    """Whether the centre of an anchor lies in a box, the box enlarged to a smallest side around its centre.

    Args:
        boxes: [N, 4] xyxy.
        anchors: [A, 4] xyxy.
        min_side: None: that of the smallest anchor; of anchors that cover the image no box is then without.

    Returns:
        [N, A] bool.
    """
    if min_side is None:
        min_side = (anchors[:, 2:] - anchors[:, :2]).amin()
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2)[:, None].clamp(min=min_side / 2)
    return ((centres(anchors)[None] - middle).abs() <= half).all(-1)
