"""Every experiment composes to the network, loss, schedule and settings that are recorded for it."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor, nn

from yolact_pl.config.build import build, build_network
from yolact_pl.structures import Predictions, Target, Targets

ROOT = Path(__file__).parents[1]
RECORDED = json.loads((ROOT / "tests" / "published_experiments.json").read_text())
NUM_CLASSES = 3
SIZE = 64
STEPS = (0, 1, 50, 499, 500, 501, 1_000, 1_200, 60_000, 100_000, 300_000, 650_000, 749_999, 799_999)
CLUSTER = 350
"""Anchors on one object, more than any experiment learns the masks of."""


@pytest.mark.parametrize("experiment", RECORDED)
def test_experiment_is_as_recorded(experiment: str) -> None:
    found = json.loads(json.dumps(facts(experiment)))
    for kind, recorded in RECORDED[experiment].items():
        assert found[kind] == approximately(recorded), kind


def test_every_experiment_is_recorded() -> None:
    published = {file.stem for file in (ROOT / "conf" / "experiment").glob("yolact_*.yaml")}
    published = {name for name in published if not name.startswith("yolact_modern")}
    assert published <= set(RECORDED)


def approximately(value: Any) -> Any:
    """Equal but for the rounding of float32."""
    if isinstance(value, dict):
        return {key: approximately(child) for key, child in value.items()}
    if isinstance(value, list):
        return [approximately(child) for child in value]
    return pytest.approx(value, rel=1e-5) if isinstance(value, float) else value


def facts(experiment: str) -> dict[str, Any]:
    """What the built objects are and compute."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("config", overrides=[f"experiment={experiment}", "backbone.weights=null", "output=out"])
    with torch.device("meta"):  # shapes without memory
        network = build_network(cfg, NUM_CLASSES)
    return {
        "network": network_facts(network),
        "anchors": anchor_facts(network, cfg.image_size),
        "loss": loss_facts(build(cfg.model.loss)),
        "schedule": schedule_facts(cfg, network),
        "postprocess": plain_attributes(build(cfg.model.postprocess)),
        "augment": {**cfg.augment, "_target_": cfg.augment._target_.rpartition(".")[2]},
        "batch_size": cfg.dataset.batch_size,
        "freeze_bn": cfg.model.freeze_bn,
    }


def network_facts(network: nn.Module) -> dict[str, Any]:
    shapes = sorted(f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
    return {
        "tensors": len(shapes),
        "weights": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "digest": hashlib.sha256("\n".join(shapes).encode()).hexdigest(),
    }


def anchor_facts(network: Any, side: int) -> dict[str, Any]:
    levels = [(math.ceil(side / stride),) * 2 for stride in (8, 16, 32, 64, 128)]
    anchors = network.anchors(levels, (side, side), torch.device("cpu")).double()
    some = anchors[torch.linspace(0, len(anchors) - 1, 7).long()]
    return {
        "count": len(anchors),
        "mean": anchors.mean(0).tolist(),
        "square": anchors.square().mean(0).tolist(),
        "some": some.tolist(),
    }


def schedule_facts(cfg: DictConfig, network: nn.Module) -> dict[str, Any]:
    schedule = build(cfg.schedule)
    optimizer, _ = schedule.configure(network)
    return {
        "max_steps": schedule.max_steps,
        "milestones": schedule.milestones,
        "batch_size": schedule.batch_size,
        "lr": [schedule.lr_at(step) for step in STEPS],
        "optimizer": type(optimizer).__name__,
        "groups": [
            {
                "tensors": len(group["params"]),
                "initial_lr": group["initial_lr"],
                **{key: group[key] for key in ("momentum", "weight_decay", "betas") if key in group},
            }
            for group in optimizer.param_groups
        ],
    }


def plain_attributes(thing: object) -> dict[str, Any]:
    return {key: value for key, value in vars(thing).items() if isinstance(value, str | int | float | bool)}


class MaskIou(nn.Module):
    """Stands for the network that rates masks [N, 1, h, w]."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.arange(1.0, 1 + NUM_CLASSES))

    def forward(self, masks: Tensor) -> Tensor:
        return masks.mean((1, 2, 3))[:, None] * self.factors


def loss_facts(loss: nn.Module) -> dict[str, Any]:
    """The terms on a fixed batch, and of how many anchors the masks were learned.

    The masks that are learned are drawn among equals, so that the draw does not matter.
    """
    predictions = fixed_predictions()
    terms = loss(predictions, fixed_targets(), MaskIou())
    terms["mask"].backward()
    learned = predictions.coefficients.grad
    assert learned is not None
    return {
        "terms": {name: term.item() for name, term in terms.items()},
        "masks": learned.abs().sum(-1).count_nonzero(1).tolist(),
    }


def fixed_predictions() -> Predictions:
    random = torch.Generator().manual_seed(0)
    cluster = torch.tensor([10.0, 12.0, 40.0, 44.0]) + torch.rand(CLUSTER, 4, generator=random)
    sides = 6 + 30 * torch.rand(CLUSTER, 2, generator=random)
    centres = SIZE * torch.rand(CLUSTER, 2, generator=random)
    anchors = torch.cat((cluster, torch.cat((centres - sides / 2, centres + sides / 2), 1)))
    coefficients = torch.randn(2, 2 * CLUSTER, 4, generator=random).tanh()
    coefficients[0] = coefficients[0, 0]
    return Predictions(
        class_logits=torch.randn(2, 2 * CLUSTER, 1 + NUM_CLASSES, generator=random),
        box_deltas=torch.randn(2, 2 * CLUSTER, 4, generator=random),
        coefficients=coefficients.requires_grad_(),
        prototypes=torch.rand(2, 4, 16, 16, generator=random),
        anchors=anchors,
        semantic_logits=torch.randn(2, NUM_CLASSES, 8, 8, generator=random),
        image_size=(SIZE, SIZE),
    )


def fixed_targets() -> Targets:
    """One object with many anchors; a small one, a large one and a crowd region."""
    return Targets.join([target(0, [(10, 12, 40, 44, 1, False)]), target(1, [
        (4, 44, 18, 60, 0, False), (30, 4, 60, 36, 2, False), (32, 40, 60, 60, 0, True),
    ])])  # fmt: skip


def target(image_id: int, objects: list[tuple[int, int, int, int, int, bool]]) -> Target:
    masks = torch.zeros(len(objects), 16, 16, dtype=torch.bool)
    semantic = torch.zeros(len(objects), 8, 8, dtype=torch.bool)
    for row, (x1, y1, x2, y2, _, _) in enumerate(objects):
        masks[row, y1 // 4 : y2 // 4, x1 // 4 : x2 // 4] = True
        semantic[row, y1 // 8 : y2 // 8, x1 // 8 : x2 // 8] = True
    return Target(
        boxes=torch.tensor([list(one[:4]) for one in objects], dtype=torch.float32),
        labels=torch.tensor([one[4] for one in objects]),
        masks=masks,
        semantic_masks=semantic,
        iscrowd=torch.tensor([one[5] for one in objects]),
        image_id=image_id,
        size=(SIZE, SIZE),
    )
