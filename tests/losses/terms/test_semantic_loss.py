import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.semantic import SemanticLoss
from yolact_pl.structures import Predictions, Targets


def inputs_of(logits: Tensor, masks: Tensor, places: list[tuple[int, int, bool]]) -> TermInputs:
    """Masks with image, label and crowd of each; normalisers are 1, and nothing else matters."""
    none, one = torch.zeros(0), torch.ones(())
    image, labels, crowd = torch.tensor(places, dtype=torch.int64).view(-1, 3).unbind(1)
    targets = Targets(none, labels, masks, masks, crowd.bool(), image, [1] * len(logits))
    predictions = Predictions(none, none, none, none, none, logits, (64, 64))
    assignment = Assignment(none, none, none, none, none, [])
    return TermInputs(predictions, targets, assignment, AnchorDecoder(), one, one, None)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_semantic_loss_is_the_cross_entropy_of_the_union_of_masks(memory_format):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=memory_format).requires_grad_()
    masks = torch.rand(6, 4, 5, generator=generator) > 0.5
    places = [(0, 2, False), (0, 2, False), (0, 0, False), (0, 1, True), (1, 1, False), (1, 1, False)]
    truth = torch.zeros(2, 3, 4, 5)
    for mask, (image, label, crowd) in zip(masks, places, strict=True):
        if not crowd:
            truth[image, label][mask] = 1
    expected = 2 * F.binary_cross_entropy_with_logits(logits, truth, reduction="sum") / 20
    loss = SemanticLoss(weight=2.0)(inputs_of(logits, masks, places))
    torch.testing.assert_close(loss, expected)
    given, wanted = (torch.autograd.grad(x, logits)[0] for x in (loss, expected))
    torch.testing.assert_close(given, wanted)
    assert given.stride() == logits.stride()  # the network continues backward without rearranging it


def test_bfloat16_logits_are_summed_in_float32():
    logits = torch.zeros(1, 2, 30, 30).bfloat16()
    loss = SemanticLoss()(inputs_of(logits, torch.zeros(0, 30, 30, dtype=torch.bool), []))
    torch.testing.assert_close(loss, torch.tensor(2.0).log() * 2)
