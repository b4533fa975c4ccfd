"""Two processes with averaged gradients do what one process does with all the images."""

import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tests.model_losses import modern_loss, published_loss
from yolact_pl.structures import Predictions, Target, Targets

# Of very different numbers of positive anchors: 2 images on one process, 1 on the other.
BOXES = [
    [[4.0, 4, 30, 30], [2, 20, 28, 60], [24, 10, 60, 44]],
    [],
    [[10.0, 10, 20, 20]],
]


class TinyNetwork(nn.Module):
    """Predictions that depend on the image's values and on parameters; 64 x 64 pixels, 3 classes."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model
        torch.manual_seed(0)
        centre = torch.cartesian_prod(torch.arange(4.0, 64, 8), torch.arange(4.0, 64, 8))
        self.anchors = torch.cat(
            [torch.cat((centre - s / 2, centre + s / 2), dim=1) for s in (12.0, 24.0, 40.0)]
        )
        a = len(self.anchors)
        self.shapes = [(a, 4 if model == "published" else 3), (a, 4), (a, 8), (8, 16, 16), (3, 8, 8)]
        self.layers = nn.ModuleList([nn.Linear(6, int(torch.tensor(s).prod())) for s in self.shapes])
        self.mask_iou = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))

    def forward(self, images: Tensor, targets: list[Target]) -> Tensor:
        x = [layer(images).view(-1, *shape) for layer, shape in zip(self.layers, self.shapes, strict=True)]
        predictions = Predictions(x[0], x[1], x[2], x[3], self.anchors, x[4], (64, 64))
        make_loss = published_loss if self.model == "published" else modern_loss
        loss = make_loss({"terms.mask_iou.min_area": 2})
        return torch.stack(list(loss(predictions, Targets.join(targets), self.mask_iou).values())).sum()


def make_batch() -> tuple[Tensor, list[Target]]:
    generator = torch.Generator().manual_seed(1)
    targets = [
        Target(
            boxes=torch.tensor(boxes).reshape(-1, 4),
            labels=torch.arange(len(boxes)),
            masks=torch.rand(len(boxes), 16, 16, generator=generator) > 0.4,
            iscrowd=torch.zeros(len(boxes), dtype=torch.bool),
            image_id=n,
            size=(64, 64),
        )
        for n, boxes in enumerate(BOXES)
    ]
    return torch.randn(3, 6, generator=generator), targets


def gradients(network: nn.Module, images: Tensor, targets: list[Target]) -> list[Tensor]:
    network(images, targets).backward()
    return [parameter.grad for parameter in network.parameters()]


def train_step(rank: int, port: int, folder: str, model: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    images, targets = make_batch()
    own = slice(0, 2) if rank == 0 else slice(2, 3)
    network = DistributedDataParallel(TinyNetwork(model))
    torch.save(gradients(network, images[own], targets[own]), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("model", ["published", "modern"])
def test_two_processes_have_the_gradients_of_one(tmp_path, model):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(train_step, args=(port, str(tmp_path), model), nprocs=2)
    expected = gradients(TinyNetwork(model), *make_batch())
    for rank in range(2):
        given = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for got, wanted in zip(given, expected, strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)
