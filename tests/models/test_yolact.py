from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.fpn import Fpn
from yolact_pl.models.head import PredictionHead
from yolact_pl.models.mask_iou import MaskIouNet
from yolact_pl.models.protonet import ProtoNet
from yolact_pl.models.yolact import Yolact


def small_network(**options: Any) -> Yolact:
    torch.manual_seed(0)
    backbone = ResNet((1, 1, 1, 1), block="basic", deformable=options.pop("deformable", False))
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    return Yolact(backbone, anchors, num_classes=4, channels=16, num_prototypes=6, **options)


def images(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("size", [(96, 96), (64, 160), (100, 75)])
def test_shapes_for_any_size(size: tuple[int, int]) -> None:
    network = small_network()
    predictions = network(images(2, 3, *size))
    cells = 0
    for stride in (8, 16, 32, 64, 128):
        cells += -(-size[0] // stride) * -(-size[1] // stride)
    p3 = (-(-size[0] // 8), -(-size[1] // 8))
    assert predictions.class_logits.shape == (2, cells * 3, 5)
    assert predictions.box_deltas.shape == (2, cells * 3, 4)
    assert predictions.coefficients.shape == (2, cells * 3, 6)
    assert predictions.prototypes.shape == (2, 6, 2 * p3[0], 2 * p3[1])
    assert predictions.anchors.shape == (cells * 3, 4)
    assert predictions.semantic_logits is not None
    assert predictions.semantic_logits.shape == (2, 4, *p3)
    assert predictions.image_size == size
    assert predictions.prototypes.min() >= 0
    assert predictions.coefficients.abs().max() <= 1


def test_semantic_logits_are_for_training_only() -> None:
    network = small_network()
    assert network.eval()(images(1, 3, 64, 64)).semantic_logits is None
    assert small_network(semantic=False)(images(1, 3, 64, 64)).semantic_logits is None


def test_normalises_images_of_any_type() -> None:
    network = small_network().eval()
    batch = images(1, 3, 64, 64)
    seen = []
    network.backbone.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    whole = network(batch)
    as_float = network(batch.float())
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    torch.testing.assert_close(seen[0][0, :, 5, 7], (batch[0, :, 5, 7] - mean) / std)
    torch.testing.assert_close(whole.class_logits, as_float.class_logits)
    assert not {"mean", "std"} & set(network.state_dict())


def test_every_parameter_trains() -> None:
    network = small_network(mask_iou=True, deformable=True)
    predictions = network(images(2, 3, 96, 96))
    assert network.mask_iou is not None
    ious = network.mask_iou(predictions.prototypes[:, :1])
    outputs = (*predictions[:4], predictions.semantic_logits, ious)
    sum((output + 1).square().mean() for output in outputs).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_memory_format_does_not_matter() -> None:
    network = small_network().eval()
    batch = images(2, 3, 96, 64)
    with torch.no_grad():
        plain = network(batch)
        last = network.to(memory_format=torch.channels_last)(
            batch.contiguous(memory_format=torch.channels_last)
        )
    for a, b in zip(plain[:4], last[:4], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_compiles_without_a_graph_break() -> None:
    network = small_network(deformable=True).eval()
    batch = images(2, 3, 96, 64)
    with torch.no_grad():
        expected = network(batch)
        actual = torch.compile(network, backend="eager", fullgraph=True)(batch)
    for a, b in zip(actual[:5], expected[:5], strict=True):
        torch.testing.assert_close(a, b)


def test_pyramid_by_hand() -> None:
    torch.manual_seed(0)
    fpn = Fpn((1, 1, 1), channels=1)
    for conv in fpn.modules():
        if isinstance(conv, nn.Conv2d):
            nn.init.zeros_(conv.weight)
            conv.weight.data[:, :, conv.kernel_size[0] // 2, conv.kernel_size[0] // 2] = 1
            nn.init.zeros_(conv.bias)
    # With identity convolutions each level is its input plus the coarser ones; constants survive upsampling.
    features = [
        torch.full((1, 1, 12, 9), 1.0),
        torch.full((1, 1, 6, 5), 10.0),
        torch.full((1, 1, 3, 3), -100.0),
    ]
    p3, p4, p5, p6, p7 = fpn(features)
    assert p3.unique().tolist() == [0]  # ReLU(1 + 10 - 100)
    assert p4.unique().tolist() == [0]
    assert p5.unique().tolist() == [0]
    features[2] = features[2].abs()
    fpn.downsamples[0].weight.data.neg_()
    p3, p4, p5, p6, p7 = fpn(features)
    assert [p.round().unique().tolist() for p in (p3, p4, p5, p6, p7)] == [
        [111],
        [110],
        [100],
        [-100],
        [-100],
    ]
    assert [tuple(p.shape[-2:]) for p in (p3, p4, p5, p6, p7)] == [(12, 9), (6, 5), (3, 3), (2, 2), (1, 1)]


def test_head_puts_each_anchor_of_a_cell_in_its_row() -> None:
    torch.manual_seed(0)
    head = PredictionHead(8, 3, num_classes=2, num_prototypes=5)
    levels = [torch.randn(2, 8, 4, 3), torch.randn(2, 8, 2, 1)]
    class_logits, box_deltas, coefficients = head(levels)
    row = 0
    for level in levels:
        shared = F.relu(head.shared(level))
        maps = (head.class_logits(shared), head.box_deltas(shared), head.coefficients(shared).tanh())
        for y in range(level.shape[2]):
            for x in range(level.shape[3]):
                for anchor in range(3):
                    for output, values in zip((class_logits, box_deltas, coefficients), maps, strict=True):
                        n = output.shape[-1]
                        expected = values[:, anchor * n : (anchor + 1) * n, y, x]
                        torch.testing.assert_close(output[:, row], expected)
                    row += 1
    assert row == class_logits.shape[1]


def test_protonet_doubles_the_size() -> None:
    prototypes = ProtoNet(8, 4)(torch.randn(2, 8, 5, 7))
    assert prototypes.shape == (2, 4, 10, 14)
    assert prototypes.min() == 0  # a ReLU had something to do


def test_mask_iou_of_small_masks_is_that_of_padded_ones() -> None:
    torch.manual_seed(0)
    network = MaskIouNet(3)
    masks = torch.rand(2, 1, 20, 70)
    padded = F.pad(masks, (0, 0, 0, 43))
    assert network(masks).shape == (2, 3)
    torch.testing.assert_close(network(masks), network(padded))
    assert network(masks[:0]).shape == (0, 3)
