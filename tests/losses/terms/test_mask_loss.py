import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.geometry.masks import crop_windows
from yolact_pl.losses.terms import mask as mask_module
from yolact_pl.losses.terms.mask import (
    Positives,
    limit_positives,
    mask_iou_loss,
    mask_loss,
    terms_by_image,
    terms_by_object,
)

SIZE = (20, 26)


def make_case(seed: int = 0, num_positives: int = 12) -> tuple[Tensor, Positives, Tensor, Tensor]:
    """Two images, five objects (the first three in image 0), float64."""
    generator = torch.Generator().manual_seed(seed)
    h, w = SIZE
    prototypes = torch.randn(2, 4, h, w, generator=generator, dtype=torch.float64, requires_grad=True)
    coefficients = torch.randn(num_positives, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    image = (torch.arange(num_positives) >= num_positives // 2).long()
    objects = torch.randint(3, (num_positives,), generator=generator)
    objects = torch.where(image == 1, 3 + objects % 2, objects)
    weights = torch.rand(num_positives, generator=generator, dtype=torch.float64)
    masks = torch.rand(5, h, w, generator=generator) > 0.5
    corner = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 16 - 2
    size = torch.rand(5, 2, generator=generator, dtype=torch.float64) * 12 + 0.5
    boxes = torch.cat((corner, corner + size), dim=1)
    return prototypes, Positives(coefficients, image, objects, weights), masks, boxes


def crop_slowly(mask: Tensor, box: list[float]) -> Tensor:
    x1, y1, x2, y2 = box
    rows = torch.tensor([y1 - 1 <= y < y2 + 1 for y in range(mask.shape[0])])
    columns = torch.tensor([x1 - 1 <= x < x2 + 1 for x in range(mask.shape[1])])
    return mask * (rows[:, None] & columns)


def mask_loss_slowly(prototypes: Tensor, positives: Positives, masks: Tensor, boxes: Tensor) -> Tensor:
    """Whole masks, cropped after the sigmoid, one anchor after the other."""
    total = prototypes.new_zeros(())
    for coefficients, image, row, weight in zip(*positives, strict=True):
        soft = (coefficients[:, None, None] * prototypes[image]).sum(0).sigmoid()
        x1, y1, x2, y2 = boxes[row].tolist()
        loss = F.binary_cross_entropy(
            crop_slowly(soft, [x1, y1, x2, y2]), masks[row].double(), reduction="sum"
        )
        total = total + weight * loss / ((x2 - x1) * (y2 - y1))
    return total


@pytest.mark.parametrize("seed", range(3))
def test_mask_loss_equals_whole_masks_cropped(seed):
    prototypes, positives, masks, boxes = make_case(seed)
    loss = mask_loss(prototypes, positives, masks, boxes)
    expected = mask_loss_slowly(prototypes, positives, masks, boxes)
    torch.testing.assert_close(loss, expected)
    for leaf in (prototypes, positives.coefficients):
        given, wanted = (torch.autograd.grad(3 * x, leaf, retain_graph=True)[0] for x in (loss, expected))
        torch.testing.assert_close(given, wanted)


def test_masks_with_partly_covered_pixels():
    prototypes, positives, masks, boxes = make_case()
    shares = torch.randint(5, masks.shape, generator=torch.Generator().manual_seed(1)) / 4
    loss = mask_loss(prototypes, positives, shares, boxes)
    torch.testing.assert_close(loss, mask_loss_slowly(prototypes, positives, shares, boxes))
    given = mask_loss(prototypes, positives, masks, boxes)
    torch.testing.assert_close(mask_loss(prototypes, positives, masks.float(), boxes), given)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pixels_at_once", [1, 3 * SIZE[0] * SIZE[1], 1 << 22])
def test_a_gpu_goes_image_by_image_to_the_same_end(seed, pixels_at_once, monkeypatch):
    monkeypatch.setattr(mask_module, "PIXELS_AT_ONCE", pixels_at_once)
    prototypes, positives, masks, boxes = make_case(seed)
    boxes[0] = torch.tensor([100.0, 100, 110, 120])  # outside of the image
    windows = crop_windows(boxes, SIZE).ceil().long()
    positives = positives._replace(coefficients=positives.coefficients.detach() * 50)  # past the limit of 100
    for truth in (masks, torch.randint(5, masks.shape) / 4):
        arguments = (prototypes.detach(), positives, truth, positives.weights, windows)
        torch.testing.assert_close(terms_by_image(*arguments), terms_by_object(*arguments))


def test_mask_loss_of_box_outside_the_image():
    prototypes, positives, masks, boxes = make_case()
    boxes[0] = torch.tensor([100.0, 100, 110, 120])
    loss = mask_loss(prototypes, positives, masks, boxes)
    torch.testing.assert_close(loss, mask_loss_slowly(prototypes, positives, masks, boxes))


def test_no_pixel_costs_more_than_100():
    # One pixel in the crop, one in the mask: 1000 is as wrong as can be, and so is -1000.
    masks = torch.tensor([[[False]], [[True]]])
    boxes = torch.tensor([[0.0, 0, 1, 1]] * 2)
    positives = Positives(
        torch.tensor([[1000.0], [-1000.0]]), torch.tensor([0, 0]), torch.arange(2), torch.ones(2)
    )
    assert mask_loss(torch.ones(1, 1, 1, 1), positives, masks, boxes).item() == pytest.approx(200)


def test_limit_keeps_all_where_few():
    kept, weights = limit_positives([2, 0, 3], max_masks=3)
    assert kept.tolist() == [0, 1, 2, 3, 4]
    assert weights.tolist() == [1] * 5


def test_limit_is_random_an_image_and_keeps_the_total_weight():
    counts = [10, 2, 0, 5]
    image = torch.tensor([0] * 10 + [1] * 2 + [3] * 5)
    chosen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        kept, weights = limit_positives(counts, max_masks=4)
        assert kept.tolist() == sorted(kept.tolist())
        assert torch.bincount(image[kept], minlength=4).tolist() == [4, 2, 0, 4]
        torch.testing.assert_close(
            torch.bincount(image[kept], weights, minlength=4), torch.tensor(counts).float()
        )
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


def test_mask_iou_loss_looks_at_the_class_of_large_objects():
    prototypes, positives, masks, boxes = make_case()
    labels = torch.tensor([5, 0, 3, 1, 2])
    network = LinearIou()
    large = torch.tensor([True, False, True, True, True])
    loss = mask_iou_loss(network, prototypes, positives, masks, boxes, labels, large)
    expected = torch.zeros(())
    for coefficients, image, row, _ in zip(*positives, strict=True):
        if row == 1:
            continue
        logits = (coefficients[:, None, None] * prototypes[image]).sum(0)
        soft = crop_slowly(logits.sigmoid(), boxes[row].tolist())
        binary = soft > 0.5
        iou = (binary & masks[row]).sum() / (binary | masks[row]).sum()
        difference = (soft.mean() * (labels[row] + 1) - iou).abs()
        expected = expected + torch.where(difference < 1, difference**2 / 2, difference - 0.5)
    torch.testing.assert_close(loss, expected.double(), check_dtype=False, rtol=1e-6, atol=0)
    shares = 0.25 + 0.5 * masks  # the IoU is that of pixels covered by more than half
    given = mask_iou_loss(network, prototypes, positives, shares, boxes, labels, large)
    torch.testing.assert_close(given, loss)
    for leaf in (prototypes, positives.coefficients, network.weight):
        assert torch.autograd.grad(loss, leaf, retain_graph=True)[0].abs().sum() > 0


def test_mask_iou_network_has_a_gradient_without_masks():
    prototypes, positives, masks, boxes = make_case()
    network = LinearIou()
    labels = torch.zeros(5, dtype=torch.int64)
    large = torch.zeros(5, dtype=torch.bool)
    loss = mask_iou_loss(network, prototypes, positives, masks, boxes, labels, large)
    loss.backward()
    assert loss.item() == 0
    assert network.weight.grad.item() == 0
