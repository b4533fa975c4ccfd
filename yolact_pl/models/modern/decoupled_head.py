"""Decoupled prediction head."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from yolact_pl.models.head import ClassRows
from yolact_pl.models.modern.blocks import Tower

PREDICTION_STD = 0.01
COEFFICIENT_STD = 0.02
"""Of the initial weights. Without a tanh larger ones start with several times the mask loss."""


class DecoupledHead(nn.Module):
    """Class logits, box distances and coefficients of one anchor point per cell, from a tower each."""

    def __init__(
        self,
        channels: int,
        *,
        num_classes: int,
        num_prototypes: int = 32,
        num_levels: int = 3,
        tower_depth: int = 1,
        norm: str = "batch",
        activation: str = "relu",
        class_prior: float = 0.01,
    ) -> None:
        """Args:
        channels: of each pyramid level.
        num_classes: C.
        num_prototypes: K.
        num_levels: pyramid levels.
        tower_depth: 3x3 convolutions of each tower.
        norm: "batch" or "group".
        activation: "relu" or "silu".
        class_prior: score of every class at every point at the start (Lin et al. 2017, section 3.3).
        """
        super().__init__()
        self.class_rows = ClassRows(1, background=0)
        options = {"num_levels": num_levels, "norm": norm, "activation": activation}
        self.class_tower = Tower(channels, tower_depth, **options)
        self.box_tower = Tower(channels, tower_depth, **options)
        self.coefficient_tower = Tower(channels, tower_depth, **options)
        self.class_logits = _prediction(channels, num_classes, PREDICTION_STD)
        self.box_deltas = _prediction(channels, 4, PREDICTION_STD)
        self.coefficients = _prediction(channels, num_prototypes, COEFFICIENT_STD)
        assert self.class_logits.bias is not None
        nn.init.constant_(self.class_logits.bias, -math.log((1 - class_prior) / class_prior))

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """P3, P4, ... to class logits [B, A, C], box distances [B, A, 4] and coefficients [B, A, K]."""
        pairs = (
            (self.class_tower, self.class_logits),
            (self.box_tower, self.box_deltas),
            (self.coefficient_tower, self.coefficients),
        )
        logits, deltas, coefficients = (
            torch.cat(
                [predict(tower(x, level)).flatten(2).transpose(1, 2) for level, x in enumerate(levels)], dim=1
            )
            for tower, predict in pairs
        )
        return logits, deltas, coefficients


def _prediction(channels: int, outputs: int, std: float) -> nn.Conv2d:
    conv = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(conv.weight, std=std)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv
