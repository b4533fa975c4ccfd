import pytest
import torch
import torch.nn.functional as F

from yolact_pl.losses.terms.semantic import semantic_loss


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_semantic_loss_is_the_cross_entropy_of_the_union_of_masks(memory_format):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=memory_format).requires_grad_()
    masks = torch.rand(5, 4, 5, generator=generator) > 0.5
    images, labels = [0, 0, 0, 1, 1], [2, 2, 0, 1, 1]
    truth = torch.zeros(2, 3, 4, 5)
    for mask, image, label in zip(masks, images, labels, strict=True):
        truth[image, label][mask] = 1
    expected = F.binary_cross_entropy_with_logits(logits, truth, reduction="sum") / 20
    loss = semantic_loss(logits, masks, torch.tensor(images), torch.tensor(labels))
    torch.testing.assert_close(loss, expected)
    given, wanted = (torch.autograd.grad(x, logits)[0] for x in (loss, expected))
    torch.testing.assert_close(given, wanted)
    assert given.stride() == logits.stride()  # the network goes on backwards without rearranging it


def test_bfloat16_logits_are_summed_in_float32():
    logits = torch.zeros(1, 2, 30, 30).bfloat16()
    none = torch.zeros(0, dtype=torch.int64)
    loss = semantic_loss(logits, torch.zeros(0, 30, 30, dtype=torch.bool), none, none)
    torch.testing.assert_close(loss, torch.tensor(2.0).log() * 2)
