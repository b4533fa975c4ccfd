"""The interface of a decoder."""

from typing import Protocol

from torch import Tensor


class Decoder(Protocol):
    """The meaning of the network's class logits and box deltas.

    The loss, the assigners and the postprocess ask the same decoder, which the checkpoint names. It has no
    weights and no state.
    """

    def scores(self, class_logits: Tensor) -> Tensor:
        """Class logits [..., columns] of any float type to scores [..., C] in 0..1, float32 or longer."""
        ...

    def confident(self, class_logits: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
        """The anchors whose best class score exceeds `threshold`.

        Args:
            class_logits: [A, columns] of one image, any float type.
            threshold: 0 <= threshold < 1.

        Returns:
            [M] int64 anchor indices, ascending, and [M, C] their scores.
        """
        ...

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Boxes [..., 4] xyxy as deltas [..., 4] to anchors [..., 4] xyxy, one for each box."""
        ...

    def decode(self, deltas: Tensor, anchors: Tensor) -> Tensor:
        """The inverse of `encode`."""
        ...
