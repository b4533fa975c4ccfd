"""The modern network: shapes, norms, its copy for prediction, and its graphs."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from yolact_pl.decoders.point_decoder import PointDecoder
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.modern.blocks import Tower, build_norm
from yolact_pl.models.modern.yolact_modern import YolactModern
from yolact_pl.structures import Predictions


def tiny(**changes: Any) -> YolactModern:
    """With norms that do something."""
    torch.manual_seed(0)
    deformable = changes.pop("deformable", False)
    backbone = ResNet([1, 1, 1, 1], block="basic", width=8, deformable=deformable)
    options: dict[str, Any] = {"num_classes": 3, "channels": 16, "num_prototypes": 4, **changes}
    network = YolactModern(backbone, **options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
        if isinstance(module, nn.Conv2d):  # the last ones predict nearly nothing at the start
            nn.init.kaiming_normal_(module.weight)
    return network


def images(size: tuple[int, int] = (64, 96), batch: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 3, *size), dtype=torch.uint8)


@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("num_levels", [3, 5])
@pytest.mark.parametrize("size", [(64, 96), (68, 50), (35, 33)])
def test_shapes(stride: int, num_levels: int, size: tuple[int, int]) -> None:
    network = tiny(prototype_stride=stride, num_levels=num_levels, semantic=True)
    found = network(images(size))
    height, width = (math.ceil(side / 8) for side in size)
    levels = [(height, width)]
    for _ in range(num_levels - 1):
        levels.append((math.ceil(levels[-1][0] / 2), math.ceil(levels[-1][1] / 2)))
    a = sum(rows * columns for rows, columns in levels)
    assert found.class_logits.shape == (2, a, 3)
    assert found.box_deltas.shape == (2, a, 4)
    assert found.coefficients.shape == (2, a, 4)
    assert found.anchors.shape == (a, 4)
    assert found.prototypes.shape == (2, 4, height * 8 // stride, width * 8 // stride)
    assert found.semantic_logits is not None
    assert found.semantic_logits.shape == (2, 3, height, width)


def test_anchor_points_are_the_middles_of_cells_in_the_order_of_the_predictions() -> None:
    network = tiny().eval()
    anchors = network(images((64, 96))).anchors
    assert anchors[0].tolist() == [0, 0, 8, 8]
    assert anchors[1].tolist() == [8, 0, 16, 8]
    assert anchors[8 * 12].tolist() == [0, 0, 16, 16]
    assert anchors[-1].tolist() == [64, 32, 96, 64]


def test_a_network_at_its_start_is_sure_of_nothing() -> None:
    backbone = ResNet([1, 1, 1, 1], block="basic", width=8)
    network = YolactModern(backbone, num_classes=3, channels=16).eval()
    with torch.no_grad():
        found = network(images())
    scores = PointDecoder().scores(found.class_logits)
    assert abs(float(scores.mean()) - 0.01) < 0.002


def test_levels_share_convolutions_and_have_norms_of_their_own() -> None:
    tower = Tower(4, 2, num_levels=3, norm="batch", activation="relu").train()
    x = [torch.randn(2, 4, 8, 8) + 3 * level for level in range(3)]
    for level in range(3):
        tower(x[level], level)
    means = [value for name, value in tower.named_buffers() if name.startswith("norms.0.") and "mean" in name]
    assert len(tower.convs) == 2
    assert not torch.allclose(means[0], means[1])
    assert not torch.allclose(means[1], means[2])


@pytest.mark.parametrize("channels", [1, 6, 16, 128, 256])
def test_group_norm_does_not_see_the_batch(channels: int) -> None:
    norm = build_norm("group", channels)
    x = torch.randn(3, channels, 4, 4)
    torch.testing.assert_close(norm(x)[:1], norm(x[:1]))


def test_training_with_one_image_and_group_norm_is_as_prediction() -> None:
    network = tiny(norm="group")
    for module in network.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    one = images(batch=1)
    trained = network(one)
    network.eval()
    torch.testing.assert_close(trained.class_logits, network(one).class_logits)


def test_every_parameter_has_a_gradient() -> None:
    network = tiny(semantic=True)
    found = network(images())
    outputs = (
        found.class_logits,
        found.box_deltas,
        found.coefficients,
        found.prototypes,
        found.semantic_logits,
    )
    torch.stack([x.square().mean() for x in outputs if x is not None]).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "group"},
        {"activation": "relu", "prototype_stride": 4},
        {"deformable": True, "mask_iou": True, "tower_depth": 2, "num_levels": 4},
    ],
)
def test_copy_for_prediction_differs_by_rounding(changes: dict[str, Any]) -> None:
    network = tiny(**changes).eval()
    before = copy.deepcopy(network.state_dict())
    copied = inference_copy(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copied.modules())
    for size in ((64, 96), (70, 50)):
        batch = images(size)
        with torch.inference_mode():
            expected, found = network(batch), copied(batch)
        for name in ("class_logits", "box_deltas", "coefficients", "prototypes", "anchors"):
            given, wanted = getattr(found, name), getattr(expected, name)
            torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("training", [False, True])
def test_is_one_graph(training: bool) -> None:
    torch._dynamo.reset()
    network = tiny().train(training)
    counter = CompileCounter()
    network.compile(backend=counter, fullgraph=True, dynamic=False)
    with torch.set_grad_enabled(training):
        for _ in range(3):
            network(images())
    assert counter.frame_count == 1


def test_can_be_exported() -> None:
    network = tiny().eval()
    batch = images()
    with torch.no_grad():
        program = torch.export.export(network, (batch,), strict=False)
        found, expected = program.module()(batch), network(batch)
    assert isinstance(expected, Predictions)
    torch.testing.assert_close(found.prototypes, expected.prototypes)
    torch.testing.assert_close(found.class_logits, expected.class_logits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "gelu"}, "activation='gelu'"),
        ({"norm": "layer"}, "norm='layer'"),
        ({"prototype_stride": 3}, "prototype_stride=3"),
        ({"num_levels": 2}, "num_levels=2"),
    ],
)
def test_what_there_is_not_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)
