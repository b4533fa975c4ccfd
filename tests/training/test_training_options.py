"""Options of a training, each in a run of a few steps."""

import logging
import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.csv_log import logged
from tests.tiny_run import assert_same_ap
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.losses.yolact_loss import YolactLoss
from yolact_pl.models.protonet import ProtoNet
from yolact_pl.models.yolact import Yolact
from yolact_pl.module import YolactModule
from yolact_pl.sweeps.trial import StudyAddress
from yolact_pl.training import tuning

Run = Callable[..., Any]
PLAIN_SGD = [
    "schedule=coco_800k",
    "optimizer.momentum=0",
    "optimizer.weight_decay=0",
    "schedule.milestones=[]",
    "schedule.warmup_steps=0",
]
"""A step moves the weights by the gradient times the rate."""
SHORT = ["trainer.limit_val_batches=0"]
BY_EPOCHS = ["trainer.val_check_interval=null"]


def checkpoint(folder: Path, name: str = "last.ckpt") -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def same(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float = 0) -> bool:
    assert a.keys() == b.keys()
    return all(torch.allclose(a[name].double(), b[name].double(), rtol=0, atol=tolerance) for name in a)


def trained(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the statistics of batch norm, which each batch changes."""
    return {name: w for name, w in weights.items() if name.endswith(("weight", "bias"))}


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The weights before the first step and behind each, filled while a run goes on."""
    seen: list[dict[str, Tensor]] = []

    def record(module: YolactModule, *arguments: Any) -> None:
        seen.append({name: value.detach().clone() for name, value in module.state_dict().items()})

    monkeypatch.setattr(YolactModule, "on_train_start", record)
    monkeypatch.setattr(YolactModule, "on_train_batch_end", record)
    return seen


def test_gradients_are_clipped(run_task: Run, tmp_path: Path, weights: list[dict[str, Tensor]]) -> None:
    """A step of plain SGD is as long as rate times limit where the gradient is longer than that."""
    limit, rate = 0.25, 1e-3
    options = [*PLAIN_SGD, *SHORT, f"trainer.gradient_clip_val={limit}", f"schedule.lr={rate}"]
    run_task(tmp_path, *options, "schedule.max_steps=2", "channels_last=false", "model.freeze_bn=true")
    norms = logged(tmp_path, "gradient_norm")
    assert min(norms.values()) > 10 * limit  # logged as it was before
    for before, after in pairwise(weights):
        moved = sum((after[name] - before[name]).double().square().sum() for name in before)
        assert float(moved) ** 0.5 == pytest.approx(rate * limit, rel=1e-4)
    assert all(value.is_contiguous() for value in weights[0].values())


@pytest.mark.usefixtures("bfloat16_cpu")
def test_layout_is_channels_last_unless_said_otherwise(
    run_task: Run, tmp_path: Path, weights: list[dict[str, Tensor]]
) -> None:
    run_task(tmp_path, *SHORT, "schedule.max_steps=1", "trainer.precision=bf16-mixed")
    kernels = [value for value in weights[-1].values() if value.dim() == 4 and value.shape[2] > 1]
    assert kernels
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)


@pytest.mark.usefixtures("bfloat16_cpu")
@pytest.mark.parametrize(
    ("precision", "expected"),
    [("32", torch.float32), ("bf16-mixed", torch.bfloat16), ("16-mixed", torch.bfloat16)],  # the last: a CPU
)
def test_precision(
    precision: str,
    expected: torch.dtype,
    run_task: Run,
    tmp_path: Path,
    weights: list[dict[str, Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The convolutions compute in it; weights stay as they are, and losses near those of full precision."""
    kinds = set()
    forward = ProtoNet.forward

    def spy(self: ProtoNet, *arguments: Any) -> Tensor:
        out = forward(self, *arguments)
        kinds.add(out.dtype)
        return out

    monkeypatch.setattr(ProtoNet, "forward", spy)
    run_task(tmp_path / "run", *SHORT, "schedule.max_steps=1", f"trainer.precision={precision}")
    assert kinds == {expected}
    assert {value.dtype for value in weights[-1].values() if value.is_floating_point()} == {torch.float32}
    run_task(tmp_path / "full", *SHORT, "schedule.max_steps=1")
    assert logged(tmp_path / "run") == pytest.approx(logged(tmp_path / "full"), rel=0.02)


@pytest.mark.parametrize(("setting", "mode"), [("true", None), ("reduce-overhead", "reduce-overhead")])
def test_compiled_network_trains_as_the_plain_one(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, mode: str | None
) -> None:
    """With a backend that only counts; `tests/models/test_compile.py` has torch's own, which takes longer."""
    graphs: list[Any] = []
    modes: list[str | None] = []
    original = Yolact.compile

    def counting(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append(len(list(graph.graph.nodes)))
        return graph.forward

    def compile_by_counting(network: Yolact, mode: str | None) -> None:
        modes.append(mode)
        original(network, backend=counting)

    monkeypatch.setattr(Yolact, "compile", compile_by_counting)
    options = ["schedule.max_steps=2", "trainer.val_check_interval=2"]
    run_task(tmp_path / "plain", *options)
    assert not graphs
    run_task(tmp_path / "compiled", *options, f"compile={setting}")
    assert sum(graphs) > 100
    assert modes == [mode]
    assert logged(tmp_path / "compiled") == pytest.approx(logged(tmp_path / "plain"), rel=1e-4)
    a, b = (checkpoint(tmp_path / name)["state_dict"] for name in ("plain", "compiled"))
    assert same(a, b, 1e-4)


EMA = ["callbacks=ema", "trainer.val_check_interval=2"]


@pytest.mark.parametrize(
    ("options", "decays"),
    [
        (["decay=0.75", "ramp=0"], [0.75] * 3),
        (["decay=0.75", "ramp=3"], [0.75 * (1 - math.exp(-step / 3)) for step in (2, 3, 4)]),
        # over a fifth of 4 steps, but at least one: no average
        ([], [0.0] * 3),
    ],
)
def test_average_is_validated_and_saved_and_continued(
    options: list[str],
    decays: list[float],
    run_task: Run,
    tmp_path: Path,
    weights: list[dict[str, Tensor]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ema = [*EMA, *(f"callbacks.ema.{option}" for option in options)]
    validated: list[Tensor] = []
    step = YolactModule.validation_step

    first = next(name for name in ProtoNet(16, 4).state_dict() if name.endswith("weight"))
    monkeypatch.setattr(
        YolactModule,
        "validation_step",
        lambda self, *arguments: (
            validated.append(self.network.protonet.state_dict()[first].clone()),
            step(self, *arguments),
        )[1],
    )
    run_task(tmp_path / "whole", *ema, "callbacks.best.save_top_k=-1")
    expected = {name: value.double() for name, value in weights[1].items()}  # the first is the average of one
    averages = [expected]
    for decay, after in zip(decays, weights[2:], strict=True):
        expected = {name: decay * expected[name] + (1 - decay) * after[name].double() for name in after}
        averages.append(expected)
    floats = [name for name, value in weights[0].items() if value.is_floating_point()]
    saved = checkpoint(tmp_path / "whole")
    for name in floats:
        torch.testing.assert_close(saved["state_dict"][name].double(), averages[-1][name], rtol=0, atol=1e-6)
    assert same(saved["current_model_state"], weights[-1])
    for shown, average in zip((validated[0], validated[-1]), (averages[1], averages[3]), strict=True):
        wanted = average[f"network.protonet.{first}"]
        torch.testing.assert_close(shown.double(), wanted, rtol=0, atol=1e-6)
    half = next((tmp_path / "whole" / "checkpoints").glob("*_2.ckpt"))
    run_task(tmp_path / "rest", *ema, f"resume={half}")
    resumed = checkpoint(tmp_path / "rest")
    for state in ("state_dict", "current_model_state"):
        assert same(resumed[state], saved[state], 1e-6), state
    run_task(tmp_path / "eval", "task=eval", f"checkpoint={tmp_path / 'whole' / 'checkpoints' / 'last.ckpt'}")
    assert_same_ap(tmp_path / "eval", tmp_path / "whole")


def test_accumulated_batches_count_into_the_total_batch(
    run_task: Run, tmp_path: Path, weights: list[dict[str, Tensor]], caplog: pytest.LogCaptureFixture
) -> None:
    """2 batches of 2 are a step of 4: half the steps of a schedule for 2, at twice its rate."""
    options = [*SHORT, "schedule.max_steps=4", "schedule.warmup_steps=0", "schedule.milestones=[]"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, *options, "trainer.accumulate_grad_batches=2")
    assert "scaled to 4: learning rate 0.002" in caplog.text
    assert logged(tmp_path, "lr-AdamW") == pytest.approx({0: 2e-3, 1: 2e-3})
    start, *behind = weights  # behind each batch
    moved = [not same(a, b) for a, b in pairwise([trained(w) for w in (start, *behind)])]
    assert moved == [False, True, False, True]


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("trainer.accumulate_grad_batches=0", "1 or more"),
        ("trainer.accumulate_grad_batches=many", "1 or more"),
        ("trainer.val_check_interval=0", "steps, 1 or more, auto or null"),
        ("compile=maybe", "true, false or reduce-overhead"),
        ("channels_last=1", "true or false"),
    ],
)
def test_wrong_value_is_told(override: str, wanted: str, run_task: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(override)}: expected {wanted}$"):
        run_task(tmp_path, override)


@pytest.mark.parametrize(
    ("options", "validated"),
    [
        # a step's row counts from 0; a number of epochs has no say then
        (["trainer.val_check_interval=3", "trainer.check_val_every_n_epoch=2"], [2, 5, 6]),
        ([*BY_EPOCHS, "trainer.check_val_every_n_epoch=4"], [6]),
        ([*BY_EPOCHS, "trainer.check_val_every_n_epoch=4", "trainer.max_epochs=1"], [4]),
    ],
    ids=["by steps", "by epochs", "epochs run out"],
)
def test_last_step_is_validated_and_saved(
    options: list[str], validated: list[int], run_task: Run, tmp_path: Path
) -> None:
    """7 steps, 5 to an epoch."""
    best = run_task(tmp_path, "schedule.max_steps=7", *options)
    ap = logged(tmp_path, "val/mask_AP")
    assert list(ap) == validated
    assert best == pytest.approx(max(ap.values()))
    assert (
        checkpoint(tmp_path)["global_step"] == validated[-1] + 1
    )  # whether it is better than those before or not


def test_early_stopping(run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Weights that stay as they are: the first validation is the best, and two more end the run."""
    options = ["callbacks=early_stopping", "callbacks.early_stopping.patience=2", "schedule.max_steps=9"]
    still = [*PLAIN_SGD, "schedule.lr=1e-30", "model.freeze_bn=true", "trainer.val_check_interval=1"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, *options, *still)
    assert checkpoint(tmp_path, "shapes_published_0_1.ckpt")["global_step"] == 1  # the best one
    assert checkpoint(tmp_path)["global_step"] == 3
    assert sorted(logged(tmp_path)) == [0, 1, 2]
    assert "stopped early after step 3: val/mask_AP has not been better than" in caplog.text


def test_bad_trial_of_a_search_ends_early(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another trial had a perfect mask AP after step 4; what it had after step 2 is not known."""
    optuna = pytest.importorskip("optuna")
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=storage, study_name="some", direction="maximize")
    study.add_trial(optuna.create_trial(value=1.0, intermediate_values={4: 1.0}))
    number = study.ask().number
    monkeypatch.setenv("YOLACT_STUDY", "")  # put back afterwards
    StudyAddress(storage, "some", n_startup_trials=1).tell_jobs()
    options = ["schedule.max_steps=8", "trainer.val_check_interval=2", f"hydra.job.num={number}"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, *options)
    assert sorted(logged(tmp_path)) == [0, 1, 2, 3]
    assert "trial ended early after step 4: mask AP" in caplog.text
    reported = study.trials[number].intermediate_values
    assert list(reported) == [2, 4]
    assert list(reported.values()) == pytest.approx(list(logged(tmp_path, "val/mask_AP").values()))


def test_early_stopping_needs_validations(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CocoDataModule, "has_validation", False)
    with pytest.raises(ValueError, match="early_stopping needs a validation set"):
        run_task(tmp_path, "callbacks=early_stopping")


def out_of_memory_above(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let a GPU of that size be simulated; gives the batch sizes that are tried, as they come."""
    tried: list[int] = []
    forward = YolactLoss.forward

    def full(self: YolactLoss, predictions: Any, targets: Any, mask_iou: Any = None) -> Any:
        tried.append(len(targets))
        if len(targets) > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return forward(self, predictions, targets, mask_iou)

    monkeypatch.setattr(YolactLoss, "forward", full)
    return tried


def test_batch_size_is_found_and_the_schedule_scaled_to_it(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """4 images fit, 8 do not: twice the rate and half the steps of a schedule for 2."""
    tried = out_of_memory_above(4, monkeypatch)
    options = [*SHORT, "schedule.max_steps=6", "schedule.warmup_steps=0", "model.freeze_bn=true"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path / "auto", *options, "dataset.batch_size=auto")
    assert sorted(set(tried)) == [2, 4, 8]
    assert "batch size 4 images on each device" in caplog.text
    assert "scaled to 4: learning rate 0.002" in caplog.text
    content = checkpoint(tmp_path / "auto")
    assert content["global_step"] == 3
    assert content["yolact_pl"]["config"]["dataset"]["batch_size"] == 4
    run_task(tmp_path / "given", *options, "dataset.batch_size=4")
    assert logged(tmp_path / "auto") == logged(tmp_path / "given")  # the search has left no trace
    assert not list((tmp_path / "auto").glob(".scale*"))
    tried.clear()
    last = tmp_path / "auto" / "checkpoints" / "last.ckpt"
    run_task(
        tmp_path / "more", *options, "dataset.batch_size=auto", f"resume={last}", "schedule.max_steps=10"
    )
    assert tried == [4, 4]  # what was found is kept


def test_learning_rate_is_found_and_used(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tuning, "NUM_RATES", 16)
    options = [*SHORT, "schedule.max_steps=2", "model.freeze_bn=true", "schedule.batch_size=4"]
    with caplog.at_level(logging.INFO):
        run_task(tmp_path / "auto", *options, "schedule.lr=auto", "schedule.max_steps=4")
    assert (tmp_path / "auto" / "learning_rate.png").stat().st_size > 1000
    config = checkpoint(tmp_path / "auto")["yolact_pl"]["config"]
    rate = config["schedule"]["lr"]
    assert f"schedule.lr={rate:g}" in caplog.text
    assert f"learning rate {rate / 2:.3g} for 2 images a step" in caplog.text  # the schedule is for 4
    warmup = config["schedule"]["warmup_lr"]
    assert warmup == min(1e-4, rate)
    given = [f"schedule.lr={rate}", f"schedule.warmup_lr={warmup}", "schedule.max_steps=4"]
    run_task(tmp_path / "given", *options, *given)
    assert logged(tmp_path / "auto") == logged(tmp_path / "given")
    assert run_task(tmp_path / "look", *options, "task=find_lr") == rate
    assert [path.name for path in (tmp_path / "look").iterdir()] == ["learning_rate.png"]


def test_steepest_fall() -> None:
    """A loss that falls by a sigmoid in the logarithm of the rate around 1e-3, and explodes at the end."""
    exponents = torch.linspace(-6, -1, 51)
    losses = 1 / (1 + torch.exp(4 * (exponents + 3)))
    losses[:5] += torch.tensor([0.0, 5.0, -5.0, 3.0, 0.0])  # noise before the average is one
    losses[-3:] = torch.tensor([2.0, 9.0, torch.inf])
    rate = tuning.steepest((10**exponents).tolist(), losses.tolist())
    assert rate == pytest.approx(1e-3, rel=1e-3)
    assert tuning.steepest((10**exponents).tolist(), list(range(51))) is None
    assert tuning.steepest([], []) is None


@pytest.mark.parametrize(
    "outside", [{"trainer.num_nodes": "2"}, {}], ids=["several machines", "started by torchrun"]
)
def test_nothing_is_searched_by_processes_that_others_start(
    outside: dict[str, str], run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not outside:
        monkeypatch.setattr(tuning.TorchElasticEnvironment, "detect", staticmethod(lambda: True))
    more = [f"{key}={value}" for key, value in outside.items()]
    with pytest.raises(ValueError, match=r"dataset\.batch_size=auto is found by a run on one machine"):
        run_task(tmp_path, "dataset.batch_size=auto", *more)


def test_a_schedule_of_many_epochs_is_told(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is trained: of 10 images at 2 a step, 1,000 epochs have 5,000 steps."""
    monkeypatch.setattr("pytorch_lightning.Trainer.fit", lambda *arguments, **options: None)
    stated = ["schedule.milestones=[2000,3000]", "schedule.batch_size=4"]
    run_task(tmp_path, "schedule.max_steps=2500", *stated)
    assert "is long" not in caplog.text
    run_task(tmp_path, "schedule.max_steps=5000", *stated)
    (told,) = (message for message in caplog.messages if "is long" in message)
    assert told.startswith("that is long for 10 images; experiment=own_data ")
    shorter = told.split("for 500 epochs: ")[1].split()
    assert shorter == ["schedule.max_steps=1250", "schedule.milestones=[500,750]"]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run_task(tmp_path, *stated, *shorter)
    assert "2,500 steps, 500.0 epochs" in caplog.text
