"""Ways to train on several devices, simulated by two processes on the CPU: all give what one gives."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator
from torch import nn

from tests.csv_log import logged
from tests.processes import ROOT, TINY, run_command, run_py
from tests.tiny_run import compose_config
from yolact_pl.models.batch_norm import freeze_batch_norm
from yolact_pl.training.sync_batch_norm import SyncTrainedBatchNorm
from yolact_pl.training.trainer import build_trainer

Run = Callable[..., Any]
SHORT = [
    "schedule=coco_800k",  # SGD with momentum, as published
    "schedule.max_steps=4",
    "schedule.batch_size=2",
    "schedule.warmup_steps=2",
    "schedule.lr=1e-3",
    "schedule.milestones=[3]",
    "model.freeze_bn=true",
]
TWO = ["trainer.devices=2", "dataset.batch_size=1"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], rtol=0, atol=1e-5, msg=name)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("one") / "run"


@pytest.fixture
def one_process(one: Path, run_task: Run) -> Path:
    """The folder of the run that the others have to equal."""
    if not one.exists():
        run_task(one, *SHORT)
    return one


@pytest.mark.slow
def test_spawned_processes(one_process: Path, data_dir: Path, tmp_path: Path) -> None:
    end = run_py(tmp_path, *SHORT, *TWO, "trainer=ddp_spawn", f"data_dir={data_dir}")
    assert end.code == 0, end.output
    same_weights(weights(tmp_path), weights(one_process))
    assert logged(tmp_path, "loss/total") == pytest.approx(logged(one_process, "loss/total"), rel=1e-4)
    for line in ("mask |", "best checkpoint"):  # the log of the first, and of no other
        assert end.output.count(line) == 1, end.output
    best = max(logged(tmp_path, "val/mask_AP").values())
    assert f"(mask AP {100 * best:.2f})" in end.output  # it comes back from the processes


@pytest.mark.slow
def test_batch_size_that_the_first_process_finds_is_that_of_all(data_dir: Path, tmp_path: Path) -> None:
    plan = """
from yolact_pl.losses.yolact_loss import YolactLoss

def full(loss, predictions, targets, *others):
    if len(targets) > 2:
        raise RuntimeError("CUDA out of memory.")

before(YolactLoss, "forward", full)
"""
    options = ["trainer=ddp_sim", "dataset.batch_size=auto", "trainer.limit_val_batches=0"]
    end = run_py(tmp_path, *options, f"data_dir={data_dir}", "model.freeze_bn=true", plan=plan)
    assert end.code == 0, end.output
    assert end.output.count("batch size 2 images on each device") == 1
    assert "scaled to 4: learning rate 0.002" in end.output  # two processes with 2
    assert sorted(logged(tmp_path, "loss/total")) == [0, 1]  # instead of 4 steps with 2


LATE = """
import os, time
if os.environ["RANK"] == "1":
    time.sleep(1.5)  # its folder would be called after another second
"""


@pytest.mark.slow
def test_torchrun(one_process: Path, data_dir: Path, tmp_path: Path) -> None:
    """One folder, also where the command line does not name it."""
    script = tmp_path / "run.py"
    script.write_text(LATE + (ROOT / "run.py").read_text())
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    folder = "hydra.run.dir=" + str(tmp_path / "runs") + "/${now:%H-%M-%S}"
    arguments = [*TINY, *SHORT, *TWO, f"data_dir={data_dir}", folder]
    end = run_command(shlex.join([*launch, str(script), *arguments]))
    assert end.code == 0, end.output
    folders = set((tmp_path / "runs").iterdir())
    (run,) = (path for path in folders if (path / "checkpoints").is_dir())
    same_weights(weights(run), weights(one_process))
    assert end.output.count("mask |") == 1
    for other in folders - {run}:  # made by Hydra, before the processes meet
        assert {path.suffix for path in other.rglob("*") if path.is_file()} <= {".log", ".yaml"}


def test_batch_norm_over_all_devices_leaves_what_is_frozen() -> None:
    trained, frozen = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    freeze_batch_norm(frozen)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), trained, nn.Sequential(frozen))
    network = SyncTrainedBatchNorm().apply(network)
    assert isinstance(network[1], nn.SyncBatchNorm)
    assert network[1].weight is trained.weight
    assert network[2][0] is frozen
    network.train()
    assert not frozen.training
    back = SyncTrainedBatchNorm().revert(network)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in back.modules())
    assert torch.equal(back[1].running_var, trained.running_var)


def test_batch_norm_over_all_devices_needs_gpus(tmp_path: Path) -> None:
    cfg = compose_config([*TINY, "trainer.sync_batchnorm=true"], tmp_path)
    with pytest.raises(ValueError, match="sync_batchnorm=true needs GPUs"):
        build_trainer(cfg, [])


@pytest.mark.parametrize(("choice", "devices"), [("cpu", 1), ("ddp_sim", 2), ("ddp", 3)])
def test_choice_has_its_devices(choice: str, devices: int, tmp_path: Path) -> None:
    tiny = [override for override in TINY if not override.startswith("trainer.")]
    more = ["trainer.accelerator=cpu", "trainer.devices=3"] if devices == 3 else []
    trainer = build_trainer(compose_config([*tiny, f"trainer={choice}", *more], tmp_path), [])
    assert type(trainer.accelerator).__name__ == "CPUAccelerator"
    assert trainer.num_devices == devices
    kwargs = getattr(trainer.strategy, "_ddp_kwargs", {"forward_sync_buffers": False})
    assert False in (kwargs.get("forward_sync_buffers"), kwargs.get("broadcast_buffers"))


@pytest.mark.parametrize("choice", ["gpu", "mps"])
@pytest.mark.parametrize("batch_size", ["2", "auto"])
def test_device_that_is_not_there_is_told(
    choice: str, batch_size: str, run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for accelerator in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(accelerator, "is_available", staticmethod(lambda: False))
    with pytest.raises(ValueError, match=rf"^trainer\.accelerator={choice}: PyTorch sees no such device"):
        run_task(tmp_path, f"trainer.accelerator={choice}", f"dataset.batch_size={batch_size}")
