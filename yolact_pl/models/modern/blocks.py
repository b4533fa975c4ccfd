"""Convolution, normalisation and activation."""

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}
NORMS = ("batch", "group")
MAX_GROUPS = 32
MIN_GROUP = 4
"""Channels that share statistics in group norm, at least."""


def build_activation(name: str) -> nn.Module:
    """The activation of that name, in place.

    Raises:
        ValueError: there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name!r} is not known; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name](inplace=True)


def build_norm(name: str, channels: int) -> nn.Module:
    """Batch norm, or group norm, whose statistics do not depend on the batch.

    Raises:
        ValueError: there is no norm of that name.
    """
    if name not in NORMS:
        raise ValueError(f"norm={name!r} is not known; choose one of {', '.join(NORMS)}")
    if name == "batch":
        return nn.BatchNorm2d(channels)
    groups = next(
        g for g in range(min(MAX_GROUPS, max(1, channels // MIN_GROUP)), 0, -1) if channels % g == 0
    )
    return nn.GroupNorm(groups, channels)


def conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, *, norm: str, stride: int = 1
) -> nn.Sequential:
    """A convolution without bias and a norm; [B, I, H, W] to [B, O, ceil(H / stride), ceil(W / stride)]."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False),
        build_norm(norm, out_channels),
    )


def conv_norm_act(
    in_channels: int, out_channels: int, kernel_size: int, *, norm: str, activation: str, stride: int = 1
) -> nn.Sequential:
    """`conv_norm` and an activation."""
    unit = conv_norm(in_channels, out_channels, kernel_size, norm=norm, stride=stride)
    return unit.append(build_activation(activation))


class LevelNorms(nn.ModuleList):
    """A norm for each pyramid level."""

    def forward(self, x: Tensor, level: int) -> Tensor:
        """[B, channels, H, W] of a level, unchanged in shape."""
        return self[level](x)


class Tower(nn.Module):
    """3x3 convolutions that all pyramid levels share, each followed by a norm with statistics per level.

    Levels see objects of other sizes in other maps, so that shared statistics fit none of them.
    """

    def __init__(self, channels: int, depth: int, *, num_levels: int, norm: str, activation: str) -> None:
        super().__init__()
        self.num_levels = num_levels
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(depth)
        )
        self.norms = nn.ModuleList(
            LevelNorms(build_norm(norm, channels) for _ in range(num_levels)) for _ in range(depth)
        )
        self.activation = build_activation(activation)

    def forward(self, x: Tensor, level: int) -> Tensor:
        """[B, channels, H, W] of a level, unchanged in shape."""
        for conv, norms in zip(self.convs, self.norms, strict=True):
            x = self.activation(norms(conv(x), level))
        return x
