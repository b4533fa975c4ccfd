import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.mask import MaskLoss
from yolact_pl.losses.terms.mask_iou import MaskIouLoss
from yolact_pl.losses.terms.mask_samples import limit_masks
from yolact_pl.structures import Predictions, Targets

SIZE = (20, 26)


def make_inputs(seed: int = 0, num_positives: int = 12, mask_iou: nn.Module | None = None) -> TermInputs:
    """Two images, five objects (the first three in image 0), float64; an image pixel is a prototype pixel."""
    generator = torch.Generator().manual_seed(seed)
    h, w = SIZE
    prototypes = torch.randn(2, 4, h, w, generator=generator, dtype=torch.float64, requires_grad=True)
    coefficients = torch.randn(2, num_positives, 4, generator=generator, dtype=torch.float64).requires_grad_()
    image = (torch.arange(num_positives) >= num_positives // 2).long()
    objects = torch.randint(3, (num_positives,), generator=generator)
    objects = torch.where(image == 1, 3 + objects % 2, objects)
    weights = torch.rand(num_positives, generator=generator, dtype=torch.float64)
    corner = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 16 - 2
    size = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 12 + 0.5
    none, one = torch.zeros(0), torch.ones(())
    targets = Targets(
        boxes=torch.cat((corner, corner + size), dim=1),
        labels=torch.tensor([5, 0, 3, 1, 2]),
        masks=torch.rand(5, h, w, generator=generator) > 0.5,
        semantic_masks=None,
        iscrowd=torch.zeros(5, dtype=torch.bool),
        image=torch.tensor([0, 0, 0, 1, 1]),
        image_ids=[1, 2],
    )
    counts = image.bincount(minlength=2).tolist()
    anchor = torch.arange(num_positives)
    return TermInputs(
        predictions=Predictions(none, none, coefficients, prototypes, none, None, SIZE),
        targets=targets,
        assignment=Assignment(none, image, anchor, objects, weights, counts),
        decoder=AnchorDecoder(),
        num_positives=one,
        num_images=one,
        mask_iou=mask_iou,
    )


def with_targets(inputs: TermInputs, **changes: Tensor) -> TermInputs:
    return inputs._replace(targets=dataclasses.replace(inputs.targets, **changes))


def crop_slowly(mask: Tensor, box: list[float]) -> Tensor:
    x1, y1, x2, y2 = box
    rows = torch.tensor([y1 - 1 <= y < y2 + 1 for y in range(mask.shape[0])])
    columns = torch.tensor([x1 - 1 <= x < x2 + 1 for x in range(mask.shape[1])])
    return mask * (rows[:, None] & columns)


def slots(inputs: TermInputs) -> list[tuple[Tensor, int, float]]:
    """Of each slot the logits [h, w], the row of its object and its weight."""
    predictions, assignment = inputs.predictions, inputs.assignment
    coefficients = predictions.coefficients[assignment.image, assignment.anchor]
    prototypes = predictions.prototypes[assignment.image]
    logits = (coefficients[:, :, None, None] * prototypes).sum(1)
    return list(zip(logits, assignment.objects.tolist(), assignment.weights.tolist(), strict=True))


def mask_loss_slowly(inputs: TermInputs, dice: float = 0.0) -> Tensor:
    """Whole masks, cropped after the sigmoid, one slot after the other."""
    total = torch.zeros((), dtype=torch.float64)
    for logits, row, weight in slots(inputs):
        x1, y1, x2, y2 = inputs.targets.boxes[row].tolist()
        soft = crop_slowly(logits.sigmoid(), [x1, y1, x2, y2])
        loss = F.binary_cross_entropy(soft, inputs.targets.masks[row].double(), reduction="sum")
        truth = crop_slowly(inputs.targets.masks[row].double(), [x1, y1, x2, y2])
        coefficient = (2 * (soft * truth).sum() + 1) / ((soft**2).sum() + (truth**2).sum() + 1)
        total = total + weight * (loss / ((x2 - x1) * (y2 - y1)) + dice * (1 - coefficient))
    return total


def leaves(inputs: TermInputs) -> tuple[Tensor, Tensor]:
    return inputs.predictions.prototypes, inputs.predictions.coefficients


@pytest.mark.parametrize("seed", range(3))
def test_mask_loss_equals_whole_masks_cropped(seed):
    inputs = make_inputs(seed)
    loss, expected = MaskLoss(weight=3.0)(inputs), 3 * mask_loss_slowly(inputs)
    torch.testing.assert_close(loss, expected)
    for leaf in leaves(inputs):
        given, wanted = (torch.autograd.grad(x, leaf, retain_graph=True)[0] for x in (loss, expected))
        torch.testing.assert_close(given, wanted)


def test_dice_is_of_the_cropped_masks():
    inputs = make_inputs()
    loss, expected = MaskLoss(weight=3.0, dice=0.5)(inputs), 3 * mask_loss_slowly(inputs, dice=0.5)
    torch.testing.assert_close(loss, expected)
    for leaf in leaves(inputs):
        given, wanted = (torch.autograd.grad(x, leaf, retain_graph=True)[0] for x in (loss, expected))
        torch.testing.assert_close(given, wanted)


def test_masks_with_partly_covered_pixels():
    inputs = make_inputs()
    shares = torch.randint(5, inputs.targets.masks.shape, generator=torch.Generator().manual_seed(1)) / 4
    soft = with_targets(inputs, masks=shares)
    torch.testing.assert_close(MaskLoss(weight=1.0)(soft), mask_loss_slowly(soft))


def test_mask_loss_of_box_outside_the_image():
    inputs = make_inputs()
    boxes = inputs.targets.boxes.clone()
    boxes[0] = torch.tensor([100.0, 100, 110, 120])
    inputs = with_targets(inputs, boxes=boxes)
    torch.testing.assert_close(MaskLoss(weight=1.0)(inputs), mask_loss_slowly(inputs))


def test_large_logits_give_finite_gradients():
    inputs = make_inputs()
    prototypes, coefficients = ((1e3 * leaf).detach().float().requires_grad_() for leaf in leaves(inputs))
    predictions = inputs.predictions._replace(prototypes=prototypes, coefficients=coefficients)
    loss = MaskLoss()(inputs._replace(predictions=predictions))
    loss.backward()
    assert all(x is not None and x.isfinite().all() for x in (loss, prototypes.grad, coefficients.grad))


def test_limit_keeps_all_where_few():
    kept, shares, counts = limit_masks([2, 0, 3], max_masks=3)
    assert kept.tolist() == [0, 1, 2, 3, 4]
    assert shares.tolist() == [1] * 5
    assert counts == [2, 0, 3]


def test_limit_is_random_per_image_and_keeps_the_total_weight():
    counts = [10, 2, 0, 5]
    image = torch.tensor([0] * 10 + [1] * 2 + [3] * 5)
    chosen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        kept, shares, kept_counts = limit_masks(counts, max_masks=4)
        assert kept.tolist() == sorted(kept.tolist())
        assert torch.bincount(image[kept], minlength=4).tolist() == kept_counts == [4, 2, 0, 4]
        totals = torch.bincount(image[kept], shares, minlength=4)
        torch.testing.assert_close(totals, torch.tensor(counts).float())
        chosen |= set(kept.tolist())
    assert chosen == set(range(17))


class LinearIou(nn.Module):
    """Predicts for class c the mask's mean times c + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, masks: Tensor) -> Tensor:
        mean = masks.flatten(1).mean(1)
        return self.weight * mean[:, None] * torch.arange(1, 7)


def test_mask_iou_loss_is_about_the_class_of_large_objects():
    network = LinearIou()
    inputs = make_inputs(mask_iou=network)
    masks, labels = inputs.targets.masks.clone(), inputs.targets.labels
    masks[1] = False
    masks[1, :5, :5] = True  # 25 pixels: too small
    inputs = with_targets(inputs, masks=masks)
    expected = torch.zeros((), dtype=torch.float64)
    for logits, row, _ in slots(inputs):
        if row == 1:
            continue
        soft = crop_slowly(logits.sigmoid(), inputs.targets.boxes[row].tolist())
        binary = soft > 0.5
        iou = (binary & masks[row]).sum() / (binary | masks[row]).sum()
        difference = (soft.mean() * (labels[row] + 1) - iou).abs()
        expected = expected + torch.where(difference < 1, difference**2 / 2, difference - 0.5)
    loss = MaskIouLoss(weight=1.0, min_area=25)(inputs)
    assert loss is not None
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    shares = 0.25 + 0.5 * masks  # the IoU is that of pixels covered by more than half
    torch.testing.assert_close(MaskIouLoss(weight=1.0, min_area=25)(with_targets(inputs, masks=shares)), loss)
    for leaf in (*leaves(inputs), network.weight):
        assert torch.autograd.grad(loss, leaf, retain_graph=True)[0].abs().sum() > 0


def test_mask_iou_network_has_a_gradient_without_masks():
    network = LinearIou()
    loss = MaskIouLoss()(make_inputs(num_positives=0, mask_iou=network))
    assert loss is not None
    loss.backward()
    assert loss.item() == 0
    assert network.weight.grad is not None
    assert network.weight.grad.item() == 0
