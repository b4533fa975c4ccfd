"""How often the loss makes the host wait for an answer of the device, whatever is on the images.

On a GPU each of them is a pause: the host can't line up work behind it before all earlier work is done. The
CPU answers at once, but the same operations are called.
"""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from yolact_pl.losses.classification import HardNegativeCrossEntropy, SoftmaxFocalLoss
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.structures import Predictions, Target

ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "equal", "is_nonzero")


class HostReads(TorchDispatchMode):
    """Counts operations whose result, or the size of it, the host must know; also those of boolean masks."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        indices = args[1] if name in ("index", "index_put", "index_put_", "_index_put_impl_") else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in indices)
        if by_mask or name.startswith(ASKING):
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def make_predictions(num_images: int) -> Predictions:
    """Random ones for images of 64 x 64 pixels, 3 classes, 8 prototypes of 16 x 16."""
    generator = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    centre = torch.cartesian_prod(torch.arange(4.0, 64, 8), torch.arange(4.0, 64, 8))
    anchors = torch.cat([torch.cat((centre - s / 2, centre + s / 2), dim=1) for s in (12.0, 24.0, 48.0)])
    a = len(anchors)
    return Predictions(
        class_logits=leaf(num_images, a, 4),
        box_deltas=leaf(num_images, a, 4),
        coefficients=leaf(num_images, a, 8),
        prototypes=leaf(num_images, 8, 16, 16),
        anchors=anchors,
        semantic_logits=leaf(num_images, 3, 8, 8),
        image_size=(64, 64),
    )


def make_target(boxes: list[list[float]], crowd: list[bool]) -> Target:
    return Target(
        boxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.arange(len(boxes)) % 3,
        masks=torch.ones(len(boxes), 16, 16, dtype=torch.bool),
        iscrowd=torch.tensor(crowd, dtype=torch.bool),
        image_id=1,
        size=(64, 64),
    )


ONE = make_target([[4.0, 4, 30, 30]], [False])
MANY = make_target(
    [[4.0, 4, 28, 30], [36, 2, 62, 28], [2, 34, 20, 60], [30, 30, 62, 62]], [False, False, True, False]
)
NONE = make_target([], [])


def count_reads(
    loss: YolactLoss, targets: list[Target], mask_iou: nn.Module | None, patch: pytest.MonkeyPatch
) -> Counter[str]:
    predictions = make_predictions(len(targets))
    with HostReads() as reads, patch.context() as inner:
        to_list = torch.Tensor.tolist

        def counted(tensor: Tensor) -> Any:
            reads.counts["tolist"] += 1
            return to_list(tensor)

        inner.setattr(torch.Tensor, "tolist", counted)
        torch.stack(list(loss(predictions, targets, mask_iou).values())).sum().backward()
    return reads.counts


@pytest.mark.parametrize("targets", [[ONE], [MANY, NONE, ONE, MANY, MANY]], ids=["one", "five"])
@pytest.mark.parametrize("classification", [HardNegativeCrossEntropy(), SoftmaxFocalLoss()])
def test_five_reads_a_step(targets, classification, monkeypatch):
    # Lists: which rows are crowd regions, the positive anchors of each image, the windows of the masks.
    # Sizes: objects that must ask for a second anchor, positive anchors.
    counts = count_reads(YolactLoss(classification, max_masks=3), targets, None, monkeypatch)
    assert counts == {"tolist": 3, "nonzero": 2}


def test_two_more_with_a_mask_iou_network(monkeypatch):
    # Large enough masks, and how many of them each image has.
    network = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    counts = count_reads(YolactLoss(HardNegativeCrossEntropy()), [MANY, NONE, ONE], network, monkeypatch)
    assert counts == {"tolist": 4, "nonzero": 3}


def test_the_counter_sees_what_it_must():
    x = torch.arange(4.0, requires_grad=True)
    with HostReads() as reads:
        x[x > 1].sum().backward()
        int(x.sum())
    assert reads.counts == {"index": 1, "index_put": 1, "_local_scalar_dense": 1}
