from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.model_losses import FOCAL, published_loss
from tests.parity.weights import fill
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.structures import Predictions, Target, Targets


class RecordedMaskIou(nn.Module):
    """The published mask IoU network with the recorded parameters."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        channels = [1, 8, 16, 32, 64, 128]
        self.convs = nn.ModuleList([nn.Conv2d(i, o, 3, stride=2) for i, o in pairwise(channels)])
        self.convs.append(nn.Conv2d(128, num_classes, 1))
        self.published_names = {}
        for index, conv in enumerate(self.convs):
            for name, parameter in conv.named_parameters():
                published = f"maskiou_net.maskiou_net.{2 * index}.{name}"
                parameter.data = torch.from_numpy(fill(published, parameter.shape))
                self.published_names[published] = parameter

    def forward(self, masks: Tensor) -> Tensor:
        self.inputs = masks.detach()
        for conv in self.convs:
            masks = F.relu(conv(masks))
        self.outputs = masks.flatten(2).amax(2)
        return self.outputs


@pytest.mark.parametrize("name", ["base_a", "single_a", "focal_a", "cap_a", "spill_a", "plus_a"])
def test_terms_and_gradients_equal_the_published(load_case, name):
    case = load_case(name)
    z = case.arrays
    network = RecordedMaskIou(int(z["num_classes"]) - 1) if name == "plus_a" else None
    loss = case.loss(**{"terms.class": FOCAL} if name == "focal_a" else {})
    terms = loss(case.predictions, case.targets, network)
    assert {key: term.item() for key, term in terms.items()} == pytest.approx(case.expected_terms(), rel=1e-5)
    torch.stack(list(terms.values())).sum().backward()
    for key, gradient in case.gradients().items():
        if f"grad_{key}_rowsum" in z:
            given, wanted = gradient.sum(1), z[f"grad_{key}_rowsum"]
        else:
            given, wanted = (
                gradient.flatten()[torch.from_numpy(z[f"grad_{key}_idx"]).long()],
                z[f"grad_{key}_sample"],
            )
        np.testing.assert_allclose(given.numpy(), wanted, rtol=1e-4, atol=1e-6, err_msg=key)
        statistics = [
            gradient.double().mean(),
            gradient.double().abs().mean(),
            gradient.double().std(correction=0),
        ]
        np.testing.assert_allclose(statistics, z[f"grad_{key}_stats"], rtol=1e-4, atol=1e-6, err_msg=key)
    if network is not None:
        # Recorded are the masks that count: those of objects of more than 25 prototype pixels.
        area = resize_masks(case.targets.masks, network.inputs.shape[2:]).flatten(1).sum(1)
        assignment = loss.assigner(case.predictions, case.targets)
        counted = area[assignment.objects] > 25
        assert list(network.inputs[counted].shape) == z["maskiou_input_shape"].tolist()
        sums = network.inputs[counted].double().sum((1, 2, 3))
        np.testing.assert_allclose(sums.numpy(), z["maskiou_input_sum"], rtol=1e-5)
        predicted = network.outputs.detach()[counted][range(len(sums)), z["maskiou_label"]]
        np.testing.assert_allclose(predicted.numpy(), z["maskiou_pred"], atol=1e-5)
        for key, parameter in network.published_names.items():
            g = parameter.grad.double()
            statistics = [g.mean(), g.abs().mean(), g.std(correction=0)]
            np.testing.assert_allclose(
                statistics, z[f"grad_param_{key}_stats"], rtol=1e-4, atol=1e-6, err_msg=key
            )


def test_focal_loss_on_the_data_of_the_base_case(load_case):
    case = load_case("base_a")
    z = case.arrays
    loss = case.loss(**{"terms.class": FOCAL})(case.predictions, case.targets)["class"]
    assert loss.item() == pytest.approx(float(z["variant_focal_softmax_C"]), rel=1e-5)
    loss.backward()
    gradient = case.predictions.class_logits.grad[:, z["variant_rows"]].numpy()
    np.testing.assert_allclose(gradient, z["variant_focal_softmax_grad_conf"], rtol=1e-4, atol=1e-6)


def make_predictions(num_images: int, seed: int = 0) -> Predictions:
    """Random ones for images of 64 x 96 pixels, 3 classes, 8 prototypes of 16 x 24."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    centre = torch.cartesian_prod(torch.arange(4.0, 96, 8), torch.arange(4.0, 64, 8))
    anchors = torch.cat([torch.cat((centre - s / 2, centre + s / 2), dim=1) for s in (12.0, 24.0, 48.0)])
    return Predictions(
        class_logits=leaf(num_images, len(anchors), 4),
        box_deltas=leaf(num_images, len(anchors), 4),
        coefficients=leaf(num_images, len(anchors), 8),
        prototypes=leaf(num_images, 8, 16, 24),
        anchors=anchors,
        semantic_logits=leaf(num_images, 3, 8, 12),
        image_size=(64, 96),
    )


def make_target(*boxes: list[float], crowd: list[bool] | None = None) -> Target:
    """Objects that fill their boxes but for the left quarter of the image."""
    corners = torch.tensor(boxes).reshape(-1, 4)
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(96) + 0.5, indexing="ij")
    x1, y1, x2, y2 = corners.T[:, :, None, None]
    return Target(
        boxes=corners,
        labels=torch.arange(len(boxes)) % 3,
        masks=(x > x1) & (x < x2) & (y > y1) & (y < y2) & (x > 24),
        iscrowd=torch.tensor(crowd or [False] * len(boxes), dtype=torch.bool),
        image_id=1,
        size=(64, 96),
    )


def check_finite(terms: dict[str, Tensor], predictions: Predictions) -> None:
    assert set(terms) >= {"box", "class", "mask", "semantic"}
    torch.stack(list(terms.values())).sum().backward()
    for term in terms.values():
        assert torch.isfinite(term)
    for name, value in predictions._asdict().items():
        if isinstance(value, Tensor) and value.requires_grad:
            assert value.grad is not None, name
            assert torch.isfinite(value.grad).all(), name


class SmallMaskIou(nn.Sequential):
    """A mask IoU network for small masks and 3 classes."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(1, 3, 3, stride=2), nn.AdaptiveMaxPool2d(1), nn.Flatten())


EMPTY = make_target()
OBJECTS = make_target([10, 10, 60, 50], [50, 20, 90, 62])
CROWDS = make_target([0, 0, 60, 60], crowd=[True])
NO_MASK = make_target([2, 2, 20, 20])  # all of it in the quarter without mask pixels


@pytest.mark.parametrize("targets", [[EMPTY, OBJECTS], [EMPTY, EMPTY], [CROWDS, CROWDS], [NO_MASK, EMPTY]])
@pytest.mark.parametrize("changes", [{}, {"terms.class": FOCAL}], ids=["hard negatives", "focal"])
def test_loss_and_gradients_are_finite_without_objects_or_pixels(targets, changes):
    predictions = make_predictions(2)
    network = SmallMaskIou()
    terms = published_loss(changes)(predictions, Targets.join(targets), network)
    check_finite(terms, predictions)
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_images_without_objects_leave_only_the_semantic_term():
    predictions = make_predictions(2)
    terms = published_loss()(predictions, Targets.join([EMPTY, CROWDS]))
    assert terms["box"].item() == terms["class"].item() == terms["mask"].item() == 0
    expected = (
        F.softplus(predictions.semantic_logits).sum() / (8 * 12) / 2
    )  # nothing is there: all truth is 0
    torch.testing.assert_close(terms["semantic"], expected)


def test_crowd_regions_may_stand_anywhere():
    predictions = make_predictions(1)
    loss = published_loss()
    target = make_target([10, 10, 60, 50], [50, 20, 90, 62], [30, 0, 96, 40], crowd=[False, False, True])
    order = [2, 1, 0]
    turned = target.copy()
    for key in ("boxes", "labels", "masks", "iscrowd"):
        turned[key] = target[key][order]
    first, second = (loss(predictions, Targets.join([one])) for one in (target, turned))
    for name, term in first.items():
        torch.testing.assert_close(term, second[name])


def test_masks_at_the_prototypes_resolution_give_the_same_loss():
    predictions = make_predictions(1)
    loss = published_loss()
    small = OBJECTS.copy()
    small["masks"] = resize_masks(OBJECTS["masks"], (16, 24))
    small["semantic_masks"] = resize_masks(OBJECTS["masks"], (8, 12))
    first, second = (loss(predictions, Targets.join([one])) for one in (OBJECTS, small))
    assert {name: term.item() for name, term in first.items()} == {
        name: term.item() for name, term in second.items()
    }


def test_masks_with_partly_covered_pixels_are_learned_as_they_are():
    predictions, target = make_predictions(1), make_target([4.0, 4, 40, 44])
    size = predictions.prototypes.shape[-2:]
    shares = torch.full((1, size[0], size[1]), 0.5)
    terms = {
        name: published_loss()(predictions, Targets.join([{**target, "masks": masks}]))["mask"]
        for name, masks in [("shares", shares), ("none", shares > 0.5), ("all", shares > 0.1)]
    }
    # Cross-entropy is linear in the truth (the crop holds all that is not 0, up to its 1 pixel of padding).
    assert terms["shares"].item() == pytest.approx((terms["none"] + terms["all"]).item() / 2, rel=1e-5)
    assert terms["shares"].item() != pytest.approx(terms["none"].item(), rel=1e-3)


@pytest.mark.parametrize("name", ["box", "class", "mask", "semantic", "mask_iou"])
def test_terms_are_weighted(name):
    predictions, targets, network = make_predictions(1), Targets.join([OBJECTS]), SmallMaskIou()
    weights = [published_loss().terms[name].weight, 3.0]
    plain, weighted = (
        published_loss({f"terms.{name}.weight": weight})(predictions, targets, network) for weight in weights
    )
    assert plain[name].item() > 0
    for key, value in plain.items():
        factor = weights[1] / weights[0] if key == name else 1
        assert weighted[key].item() == pytest.approx(factor * value.item(), rel=1e-6)


def test_empty_slots_of_an_assignment_do_not_count():
    """An assigner may give each object as many slots, and fill those left over with any anchor."""
    predictions, targets, network = make_predictions(2), Targets.join([OBJECTS, EMPTY]), SmallMaskIou()
    loss = published_loss({"terms.class.negatives_per_positive": 0})
    expected = loss(predictions, targets, network)
    plain = loss.assigner(predictions, targets)

    def with_empty_slots(*_: object) -> Assignment:
        return Assignment(
            labels=plain.labels,
            image=torch.cat((torch.zeros(3, dtype=torch.int64), plain.image)),
            anchor=torch.cat((torch.tensor([5, 0, 7]), plain.anchor)),
            objects=torch.cat((torch.tensor([0, 1, 1]), plain.objects)),
            weights=torch.cat((torch.zeros(3), plain.weights)),
            counts=[plain.counts[0] + 3, 0],
        )

    loss.assigner = with_empty_slots
    for name, term in loss(predictions, targets, network).items():
        torch.testing.assert_close(term, expected[name])


def test_masks_of_25_pixels_are_too_small_for_the_mask_iou_network():
    predictions = make_predictions(1)
    found = []
    for pixels in (25, 26):
        masks = torch.zeros(1, 16 * 24, dtype=torch.bool)
        masks[:, :pixels] = True
        target = {**make_target([10, 10, 60, 50]), "masks": masks.view(1, 16, 24)}
        terms = published_loss()(predictions, Targets.join([target]), SmallMaskIou())
        found.append(terms["mask_iou"].item() > 0)
    assert found == [False, True]


def test_half_precision_is_computed_in_float32():
    predictions = make_predictions(2)
    halved = predictions._replace(
        **{
            name: value.detach().bfloat16().requires_grad_()
            for name, value in predictions._asdict().items()
            if isinstance(value, Tensor) and name != "anchors"
        }
    )
    exact = halved._replace(
        **{
            name: value.detach().float().requires_grad_()
            for name, value in halved._asdict().items()
            if isinstance(value, Tensor) and name != "anchors"
        }
    )
    network = SmallMaskIou()
    loss = published_loss()
    expected = loss(exact, Targets.join([OBJECTS, EMPTY]), network)
    with torch.autocast("cpu", torch.bfloat16):
        given = loss(halved, Targets.join([OBJECTS, EMPTY]), network)
    for name, term in given.items():
        assert term.dtype == torch.float32
        torch.testing.assert_close(term, expected[name], rtol=1e-6, atol=0)
    check_finite(given, halved)


def test_without_semantic_branch_there_is_no_semantic_term():
    predictions = make_predictions(1)._replace(semantic_logits=None)
    assert set(published_loss()(predictions, Targets.join([OBJECTS]))) == {"box", "class", "mask"}
