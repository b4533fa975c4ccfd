"""The precision that losses are computed in."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision, which sums of thousands of terms need not bear, as float32; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
