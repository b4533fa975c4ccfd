"""The network at 550 px, one image: the published formulation beside this project's.

    python benchmarks/network.py [--networks r50 r101] [--repeats 5] [--threads 2] [--compile]

The published formulation is taken literally: see `plain_network`; besides, torchvision's operator is the
deformable convolution, and a softmax is taken of all anchors. Weights are random, with a fixed seed. Each
variant has a process of its own: this project has its own keep freed memory, which would help the others too.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from alternating import Row, compare_processes, print_rows
from plain_network import plain_network
from torch import Tensor, nn

from ops.dcnv2 import ModulatedDeformConv2d
from ops.dcnv2.deform_conv import kernel_deform_conv
from yolact_pl.models.anchors import Anchors
from yolact_pl.models.backbones.backbone import Backbone
from yolact_pl.models.backbones.darknet import DarkNet53
from yolact_pl.models.backbones.efficientnet_lite import EfficientNetLite0
from yolact_pl.models.backbones.resnet import ResNet
from yolact_pl.models.fast.half_precision import cpu_has_bfloat16
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.yolact import Yolact

SIZE = 550
BACKBONES: dict[str, Callable[[], Backbone]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "r18": lambda: ResNet((2, 2, 2, 2), block="basic"),
    "r50": lambda: ResNet((3, 4, 6, 3)),
    "r101": lambda: ResNet((3, 4, 23, 3)),
    "darknet53": DarkNet53,
    "r50++": lambda: ResNet((3, 4, 6, 3), deformable=True),
}
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 0.02}
"""Allowed norm of the difference, relative to the norm of what is published."""


class PublishedDeformConv(ModulatedDeformConv2d):
    """A deformable convolution by torchvision's operator."""

    def forward(self, x: Tensor) -> Tensor:
        dy_dx_1, dy_dx_2, modulation = self.conv_offset_mask(x).chunk(3, dim=1)
        return kernel_deform_conv(
            x,
            torch.cat((dy_dx_1, dy_dx_2), dim=1),
            modulation.sigmoid(),
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
        )


def build(name: str) -> Yolact:
    """A network with random weights and statistics, whose residual blocks change their maps little."""
    torch.manual_seed(0)
    plus = name.endswith("++")
    anchors = Anchors([24, 48, 96, 192, 384], [1, 0.5, 2], octaves=3 if plus else 1)
    network = Yolact(BACKBONES[name](), anchors, num_classes=80, mask_iou=plus)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.constant_(module.weight, 0.5)
        if isinstance(module, ModulatedDeformConv2d):
            nn.init.normal_(module.conv_offset_mask.weight, std=0.01)
    return network.eval()


def published_network(network: Yolact) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Images to scores, box deltas, coefficients and prototypes."""
    plain = plain_network(network)
    for module in plain.modules():
        if isinstance(module, ModulatedDeformConv2d):
            module.__class__ = PublishedDeformConv

    def forward(images: Tensor) -> tuple[Tensor, ...]:
        found = plain(images)
        prototypes = found.prototypes.permute(0, 2, 3, 1).contiguous()
        return found.class_logits.softmax(dim=-1), found.box_deltas, found.coefficients, prototypes

    return forward


def check(
    name: str, network: Yolact, images: Tensor, expected: tuple[Tensor, ...], dtype: torch.dtype
) -> None:
    """Assert that the network gives what was published, within the tolerance of the type."""
    found = network(images)
    outputs = (
        found.class_logits.float().softmax(dim=-1),
        found.box_deltas,
        found.coefficients,
        found.prototypes.permute(0, 2, 3, 1),
    )
    for output, wanted in zip(outputs, expected, strict=True):
        error = float((output.float() - wanted).norm() / wanted.norm())
        assert error < TOLERANCES[dtype], f"{name} in {dtype} is off by {error:.1e}"


@torch.inference_mode()
def make_call(name: str, dtype: torch.dtype | None, *, threads: int, compiled: bool) -> Callable[[], object]:
    """A call of the network: as published, or, with a type, as this project predicts.

    As in a loop over pictures, each call has a new image, and its answer is kept until the next one.
    """
    torch.set_num_threads(threads)
    if dtype is None:
        network = published_network(build(name))
    else:
        network = inference_copy(build(name), dtype=dtype)
        if compiled:
            network.compile(dynamic=False)
    images = make_images()
    answers: list[object] = []

    @torch.inference_mode()
    def call() -> None:
        answers[:] = [network(images.clone())]

    return call


def make_images() -> Tensor:
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255


@torch.inference_mode()
def measure(name: str, *, repeats: int, threads: int, compiled: bool) -> list[Row]:
    network, images = build(name), make_images()
    expected = published_network(network)(images)
    make = partial(make_call, name, threads=threads, compiled=False)
    variants: dict[str, Callable[[], Callable[[], object]]] = {"published formulation": partial(make, None)}
    for dtype in TOLERANCES:
        if dtype == torch.bfloat16 and not cpu_has_bfloat16():
            continue  # emulated, ten times slower
        fast = inference_copy(network, dtype=dtype)
        check(name, fast, images, expected, dtype)
        variant = f"this project {dtype}".replace("torch.", "")
        variants[variant] = partial(make, dtype)
        if compiled:
            fast.compile(dynamic=False)
            check(name, fast, images, expected, dtype)
            variants[f"{variant}, compiled"] = partial(make, dtype, compiled=True)
    return compare_processes(f"{name}, {SIZE} px, one image", variants, repeats=repeats)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", choices=BACKBONES, default=list(BACKBONES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="also by torch.compile, which takes minutes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = []
    for name in args.networks:
        rows += measure(name, repeats=args.repeats, threads=args.threads, compiled=args.compile)
    print_rows(rows)


if __name__ == "__main__":
    main()
