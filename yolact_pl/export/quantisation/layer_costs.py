"""What each layer alone costs when it computes in 8 bits."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from yolact_pl.export.deformable import SampledDeformConv2d
from yolact_pl.export.portable import PortableModel

LEVELS = 255
WEIGHT_LIMIT = 63
"""Of weights with 7 bits and a sign."""


class LayerCost(NamedTuple):
    """How far the raw outputs move when one layer computes in 8 bits."""

    layer: str
    """See `layer_name`."""
    error: float
    """Sum over the raw outputs of the squared change, in parts of their squared values."""


@torch.inference_mode()
def layer_costs(
    model: PortableModel,
    layers: Collection[str],
    inputs: Sequence[NDArray[Any]],
    advance: Callable[[], object] = lambda: None,
) -> list[LayerCost]:
    """The costs of some convolutions, the highest first.

    Args:
        model: whose layout is changed to raw.
        layers: their names; those that no module has are left out.
        inputs: a few batches [N, H, W, 3] of images.
        advance: called after each layer.
    """
    model.layout = "raw"
    batches = [torch.from_numpy(pixels) for pixels in inputs]
    expected = [_outputs(model, pixels) for pixels in batches]
    costs = []
    modules = dict(model.network.named_modules())
    for name in layers:
        layer = modules.get(name)
        if not isinstance(layer, nn.Conv2d | SampledDeformConv2d):
            continue
        error = 0.0
        with _in_8_bits(layer):
            for pixels, outputs in zip(batches, expected, strict=True):
                error += sum(map(_relative_error, _outputs(model, pixels), outputs))
        costs.append(LayerCost(name, error / max(len(batches), 1)))
        advance()
    return sorted(costs, key=lambda cost: -cost.error)


def _outputs(model: PortableModel, pixels: Tensor) -> list[Tensor]:
    found = model(pixels)
    return [found[name] for name in found if name != "anchors"]


def _relative_error(found: Tensor, expected: Tensor) -> float:
    scale = float(expected.square().sum())
    return float((found - expected).square().sum()) / scale if scale else 0.0


@contextmanager
def _in_8_bits(layer: nn.Module) -> Iterator[None]:
    """A layer whose input, weight and output are rounded as an 8-bit convolution rounds them."""
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]), *inputs[1:])),
        layer.register_forward_hook(lambda *call: rounded(call[2])),
    ]
    layer.weight = nn.Parameter(_rounded_weight(weight), requires_grad=False)
    try:
        yield
    finally:
        layer.weight = weight
        for hook in hooks:
            hook.remove()


def rounded(x: Tensor) -> Tensor:
    """Values of 8 bits, from the smallest to the largest, of which 0 is one."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    step = (high - low) / LEVELS or 1.0
    zero = round(-low / step)
    return torch.fake_quantize_per_tensor_affine(x, step, zero, 0, LEVELS)


def _rounded_weight(weight: Tensor) -> Tensor:
    """Of 7 bits and a sign, by output channel."""
    steps = weight.abs().flatten(1).amax(dim=1) / WEIGHT_LIMIT
    steps = torch.where(steps > 0, steps, 1.0).view(-1, *[1] * (weight.ndim - 1))
    return (weight / steps).round() * steps
