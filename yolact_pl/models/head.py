"""The prediction head."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from yolact_pl.models.conv_relu import ConvRelu


class ClassRows(NamedTuple):
    """Where a weight has rows for classes: `blocks` times `background` (0 or 1) rows, then one per class."""

    blocks: int
    background: int


class PredictionHead(nn.Module):
    """Class logits, box deltas and coefficients of all anchors; the levels share it (YOLACT, figure 4)."""

    def __init__(
        self, channels: int, num_anchors: int, *, num_classes: int, num_prototypes: int = 32
    ) -> None:
        """Args:
        channels: of each pyramid level.
        num_anchors: anchors per cell.
        num_classes: C, background not counted.
        num_prototypes: K.
        """
        super().__init__()
        self.num_anchors = num_anchors
        self.class_rows = ClassRows(num_anchors, background=1)
        self.shared = ConvRelu(channels, channels, 3, padding=1)
        self.class_logits = nn.Conv2d(channels, num_anchors * (1 + num_classes), 3, padding=1)
        self.box_deltas = nn.Conv2d(channels, num_anchors * 4, 3, padding=1)
        self.coefficients = nn.Conv2d(channels, num_anchors * num_prototypes, 3, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """P3..P7 to class logits [B, A, 1 + C], box deltas [B, A, 4] and coefficients [B, A, K] in -1..1."""
        shared = [self.shared(level) for level in levels]
        return (
            self._per_anchor([self.class_logits(x) for x in shared]),
            self._per_anchor([self.box_deltas(x) for x in shared]),
            self._per_anchor([self.coefficients(x) for x in shared]).tanh_(),
        )

    def _per_anchor(self, maps: list[Tensor]) -> Tensor:
        """Maps [B, anchors per cell x n, height, width] of the levels to [B, A, n]."""
        # Views up to here whatever the memory format: concatenating makes the only copy.
        cells = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)
        b, num_cells, channels = cells.shape
        return cells.reshape(b, num_cells * self.num_anchors, channels // self.num_anchors)
