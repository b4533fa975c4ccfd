"""IoU losses of boxes, against torchvision's."""

import pytest
import torch
from torchvision.ops import complete_box_iou_loss, generalized_box_iou_loss

from tests.losses.assigners.test_task_aligned import predict, target
from yolact_pl.decoders.point_decoder import PointDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.iou_box import IouBoxLoss, complete_iou, generalized_iou
from yolact_pl.structures import Targets

REFERENCES = {"giou": generalized_box_iou_loss, "ciou": complete_box_iou_loss}


@pytest.mark.parametrize("kind", REFERENCES)
def test_as_by_torchvision(kind: str) -> None:
    predictions = predict(2)
    deltas = predictions.box_deltas.requires_grad_()
    boxes = [[[4.0, 4, 30, 40], [20, 2, 60, 60]], [[1.0, 1, 5, 9]]]
    targets = Targets.join([target(own) for own in boxes])
    image, anchor = torch.tensor([0, 0, 1]), torch.tensor([10, 70, 3])
    objects, weights = torch.tensor([0, 1, 2]), torch.tensor([0.3, 1.0, 0.0])
    inputs = TermInputs(
        predictions,
        targets,
        Assignment(torch.zeros(2, 84), image, anchor, objects, weights, [2, 1]),
        PointDecoder(),
        torch.tensor(1.3),
        torch.tensor(2.0),
        None,
    )
    decoded = PointDecoder().decode(deltas[image, anchor], predictions.anchors[anchor])
    losses = REFERENCES[kind](decoded, targets.boxes)
    wanted = 5 * (weights * losses).sum() / 1.3
    value = IouBoxLoss(5.0, kind=kind)(inputs)
    torch.testing.assert_close(value, wanted)
    given, expected = (torch.autograd.grad(x, deltas, retain_graph=True)[0] for x in (value, wanted))
    torch.testing.assert_close(given, expected)


@pytest.mark.parametrize("kind", REFERENCES)
def test_boxes_without_area_have_finite_gradients(kind: str) -> None:
    boxes = torch.tensor([[5.0, 5, 5, 5], [1, 1, 1, 9]], requires_grad=True)
    similarity = complete_iou if kind == "ciou" else generalized_iou
    similarity(boxes, torch.tensor([[5.0, 5, 5, 5], [0, 0, 4, 4]])).sum().backward()
    assert boxes.grad is not None
    assert boxes.grad.isfinite().all()


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kind='diou'.*ciou, giou"):
        IouBoxLoss(kind="diou")
