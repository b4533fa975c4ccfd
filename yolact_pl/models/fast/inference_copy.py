"""Copy of the network for fast prediction."""

import copy

import torch

from yolact_pl.freed_memory import keep_freed_memory
from yolact_pl.models.fast.cpu_modules import replace_modules
from yolact_pl.models.fast.fusing import fuse_batch_norm
from yolact_pl.models.fast.level_towers import split_towers
from yolact_pl.models.network import YolactNetwork


def inference_copy(
    network: YolactNetwork, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> YolactNetwork:
    """A copy for prediction only, whose numbers differ by rounding alone.

    Batch norm becomes part of the convolutions, memory has channels last, and on the CPU faster modules take
    the place of some, see `replace_modules`. The network itself stays as it is and can be trained on. A copy
    for the CPU has the whole process keep some memory, see `keep_freed_memory`.

    Args:
        network: in float32, on any device.
        device: where the copy is to run.
        dtype: that it computes in; the mask re-scoring network, which is small, stays in float32.
    """
    device = torch.device(device)
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    copied.semantic = None  # which only training uses
    split_towers(copied)
    fuse_batch_norm(copied)
    for part in (copied.backbone, copied.fpn, copied.protonet, copied.head):
        part.to(dtype)
        if device.type in ("cpu", "cuda"):  # whose convolutions are fastest so
            part.to(memory_format=torch.channels_last)
    copied.to(device)
    if device.type == "cpu":
        replace_modules(copied)
        keep_freed_memory()
    return copied
