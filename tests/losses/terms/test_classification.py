import math

import torch
from torch import Tensor

from yolact_pl.losses.assigners.iou_matching import Matches
from yolact_pl.losses.terms.classification import HardNegativeCrossEntropy, SoftmaxFocalLoss


def matches_of(labels: Tensor) -> Matches:
    """Matches with such labels [B, A]; which objects it is does not matter here."""
    image, anchor = (labels > 0).nonzero(as_tuple=True)
    return Matches(labels, image, anchor, torch.zeros_like(image), (labels > 0).sum(1).tolist())


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
    loss = HardNegativeCrossEntropy()(logits, matches_of(labels))
    torch.testing.assert_close(loss, expected)
    given, wanted = (torch.autograd.grad(x, logits)[0] for x in (loss, expected))
    torch.testing.assert_close(given, wanted)


def test_hard_negatives_end_where_the_background_ends():
    logits = torch.zeros(1, 6, 3)
    labels = torch.tensor([[1, 2, 1, -1, 0, 0]])  # 9 negatives wanted, 2 are there
    loss = HardNegativeCrossEntropy()(logits, matches_of(labels))
    torch.testing.assert_close(loss, torch.tensor(5 * math.log(3)))


def test_focal_loss_by_hand():
    # Scores 0.8 and 0.2 of two classes: log(4) apart.
    logits = torch.tensor([[[math.log(4), 0.0]] * 3])
    loss = SoftmaxFocalLoss(alpha=0.25, gamma=2.0)(logits, matches_of(torch.tensor([[0, 1, -1]])))
    background = 0.75 * 0.2**2 * -math.log(0.8)
    positive = 0.25 * 0.8**2 * -math.log(0.2)
    torch.testing.assert_close(loss, torch.tensor(background + positive))


def test_bfloat16_logits_are_summed_in_float32():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 300, 81, generator=generator).bfloat16()
    matches = matches_of(torch.randint(-1, 3, (2, 300), generator=generator))
    for classification in (HardNegativeCrossEntropy(), SoftmaxFocalLoss()):
        loss = classification(logits, matches)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, classification(logits.float(), matches), rtol=1e-6, atol=0)


def test_without_positive_anchors_the_cross_entropy_is_zero_with_a_gradient():
    logits = torch.randn(2, 9, 4, requires_grad=True)
    loss = HardNegativeCrossEntropy()(logits, matches_of(torch.zeros(2, 9, dtype=torch.int64)))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
