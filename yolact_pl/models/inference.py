"""The network as it predicts fastest."""

import copy

import torch

from yolact_pl.models.fusing import fuse_batch_norm
from yolact_pl.models.packed_conv import pack_convolutions
from yolact_pl.models.yolact import Yolact


def inference_copy(network: Yolact) -> Yolact:
    """A copy for prediction only, on the device of the network: its numbers differ by rounding alone.

    Batch norm becomes part of the convolutions, memory has channels last, and on the CPU the convolutions
    keep their weights packed. The network itself stays as it is and can be trained on.
    """
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    copied.semantic = None  # which only training uses
    fuse_batch_norm(copied)
    copied.to(memory_format=torch.channels_last)
    if copied.mean.is_cpu:
        pack_convolutions(copied)
    return copied
