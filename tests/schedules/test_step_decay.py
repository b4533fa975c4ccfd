"""Learning rate against the published model's, and its scaling."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ops.dcnv2 import ModulatedDeformConv2d
from yolact_pl.schedules.step_decay import StepDecay

RECORDED = json.loads((Path(__file__).parents[1] / "parity" / "lr_schedule.json").read_text())


def paper_schedule() -> StepDecay:
    optimizer = partial(torch.optim.SGD, momentum=0.9, weight_decay=5e-4)
    milestones = [280_000, 600_000, 700_000, 750_000]
    return StepDecay(optimizer, lr=1e-3, max_steps=800_000, milestones=milestones)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda r: f"batch{r['batch_size']}")
def test_rates_are_the_published_ones(recorded: dict) -> None:
    schedule = paper_schedule().scaled(recorded["batch_size"], num_images=1)
    assert schedule.max_steps == recorded["max_iter"]
    assert schedule.milestones == recorded["lr_steps"]
    for step, rate in recorded["lr"]:
        assert schedule.lr_at(step) == pytest.approx(rate, rel=1e-12), step


def test_optimizer_runs_at_the_rate_of_its_step() -> None:
    schedule = StepDecay(
        torch.optim.SGD, lr=1.0, max_steps=10, milestones=[4, 6], warmup_steps=2, warmup_lr=0.0
    )
    optimizer, scheduler = schedule.configure(nn.Linear(1, 1))
    seen = []
    for _ in range(8):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    # warm-up 0, 1/2, 1; then 1; a tenth from step 4 on, a hundredth from step 6 on
    assert seen == pytest.approx([0, 0.5, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_smaller_batches_take_more_and_smaller_steps() -> None:
    schedule = paper_schedule().scaled(4, num_images=1)
    assert schedule.lr == pytest.approx(5e-4)
    assert schedule.max_steps == 1_600_000
    assert schedule.milestones[0] == 560_000
    assert schedule.warmup_steps == 500


def test_frozen_parameters_are_left_out_of_the_optimizer() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    optimizer, _ = paper_schedule().configure(layer)
    assert [p is layer.weight for p in optimizer.param_groups[0]["params"]] == [True]


def test_offsets_may_learn_slower() -> None:
    layer = ModulatedDeformConv2d(2, 2, 3)
    schedule = StepDecay(
        torch.optim.SGD, lr=1.0, max_steps=10, milestones=[4], warmup_steps=0, offset_lr_factor=0.1
    )
    optimizer, scheduler = schedule.scaled(16, num_images=1).configure(
        layer
    )  # twice the batch, twice the rate
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: rates[id(p)] for name, p in layer.named_parameters()} == {
        "weight": 2.0,
        "bias": 2.0,
        "conv_offset_mask.weight": 0.2,
        "conv_offset_mask.bias": 0.2,
    }
    for _ in range(2):  # the milestone, at half the steps
        optimizer.step()
        scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.02])
    published, _ = paper_schedule().configure(layer)
    assert len(published.param_groups) == 1


def test_schedule_continued() -> None:
    whole = paper_schedule()
    rest = whole.starting_at(32_100)
    assert rest.run_steps == 767_900
    assert rest.lr_at(0) == whole.lr_at(32_100) == 1e-3  # no second warm-up
    # the first milestone, 280,000, is 247,900 steps further on
    assert rest.lr_at(247_899) == pytest.approx(1e-3)
    assert rest.lr_at(247_900) == pytest.approx(1e-4)
    assert whole.starting_at(100).lr_at(50) == whole.lr_at(150) < 1e-3  # the rest of the warm-up
    assert whole.run_steps == whole.starting_at(0).run_steps == 800_000
    assert "from step 32,100 on" in rest.describe()
    assert "from step" not in whole.describe()


@pytest.mark.parametrize("step", [-1, 800_000])
def test_schedule_that_is_over(step: int) -> None:
    assert paper_schedule().starting_at(799_999).run_steps == 1
    with pytest.raises(ValueError, match=rf"start_step={step}: .* steps 0 to 799999 at 8 images"):
        paper_schedule().starting_at(step)


@pytest.mark.parametrize(
    ("key", "value"),
    [("lr", "abc"), ("lr", -1), ("lr", 0.0), ("lr", float("nan")), ("max_steps", 0), ("milestones", "abc")],
)
def test_numbers_that_are_none(key: str, value: object) -> None:
    numbers = {"lr": 1.0, "max_steps": 10, "milestones": [4]} | {key: value}
    with pytest.raises(ValueError, match=rf"^schedule\.{key}={value}: expected"):
        StepDecay(torch.optim.SGD, **numbers)  # pyright: ignore


def test_setting_of_another_optimizer_is_told() -> None:
    schedule = StepDecay(
        partial(torch.optim.AdamW, momentum=0.9),
        lr=1e-3,
        max_steps=10,
        milestones=[],  # type: ignore[call-arg]
    )
    with pytest.raises(ValueError, match=r"optimizer: .*'momentum'; choose optimizer=sgd or optimizer=adamw"):
        schedule.configure(nn.Linear(1, 1))


@pytest.mark.parametrize("milestones", [5, None, ["a"]])
def test_milestones_are_a_list_of_steps(milestones: Any) -> None:
    with pytest.raises(ValueError, match=r"schedule\.milestones=.*: expected a list of steps"):
        StepDecay(torch.optim.SGD, lr=1e-3, max_steps=10, milestones=milestones)
