"""Small networks of all kinds, as if they were trained."""

from typing import Any

import torch
from torch import Tensor, nn

from yolact_pl.decoders.point_decoder import PointDecoder
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.modern.yolact_modern import YolactModern
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.yolact import Yolact

SIZE = (64, 96)


def published(*, plus: bool = False) -> YolactNetwork:
    torch.manual_seed(0)
    anchors = Anchors([12, 24, 48, 96, 192], [1, 0.5, 2], octaves=2 if plus else 1, square=not plus)
    backbone = ResNet([1, 1, 1, 1], block="basic", width=8, deformable=plus)
    return perturbed(Yolact(backbone, anchors, num_classes=3, channels=16, num_prototypes=8, mask_iou=plus))


def modern() -> YolactNetwork:
    torch.manual_seed(0)
    backbone = ResNet([1, 1, 1, 1], block="basic", width=8)
    return perturbed(YolactModern(backbone, num_classes=3, channels=16, num_prototypes=8))


def perturbed(network: YolactNetwork) -> YolactNetwork:
    """Weights and statistics as if it were trained, so that scores and offsets are spread."""
    draw = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        std = {"class_logits": 0.02, "conv_offset_mask": 0.1}.get(name.split(".")[-2], 0.05)
        parameter.data += torch.randn(parameter.shape, generator=draw) * std
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=draw)
            module.running_var.uniform_(0.5, 2, generator=draw)
    return network.eval()


def images(count: int = 2, size: tuple[int, int] = SIZE) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, *size, 3), generator=draw, dtype=torch.uint8)


NETWORKS: dict[str, tuple[YolactNetwork, dict[str, Any]]] = {
    "yolact": (published(), {"nms": "fast"}),
    "yolact_cross_class": (published(), {"nms": "cross_class", "max_detections": 200}),
    "yolact_plus": (published(plus=True), {"nms": "fast"}),
    "yolact_modern": (
        modern(),
        {
            "decoder": PointDecoder(),
            "nms": "exact",
            "iou_threshold": 0.65,
            "score_threshold": 0.001,
            "max_candidates": 1000,
            "mask_confidence": True,
        },
    ),
}
"""With the arguments of the postprocess."""
