"""What is computed in 8 bits, and on which images its ranges are measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

NETWORK = "network."
"""Before the names of a network's parts in an exported graph."""
WEIGHT = ".weight"


@dataclass(frozen=True, eq=False)
class Quantisation:
    """How a network is written with `precision="int8"`.

    Backbone, pyramid, prototypes and head compute in 8 bits; what decodes and assembles their outputs does
    not. In float stay as well the convolutions that read the image, whose dark tones would be lost, and
    those that say where deformable convolutions sample.
    """

    inputs: Sequence[NDArray[Any]]
    """Batches [N, H, W, 3] of the type of the file's input, for the ranges of all tensors."""
    float_layers: frozenset[str] = frozenset()
    """Names of convolutions that stay in float too, see `layer_name`."""


def layer_name(weight: str) -> str:
    """The name of a convolution in the network by that of its weight, such as "head.class_logits".

    A layer that is applied to several maps is one.
    """
    return weight.removeprefix(NETWORK).removesuffix(WEIGHT)
