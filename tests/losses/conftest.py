"""Recorded cases of the published loss, in this project's terms."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.model_losses import published_loss
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.structures import Predictions, Target, Targets

PARITY = Path(__file__).parents[1] / "parity"
TERMS = {"box": "B", "class": "C", "mask": "M", "semantic": "S", "mask_iou": "I"}


@dataclass
class Case:
    """A recorded case: what goes in, and the arrays that came out of the published implementation."""

    arrays: dict[str, np.ndarray]
    predictions: Predictions
    targets: Targets
    max_masks: int

    def loss(self, **changes: Any) -> YolactLoss:
        """The loss with the case's settings."""
        return published_loss({"terms.mask.max_masks": self.max_masks, **changes})

    def expected_terms(self) -> dict[str, float]:
        """Name here to recorded number."""
        return {
            name: float(self.arrays[f"loss_{k}"]) for name, k in TERMS.items() if f"loss_{k}" in self.arrays
        }

    def gradients(self) -> dict[str, Tensor]:
        """The gradients of the predictions, in the names and layout of the recording."""
        p = self.predictions
        return {
            "loc": p.box_deltas.grad,
            "conf": p.class_logits.grad,
            "mask": p.coefficients.grad,
            "segm": p.semantic_logits.grad,
            "proto": p.prototypes.grad.permute(0, 2, 3, 1),
        }


def read_case(paths: list[Path]) -> Case:
    """A case from its files."""
    z: dict[str, Any] = {}
    for path in paths:
        with np.load(path) as file:
            z |= {name: file[name] for name in file.files}
    size = int(z["max_size"])

    def leaf(name: str) -> Tensor:
        return torch.from_numpy(z[name].astype(np.float32))

    prototypes = leaf("pred_proto").permute(0, 3, 1, 2).contiguous()
    priors = torch.from_numpy(z["priors"]) * size
    predictions = Predictions(
        class_logits=leaf("pred_conf").requires_grad_(),
        box_deltas=leaf("pred_loc").requires_grad_(),
        coefficients=leaf("pred_mask").requires_grad_(),
        prototypes=prototypes.requires_grad_(),
        anchors=torch.cat((priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2), dim=1),
        semantic_logits=leaf("pred_segm").requires_grad_(),
        image_size=(size, size),
    )
    targets = Targets.join([read_target(z, image, size) for image in range(len(prototypes))])
    overrides = json.loads(str(z["overrides"]))
    return Case(z, predictions, targets, overrides["masks_to_train"])


def read_target(z: dict[str, Any], image: int, size: int) -> Target:
    """The objects of one image; crowd regions, recorded as the last rows, are marked instead."""
    shape = z[f"gt{image}_masks_shape"]
    masks = np.unpackbits(z[f"gt{image}_masks_packed"])[: np.prod(shape)].reshape(shape).astype(bool)
    labels = torch.from_numpy(z[f"gt{image}_labels"])
    is_crowd = torch.arange(len(labels)) >= len(labels) - int(z[f"gt{image}_num_crowds"])
    return Target(
        boxes=torch.from_numpy(z[f"gt{image}_boxes"]) * size,
        labels=torch.where(is_crowd, 0, labels),
        masks=torch.from_numpy(masks),
        iscrowd=is_crowd,
        image_id=image,
        size=(size, size),
    )


@pytest.fixture
def load_case():
    """Read a case by its name."""
    return lambda name: read_case(sorted(PARITY.glob(f"loss_{name}*.npz")))
