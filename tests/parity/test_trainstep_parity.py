"""One training step of the whole network: losses and every parameter's gradient against recorded numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.model_losses import published_loss
from tests.parity.weights import fill, image
from yolact_pl.checkpoints.description import build_network
from yolact_pl.checkpoints.released import describe_released, load_released_weights, rename_table
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.models.weight_files import inverse, rename_key
from yolact_pl.structures import Target, Targets

FOLDER = Path(__file__).parent
SIZE = 550


def read(name: str) -> dict[str, Any]:
    with np.load(FOLDER / name, allow_pickle=False) as file:
        return dict(file)


def recorded_target(z: dict[str, Any], index: int) -> Target:
    boxes = torch.from_numpy(z[f"gt{index}_boxes"]) * SIZE
    shape = tuple(z[f"gt{index}_masks_shape"])
    bits = np.unpackbits(z[f"gt{index}_masks_packed"])[: int(np.prod(shape))]
    iscrowd = torch.zeros(len(boxes), dtype=torch.bool)
    iscrowd[len(boxes) - int(z[f"gt{index}_num_crowds"]) :] = True
    return {
        "boxes": boxes,
        "labels": torch.from_numpy(z[f"gt{index}_labels"]).clamp(min=0),  # crowds have -1 there
        "masks": torch.from_numpy(bits.reshape(shape)).bool(),
        "iscrowd": iscrowd,
        "image_id": index,
        "size": (SIZE, SIZE),
    }


@pytest.mark.slow
def test_losses_and_gradients() -> None:
    z = read("trainstep_yolact_resnet50.npz")
    keys = json.loads(str(read("net_yolact_resnet50.npz")["state_keys"]))
    state = {key: torch.from_numpy(fill(key, shape)) for key, shape in keys}
    network = build_network(describe_released(state, source=""))
    load_released_weights(network, state, source="")  # pyright: ignore
    freeze_batch_norm(network)
    bgr = np.stack([image(int(seed), SIZE, SIZE) for seed in z["image_seeds"]])
    images = torch.from_numpy(bgr[..., ::-1].copy()).permute(0, 3, 1, 2)
    targets = Targets.join([recorded_target(z, index) for index in range(len(images))])

    loss = published_loss({"terms.mask.max_masks": 1_000_000})
    terms = loss(network.train()(images), targets)
    for name, key in (("box", "B"), ("class", "C"), ("mask", "M"), ("semantic", "S")):
        assert terms[name].item() == pytest.approx(float(z[f"loss_{key}"]), rel=1e-4), name

    torch.stack(list(terms.values())).sum().backward()
    table = inverse(rename_table(state))
    gradients: dict[str, Tensor] = {
        rename_key(name, table) or name: p.grad
        for name, p in network.named_parameters()
        if p.grad is not None
    }
    recorded = json.loads(str(z["grad_keys"]))
    assert set(gradients) == set(recorded)
    norms = np.array([float(gradients[key].norm()) for key in recorded])
    errors = np.abs(norms / z["grad_norm"] - 1)
    assert errors.max() < 0.03
    assert np.median(errors) < 0.005
    for row, key in enumerate(recorded):
        gradient = gradients[key].flatten()
        samples = gradient[torch.from_numpy(z["grad_sample_idx"][row]).long()].numpy()
        scale = z["grad_norm"][row] / np.sqrt(len(gradient))  # root mean square of a value
        error = np.abs(samples - z["grad_sample"][row]) / (np.abs(z["grad_sample"][row]) + scale)
        assert error.max() < 0.05, key
