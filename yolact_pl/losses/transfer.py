"""From the CPU to where the network's answers are."""

import torch
from torch import Tensor


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """The tensor there. CUDA copies it when it comes to it; the CPU does not wait for that."""
    if device.type == "cuda" and x.is_cpu:
        # Only from page-locked memory, which must not be used again too soon: torch's own sees to it.
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
