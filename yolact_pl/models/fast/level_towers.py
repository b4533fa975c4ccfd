"""Towers of the modern head for prediction."""

import copy

from torch import Tensor, nn

from yolact_pl.models.modern.blocks import Tower


class LevelTowers(nn.Module):
    """A tower for each pyramid level: so the norm of a level can become part of its convolutions."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(
                *(
                    copy.deepcopy(part)
                    for conv, norms in zip(tower.convs, tower.norms, strict=True)
                    for part in (conv, norms[level], tower.activation)  # type: ignore[index]
                )
            )
            for level in range(tower.num_levels)
        )

    def forward(self, x: Tensor, level: int) -> Tensor:
        """As of the tower."""
        return self.levels[level](x)


def split_towers(network: nn.Module) -> None:
    """Replace the towers of a network, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Tower):
                setattr(module, name, LevelTowers(child))
