"""Towers of the modern head for prediction."""

import copy

from torch import Tensor, nn

from yolact_pl.models.modern.blocks import LevelNorms, Tower


class LevelTowers(nn.Module):
    """A tower for each pyramid level: so the norm of a level can become part of its convolutions."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_of_level(tower, level) for level in range(tower.num_levels))

    def forward(self, x: Tensor, level: int) -> Tensor:
        """As of the tower."""
        return self.levels[level](x)


def split_towers(network: nn.Module) -> None:
    """Replace the towers of a network, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Tower):
                setattr(module, name, LevelTowers(child))


def _of_level(tower: Tower, level: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for conv, norms in zip(tower.convs, tower.norms, strict=True):
        assert isinstance(norms, LevelNorms)
        parts += [copy.deepcopy(conv), copy.deepcopy(norms[level]), tower.activation]
    return nn.Sequential(*parts)
