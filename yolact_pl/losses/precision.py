"""Precision of the losses."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32, for sums of thousands of summands; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
