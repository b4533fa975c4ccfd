"""Transfer from the CPU to the device of the predictions."""

from dataclasses import replace

import torch
from torch import Tensor

from yolact_pl.structures import Targets


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device. CUDA copies it later; the CPU does not wait."""
    if device.type == "cuda" and x.is_cpu:
        # Only page-locked memory is copied so, and it must not be reused too soon: torch's own sees to that.
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def targets_to_device(targets: Targets, device: torch.device) -> Targets:
    """The targets with their tensors on a device, in few copies."""
    small = to_device(torch.stack((targets.labels, targets.image, targets.iscrowd.long())), device)
    semantic_masks = targets.semantic_masks
    return replace(
        targets,
        boxes=to_device(targets.boxes.float(), device),
        labels=small[0],
        masks=to_device(targets.masks, device),
        semantic_masks=None if semantic_masks is None else to_device(semantic_masks, device),
        iscrowd=small[2].bool(),
        image=small[1],
    )
