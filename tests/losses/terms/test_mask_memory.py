"""The mask loss works crop by crop: its memory does not grow with the number of masks."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from yolact_pl.losses.terms.mask import Positives, mask_loss

SIZE, SIDE = 64, 12
K = 8


class PeakBytes(TorchDispatchMode):
    """The most bytes at one time of tensors that operations have returned."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._alive[storage] = storage.nbytes()
        self.peak = max(self.peak, sum(self._alive.values()))
        return result


def make_case(num_objects: int, anchors_each: int = 10) -> tuple[Tensor, Positives, Tensor, Tensor]:
    """Objects of 12 x 12 pixels on two prototype maps of 64 x 64."""
    generator = torch.Generator().manual_seed(0)
    objects = torch.arange(num_objects).repeat_interleave(anchors_each)
    positives = Positives(
        torch.randn(len(objects), K, generator=generator).requires_grad_(),
        (objects >= num_objects // 2).long(),
        objects,
        torch.ones(len(objects)),
    )
    corner = torch.randint(1, SIZE - SIDE - 1, (num_objects, 2), generator=generator).float()
    masks = torch.rand(num_objects, SIZE, SIZE, generator=generator) > 0.5
    prototypes = torch.randn(2, K, SIZE, SIZE, generator=generator).requires_grad_()
    return prototypes, positives, masks, torch.cat((corner, corner + SIDE), dim=1)


def peak_of_mask_loss(num_objects: int) -> int:
    case = make_case(num_objects)
    with PeakBytes() as bytes_:
        mask_loss(*case).backward()
    return bytes_.peak


def test_memory_does_not_grow_with_the_number_of_masks():
    few, many = peak_of_mask_loss(20), peak_of_mask_loss(60)
    added = 400 * K * 4 * 6 + 40 * SIZE**2  # coefficients, in the order given and sorted, and masks of bytes
    assert many - few < added
    assert many < 600 * SIZE**2 * 4 / 5  # a fifth of one float map of all masks


def test_the_counter_sees_whole_masks():
    prototypes, positives, masks, _ = make_case(20)
    with PeakBytes() as bytes_:
        logits = torch.einsum("pk,pkhw->phw", positives.coefficients, prototypes[positives.image])
        F.binary_cross_entropy_with_logits(logits, masks[positives.objects].float()).backward()
    assert bytes_.peak > 200 * SIZE**2 * 4 * K  # the prototypes of every positive anchor
