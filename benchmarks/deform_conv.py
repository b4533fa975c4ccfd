"""Modulated deformable convolution in YOLACT++'s three stages at 550 px: torchvision's operator beside ours.

    python benchmarks/deform_conv.py [--repeats 9] [--threads 2] [--device cpu]

One image, a 3x3 kernel, float32; offsets of half a pixel or so, as in a network that is being trained. That
both formulations give the same, and the same gradients, is checked first.
"""

import argparse
from collections.abc import Callable

import torch
from alternating import Row, compare, print_rows
from torch import Tensor

from ops.dcnv2.deform_conv import gathered_deform_conv, kernel_deform_conv

STAGES = ((128, 69), (256, 35), (512, 18))
"""Channels, and side of the map."""
FORMULATIONS: dict[str, Callable[..., Tensor]] = {
    "torchvision": kernel_deform_conv,
    "gathered": gathered_deform_conv,
}


def make_inputs(channels: int, side: int, device: str) -> list[Tensor]:
    """Map, offsets, modulation, weight and bias; all want a gradient."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    inputs = [
        normal(1, channels, side, side).to(memory_format=torch.channels_last),
        normal(1, 18, side, side) / 2,
        normal(1, 9, side, side).sigmoid(),
        normal(channels, channels, 3, 3) / (3 * channels**0.5),
        normal(channels),
    ]
    return [value.requires_grad_() for value in inputs]


def measure(channels: int, side: int, *, repeats: int, device: str) -> list[Row]:
    inputs = make_inputs(channels, side, device)

    def forward(function: Callable[..., Tensor]) -> Tensor:
        with torch.no_grad():
            return function(*inputs, stride=1, padding=1)

    def both_ways(function: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(function(*inputs, stride=1, padding=1).square().sum(), inputs)

    rows = []
    name = f"{channels} x {side} x {side}"
    for stage, work in ((name, forward), (f"{name}, with gradients", both_ways)):
        expected, found = (work(function) for function in FORMULATIONS.values())
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)
        variants = {key: lambda w=work, f=function: w(f) for key, function in FORMULATIONS.items()}
        rows += compare(stage, variants, repeats=repeats, device=device)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [row for stage in STAGES for row in measure(*stage, repeats=args.repeats, device=args.device)]
    print_rows(rows)


if __name__ == "__main__":
    main()
