"""Memory of the mask loss: the masks of one image at a time."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.mask import MaskLoss
from yolact_pl.structures import Predictions, Targets

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


def make_case(num_images: int, masks_each: int = 30) -> tuple[TermInputs, Tensor, Tensor]:
    """Images with 10 objects each; inputs, prototypes and coefficients."""
    generator = torch.Generator().manual_seed(0)
    image = torch.arange(num_images).repeat_interleave(masks_each)
    num_objects = 10 * num_images
    corner = torch.randint(1, SIZE - SIDE - 1, (num_objects, 2), generator=generator).float()
    prototypes = torch.randn(num_images, K, SIZE, SIZE, generator=generator).requires_grad_()
    coefficients = torch.randn(num_images, masks_each, K, generator=generator).requires_grad_()
    none, one = torch.zeros(0), torch.ones(())
    rows = torch.arange(num_objects) // 10
    targets = Targets(
        boxes=torch.cat((corner, corner + SIDE), dim=1),
        labels=torch.zeros_like(rows),
        masks=torch.rand(num_objects, SIZE, SIZE, generator=generator) > 0.5,
        semantic_masks=None,
        iscrowd=rows < 0,
        image=rows,
        image_ids=list(range(num_images)),
    )
    anchor = torch.arange(masks_each).repeat(num_images)
    objects = 10 * image + anchor % 10
    weights = torch.ones(len(image))
    predictions = Predictions(none, none, coefficients, prototypes, none, None, (SIZE, SIZE))
    assignment = Assignment(none, image, anchor, objects, weights, [masks_each] * num_images)
    inputs = TermInputs(predictions, targets, assignment, AnchorDecoder(), one, one, None)
    return inputs, prototypes, coefficients


def peak_of_mask_loss(num_images: int) -> float:
    """In float maps of all masks of an image, without the gradients of the predictions."""
    inputs, prototypes, _ = make_case(num_images)
    with PeakBytes() as bytes_:
        MaskLoss()(inputs).backward()
    return (bytes_.peak - 2 * prototypes.nbytes) / (30 * SIZE**2 * 4)


def test_memory_is_that_of_one_image():
    assert peak_of_mask_loss(12) < peak_of_mask_loss(2) + 3  # crops of all objects, a byte per pixel


def test_the_counter_sees_the_masks_of_every_image():
    _, prototypes, coefficients = make_case(12)
    with PeakBytes() as bytes_:
        logits = torch.einsum("bpk,bkhw->bphw", coefficients, prototypes)
        F.softplus(logits).sum().backward()
    assert bytes_.peak / (30 * SIZE**2 * 4) > 12
