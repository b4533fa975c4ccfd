from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from yolact_pl.callbacks.gradient_guard import DivergedError, GradientGuard


class Run:
    """A trainer and a module as far as the guard looks, of a layer with gradients (3, 4) and 12."""

    def __init__(self, max_in_a_row: int = 20) -> None:
        self.guard = GradientGuard(max_in_a_row)
        self.logged: dict[str, float] = {}
        self.trainer: Any = SimpleNamespace(strategy=None, world_size=1, global_step=7)
        self.module: Any = SimpleNamespace(log=self._log)
        self.layer = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.layer.parameters(), lr=1.0)
        self.layer.weight.grad = torch.tensor([[3.0, 4.0]])
        self.layer.bias.grad = torch.tensor([12.0])

    def _log(self, name: str, value: Any, batch_size: int) -> None:
        assert isinstance(value, torch.Tensor), "Lightning would make one on the GPU, and wait for it"
        self.logged[name] = float(value)

    def step(self) -> None:
        batch: Any = (None, SimpleNamespace(image_ids=[31]))
        self.guard.on_train_batch_start(self.trainer, self.module, batch, 0)
        self.guard.on_before_optimizer_step(self.trainer, self.module, self.optimizer)


@pytest.mark.parametrize("newer_torch", [True, False])
def test_norm_of_all_gradients_is_logged_and_they_stay_as_they_are(newer_torch, monkeypatch):
    if not newer_torch:
        monkeypatch.delattr(torch.nn.utils, "get_total_norm", raising=False)
    run = Run()
    run.step()
    assert run.logged == {"gradient_norm": pytest.approx(13.0), "skipped_steps": 0}
    assert run.layer.weight.grad.tolist() == [[3.0, 4.0]]
    assert run.layer.bias.grad.tolist() == [12.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_without_finite_gradients_leaves_the_weights_alone(value, caplog):
    run = Run()
    run.layer.bias.grad = torch.tensor([value])
    before = run.layer.weight.detach().clone()
    run.step()
    run.optimizer.step()
    assert torch.equal(run.layer.weight, before)
    assert run.guard.state_dict() == {"skipped": 1, "in_a_row": 1}
    assert "step 7 skipped" in caplog.text
    assert "images 31;" in caplog.text


def test_a_finite_step_starts_the_count_again_and_too_many_end_the_run():
    run = Run(max_in_a_row=2)
    for gradients in ("bad", "good", "bad"):
        run.layer.bias.grad = torch.tensor([float("nan") if gradients == "bad" else 1.0])
        run.step()
    assert run.guard.state_dict() == {"skipped": 2, "in_a_row": 1}
    run.layer.bias.grad = torch.tensor([float("nan")])
    with pytest.raises(DivergedError, match="2 steps in a row were not finite, last at step 7"):
        run.step()
