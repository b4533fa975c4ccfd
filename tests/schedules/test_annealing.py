"""Length, rate, parameter groups and scaling of the schedule that follows the number of images."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from tests.checkpoints.checkpoint_files import small_network
from tests.models.modern.test_yolact_modern import tiny
from yolact_pl.schedules.annealing import Annealing

ADAMW = partial(torch.optim.AdamW, weight_decay=0.02)
SGD = partial(torch.optim.SGD, momentum=0.9)
SETTINGS: dict[str, Any] = {"lr": 2e-3, "epochs": 40, "min_steps": 500, "max_steps": 180_000}


def schedule(optimizer: Any = ADAMW, **settings: Any) -> Annealing:
    return Annealing(optimizer, **{**SETTINGS, **settings})


@pytest.mark.parametrize(
    ("num_images", "batch_size", "settings", "steps", "key"),
    [
        (200, 8, {}, 1000, "epochs"),  # 40 x 200 / 8
        (200, 16, {}, 500, "epochs"),
        (12, 8, {}, 500, "min_steps"),
        (12, 4, {}, 1000, "min_steps"),  # stated for 8: as many images as ever
        (118_000, 8, {}, 180_000, "max_steps"),
        (118_000, 64, {}, 22_500, "max_steps"),
        (12, 8, {"images": 800}, 100, "images"),  # itself a length, so not bounded
        (118_000, 8, {"images": 4000}, 500, "images"),
        (12, 8, {"max_steps": 3}, 3, "max_steps"),  # the stronger bound
        (12, 8, {"images": 1}, 1, "images"),
    ],
)
def test_length(num_images: int, batch_size: int, settings: dict, steps: int, key: str) -> None:
    run = schedule(**settings).scaled(batch_size, num_images)
    assert run.run_steps == steps
    assert run.length_key == f"schedule.{key}"
    assert f"{steps:,} steps of {batch_size} images" in run.describe()


def rates(run: Annealing) -> list[float]:
    return [run.lr_at(step) for step in range(run.max_steps)]


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_decay_is_that_of_torch(shape: str) -> None:
    run = schedule(images=800, warmup=0.1, final_factor=0.02, shape=shape).scaled(8, 1)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2e-3)
    if shape == "cosine":
        reference: Any = CosineAnnealingLR(optimizer, T_max=90, eta_min=4e-5)
    else:
        reference = LinearLR(optimizer, start_factor=1.0, end_factor=0.02, total_iters=90)
    expected = []
    for _ in range(90):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()
    warm_up = [2e-4 * step for step in range(1, 11)]
    assert rates(run) == pytest.approx([*warm_up, *expected], rel=1e-6)
    assert run.lr_at(100) == run.lr_at(1000) == pytest.approx(4e-5)


def test_without_warmup_or_with_nothing_else() -> None:
    assert schedule(images=80, warmup=0).scaled(8, 1).lr_at(0) == 2e-3
    assert rates(schedule(images=16, warmup=1).scaled(8, 1)) == pytest.approx([1e-3, 2e-3])


@pytest.mark.parametrize(
    ("optimizer", "factor"),
    [(ADAMW, 2.0), (partial(torch.optim.SGD, momentum=0.9), 4.0), (torch.optim.SGD, 4.0)],
)
def test_rate_grows_with_the_batch_as_the_optimizer_asks(optimizer: Any, factor: float) -> None:
    """By the square root for Adam's kin, linearly for SGD."""
    assert schedule(optimizer).lr_scale(32) == factor
    assert schedule(optimizer).scaled(32, 1000).lr == pytest.approx(2e-3 * factor)


def test_start_in_the_middle() -> None:
    whole = schedule().scaled(8, 200)
    rest = whole.starting_at(400)
    assert rest.run_steps == 600
    assert rest.lr_at(0) == whole.lr_at(400)
    assert rest.describe().endswith(", from step 400 on")
    with pytest.raises(ValueError, match=r"start_step=1000: .* or a longer schedule\.epochs"):
        whole.starting_at(1000)


def test_parameter_groups() -> None:
    network = nn.ModuleDict(
        {
            "backbone": nn.ModuleDict({"conv": nn.Conv2d(2, 2, 1), "conv_offset_mask": nn.Conv2d(2, 2, 1)}),
            "norm": nn.BatchNorm2d(2),
            "head": nn.ModuleDict({"class_logits": nn.Conv2d(2, 2, 1), "masks": nn.Conv2d(2, 2, 1)}),
        }
    )
    network["head"]["masks"].bias.requires_grad_(False)
    run = schedule(backbone_lr_factor=0.5, offset_lr_factor=0.1, class_lr_factor=3, images=80).scaled(8, 1)
    optimizer, _ = run.configure(network)
    found = {
        id(p): (group["initial_lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert {name: found.get(id(p)) for name, p in network.named_parameters()} == {
        "backbone.conv.weight": pytest.approx((1e-3, 0.02)),
        "backbone.conv.bias": pytest.approx((1e-3, 0.0)),
        "backbone.conv_offset_mask.weight": pytest.approx((1e-4, 0.02)),
        "backbone.conv_offset_mask.bias": pytest.approx((1e-4, 0.0)),
        "norm.weight": pytest.approx((2e-3, 0.0)),
        "norm.bias": pytest.approx((2e-3, 0.0)),
        "head.class_logits.weight": pytest.approx((6e-3, 0.02)),
        "head.class_logits.bias": pytest.approx((6e-3, 0.0)),
        "head.masks.weight": pytest.approx((2e-3, 0.02)),
        "head.masks.bias": None,
    }


@pytest.mark.parametrize(("pretrained", "rate"), [(True, 2e-4), (False, 2e-3)])
def test_a_pretrained_backbone_learns_at_a_tenth_of_the_rate(pretrained: bool, rate: float) -> None:
    network = nn.ModuleDict({"backbone": nn.Conv2d(2, 2, 1), "head": nn.Conv2d(2, 2, 1)})
    network["backbone"].pretrained = pretrained
    run = schedule(backbone_lr_factor="auto", images=80).scaled(8, 1)
    rates = {id(p): group["lr"] for group in run.parameter_groups(network) for p in group["params"]}
    assert rates[id(network["backbone"].weight)] == pytest.approx(rate)
    assert rates[id(network["head"].weight)] == pytest.approx(2e-3)
    assert "backbone x0.1 if pretrained" in run.describe()


@pytest.mark.parametrize("modern", [False, True])
def test_the_class_factor_is_of_all_whose_size_depends_on_the_classes(modern: bool) -> None:
    networks = [
        tiny(num_classes=count, semantic=True, mask_iou=True)
        if modern
        else small_network(count, semantic=True, mask_iou=True)
        for count in (3, 4)
    ]
    shapes = [{name: p.shape for name, p in network.named_parameters()} for network in networks]
    groups = schedule(class_lr_factor=0.5, images=80).parameter_groups(networks[0])
    slowed = {id(p) for group in groups if group["lr"] == 1e-3 for p in group["params"]}
    found = {name for name, p in networks[0].named_parameters() if id(p) in slowed}
    assert found == {name for name in shapes[0] if shapes[0][name] != shapes[1][name]}


def test_overrides_for_a_number_of_epochs() -> None:
    assert schedule().of_epochs(500, 100) == "schedule.epochs=500"
    assert schedule(images=4000).of_epochs(500, 100) == "schedule.epochs=500 schedule.images=null"
    assert schedule().of_epochs(500, 4) == "schedule.epochs=500 schedule.min_steps=250"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", None),
        ("images", -1),
        ("min_steps", "many"),
        ("max_steps", 0),
        ("warmup", 6),
        ("final_factor", -0.1),
        ("shape", "steps"),
        ("backbone_lr_factor", -1),
        ("class_lr_factor", "high"),
    ],
)
def test_settings_out_of_range(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^schedule\.{key}={value}: expected"):
        schedule(**{key: value})
