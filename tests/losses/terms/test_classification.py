import math

import torch
from torch import Tensor

from yolact_pl.decoders.anchor_decoder import AnchorDecoder
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.term import TermInputs
from yolact_pl.losses.terms.classification import HardNegativeCrossEntropy, SoftmaxFocalLoss
from yolact_pl.structures import Predictions, Targets


def inputs_of(logits: Tensor, labels: Tensor) -> TermInputs:
    """An assignment with such labels [B, A]; the objects do not matter here. The normalisers are 1."""
    image, anchor = (labels > 0).nonzero(as_tuple=True)
    counts = (labels > 0).sum(1).tolist()
    assignment = Assignment(labels, image, anchor, torch.zeros_like(image), torch.ones(len(image)), counts)
    none, one = torch.zeros(0), torch.ones(())
    predictions = Predictions(logits, none, none, none, none, None, (64, 64))
    targets = Targets(none, none, none, None, none, none, [])
    return TermInputs(predictions, targets, assignment, AnchorDecoder(), one, one, None)


def test_hard_negatives_are_the_worst_background_anchors_of_each_image():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 50, 5, generator=generator, requires_grad=True)
    labels = torch.randint(-1, 1, (3, 50), generator=generator)
    labels[0, :4] = torch.tensor([1, 2, 3, 4])
    labels[1, 9] = 2  # image 2 has no positive anchor, so no negative ones either
    expected = torch.zeros(())
    for image in range(3):
        log_scores = logits[image].log_softmax(-1)
        positive = [a for a in range(50) if labels[image, a] > 0]
        background = [-log_scores[a, 0] for a in range(50) if labels[image, a] == 0]
        background.sort(key=Tensor.item, reverse=True)
        expected = expected - sum(log_scores[a, labels[image, a]] for a in positive)
        expected = expected + sum(background[: 3 * len(positive)])
    loss = HardNegativeCrossEntropy()(inputs_of(logits, labels))
    torch.testing.assert_close(loss, expected)
    given, wanted = (torch.autograd.grad(x, logits)[0] for x in (loss, expected))
    torch.testing.assert_close(given, wanted)


def test_hard_negatives_end_where_the_background_ends():
    logits = torch.zeros(1, 6, 3)
    labels = torch.tensor([[1, 2, 1, -1, 0, 0]])  # 9 negatives wanted, 2 are there
    loss = HardNegativeCrossEntropy()(inputs_of(logits, labels))
    torch.testing.assert_close(loss, torch.tensor(5 * math.log(3)))


def test_focal_loss_by_hand():
    # Scores 0.8 and 0.2 of two classes: log(4) apart.
    logits = torch.tensor([[[math.log(4), 0.0]] * 3])
    loss = SoftmaxFocalLoss(alpha=0.25, gamma=2.0)(inputs_of(logits, torch.tensor([[0, 1, -1]])))
    background = 0.75 * 0.2**2 * -math.log(0.8)
    positive = 0.25 * 0.8**2 * -math.log(0.2)
    torch.testing.assert_close(loss, torch.tensor(background + positive))


def test_bfloat16_logits_are_summed_in_float32():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 300, 81, generator=generator).bfloat16()
    labels = torch.randint(-1, 3, (2, 300), generator=generator)
    for classification in (HardNegativeCrossEntropy(), SoftmaxFocalLoss()):
        loss = classification(inputs_of(logits, labels))
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, classification(inputs_of(logits.float(), labels)), rtol=1e-6, atol=0)


def test_without_positive_anchors_the_cross_entropy_is_zero_with_a_gradient():
    logits = torch.randn(2, 9, 4, requires_grad=True)
    loss = HardNegativeCrossEntropy()(inputs_of(logits, torch.zeros(2, 9, dtype=torch.int64)))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_an_image_without_objects_teaches_background_if_asked_to():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 9, 4, generator=generator)
    labels = torch.zeros(2, 9, dtype=torch.int64)
    labels[0, 3], labels[1, 5] = 2, -1  # 3 negatives of image 0 by its positive anchor
    log_scores = logits.log_softmax(-1)
    background = [[-log_scores[b, a, 0] for a in range(9) if labels[b, a] == 0] for b in range(2)]
    hardest = [sorted(own, key=Tensor.item, reverse=True) for own in background]
    for min_negatives, (first, second) in {0: (3, 0), 2: (3, 2), 5: (5, 5), 100: (8, 8)}.items():
        expected = -log_scores[0, 3, 2] + sum(hardest[0][:first]) + sum(hardest[1][:second])
        loss = HardNegativeCrossEntropy(min_negatives=min_negatives)(inputs_of(logits, labels))
        torch.testing.assert_close(loss, expected)
