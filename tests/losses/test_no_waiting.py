"""The loss never makes the CPU wait for an answer of the GPU, whatever is on the images.

Each would be a pause: the CPU can't line up work behind it before all earlier work is done.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.utils._python_dispatch import TorchDispatchMode

from tests.fake_gpu import FakeGpu
from tests.model_losses import FOCAL, modern_loss, published_loss
from yolact_pl.losses.assigners.anchor_groups import group_anchors
from yolact_pl.losses.assigners.atss_assigner import AtssAssigner
from yolact_pl.losses.assigners.iou_assigner import IouAssigner
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.structures import Predictions, Target, Targets


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


@pytest.fixture
def gpu() -> Iterator[FakeGpu]:
    with FakeGpu() as gpu:
        yield gpu


def on_gpu(predictions: Predictions, loss: YolactLoss) -> Predictions:
    """The same without numbers; the loss knows the anchors from an earlier step."""
    moved = Predictions(
        *(x.detach().to("cuda", non_blocking=True) if isinstance(x, Tensor) else x for x in predictions)
    )
    assert isinstance(loss.assigner, IouAssigner)
    loss.assigner.groups.remember(moved.anchors, group_anchors(predictions.anchors))
    return moved


class MaskIou(nn.Module):
    """Of 3 classes, with weights on the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, device="cuda"))

    def forward(self, masks: Tensor) -> Tensor:
        return masks.flatten(1).mean(1)[:, None] * self.weight


BATCHES = {"one": [ONE], "none": [NONE], "five": [MANY, NONE, ONE, MANY, MANY]}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("changes", [{}, {"terms.class": FOCAL}], ids=["hard negatives", "focal"])
@pytest.mark.parametrize("mask_iou", [False, True])
def test_the_loss_never_waits(batch, changes, mask_iou, gpu):
    targets = Targets.join(BATCHES[batch])
    loss = published_loss({"terms.mask.max_masks": 3, **changes})
    predictions = on_gpu(make_predictions(len(targets)), loss)
    terms = loss(predictions, targets, MaskIou() if mask_iou else None)
    assert len(terms) == 4 + mask_iou
    assert {term.device.type for term in terms.values()} == {"cuda"}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("assigner", ["task_aligned", "atss"])
def test_the_modern_loss_never_waits(batch, assigner, gpu):
    targets = Targets.join(BATCHES[batch])
    loss = modern_loss({"terms.mask.max_masks": 3, "terms.mask.dice": 1.0}, assigner=assigner)
    given = make_predictions(len(targets))
    predictions = Predictions(
        *(x.detach().to("cuda", non_blocking=True) if isinstance(x, Tensor) else x for x in given)
    )
    if isinstance(loss.assigner, AtssAssigner):  # which knows the anchors from an earlier step
        loss.assigner.on_cpu.remember(predictions.anchors, given.anchors)
    terms = loss(predictions, targets)
    assert {term.device.type for term in terms.values()} == {"cuda"}


@pytest.mark.parametrize(
    "other",
    [
        {"masks": torch.ones(4, 64, 64, dtype=torch.bool)},
        {"masks": torch.rand(4, 16, 16), "semantic_masks": torch.ones(4, 8, 8, dtype=torch.bool)},
    ],
    ids=["large", "soft"],
)
def test_masks_of_another_size_or_type_do_not_make_it_wait(other, gpu):
    loss = published_loss()
    terms = loss(on_gpu(make_predictions(1), loss), Targets.join([{**MANY, **other}]))
    assert terms["semantic"].device.type == "cuda"


@pytest.mark.parametrize(
    ("waiting", "error"),
    [
        (lambda x: x.sum().item(), DataDependentOutputException),
        (lambda x: bool(x.sum() > 0), DataDependentOutputException),
        (lambda x: x[x > 0], DynamicOutputShapeException),
        (lambda x: x.nonzero(), DynamicOutputShapeException),
        (lambda x: x + torch.ones(3), RuntimeError),
        (lambda x: x.cpu(), AssertionError),
        (lambda x: x.new_tensor([1.0, 2]), AssertionError),
        (lambda x: torch.tensor([1.0, 2], device=x.device), AssertionError),
        (lambda x: torch.ones(3).to(x.device), AssertionError),
    ],
)
def test_the_fake_gpu_refuses_what_would_wait(waiting, error, gpu):
    x = torch.zeros(3, device="cuda")
    with pytest.raises(error):
        waiting(x)


class Asked(TorchDispatchMode):
    """Names of the operations whose result, or the size of it, the CPU must know."""

    ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        indices = args[1] if name in ("index", "index_put", "index_put_", "_index_put_impl_") else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in indices)
        if by_mask or name.startswith(self.ASKING):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("make_loss", [published_loss, modern_loss])
def test_backward_never_waits(make_loss):
    network = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    terms = make_loss()(make_predictions(3), Targets.join([MANY, NONE, ONE]), network)
    total = torch.stack(list(terms.values())).sum()
    with Asked() as asked:  # no fake GPU can go backwards: the same operations on the CPU
        total.backward()
    assert asked.names == []
    x = torch.arange(4.0, requires_grad=True)
    with Asked() as asked:
        x[x > 1].sum().backward()
        int(x.sum())
    assert asked.names == ["index", "index_put", "_local_scalar_dense"]
