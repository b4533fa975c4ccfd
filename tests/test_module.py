"""What the LightningModule does besides what whole runs show."""

from typing import Any

import torch
from torch import nn

from tests.fake_gpu import FakeGpu
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.resnet import ResNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.module import YolactModule
from yolact_pl.schedule import Schedule


def make_module() -> YolactModule:
    backbone = ResNet([1, 1, 1, 1], block="basic", deformable=True)
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2])
    network = Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=4, mask_iou=True)
    description: Any = {}
    postprocess: Any = nn.Identity()
    schedule = Schedule(torch.optim.SGD, lr=1e-3, max_steps=10, milestones=[])
    return YolactModule(
        network, nn.Identity(), postprocess, schedule, description=description, freeze_bn=True
    )


def test_the_network_never_waits_for_the_gpu() -> None:
    network = make_module().network
    sizes = [(-(-64 // stride), -(-96 // stride)) for stride in (8, 16, 32, 64, 128)]
    with FakeGpu():
        network.to("cuda", non_blocking=True)
        device = next(network.parameters()).device
        # Of every image size the anchors are worked out once.
        network.anchors._cache[(tuple(sizes), (64, 96), device)] = torch.zeros(1, 4, device="cuda")
        for training in (True, False):
            predictions = network.train(training)(torch.zeros(2, 3, 64, 96, dtype=torch.uint8, device="cuda"))
            assert predictions.prototypes.device == device
            assert predictions.prototypes.shape == (2, 4, 16, 24)
