"""Runs that are stopped, and go on as if they had not been."""

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import run_command, run_py

from yolact_pl.module import YolactModule

Run = Callable[..., Any]
EIGHT = ["schedule.max_steps=8", "augment=ssd", "model.freeze_bn=true"]
"""Steps; validated after the 4th and the last, 5 to an epoch."""


def losses(folder: Path) -> dict[int, float]:
    with (folder / "csv" / "metrics.csv").open() as file:
        return {
            int(row["step"]): float(row["loss/total"]) for row in csv.DictReader(file) if row["loss/total"]
        }


def interrupted(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").glob("*_interrupt.ckpt"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "uninterrupted"


@pytest.fixture
def expected(uninterrupted: Path, run_task: Run) -> Path:
    """The folder of a run that nothing stopped."""
    torch.set_num_threads(1)
    if not uninterrupted.exists():
        run_task(uninterrupted, *EIGHT)
        assert sorted(losses(uninterrupted)) == list(range(8))
    return uninterrupted


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """SIGTERM to this process before the call number `count` of a step of the module."""

    def plant(step: str, count: int) -> None:
        original = getattr(YolactModule, step)
        calls: list[int] = []

        def planted(self: YolactModule, *arguments: Any) -> Any:
            calls.append(1)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *arguments)

        monkeypatch.setattr(YolactModule, step, planted)

    return plant


def go_on(run_task: Run, folder: Path, checkpoint: str, *overrides: str) -> None:
    run_task(folder, *overrides, f"resume={folder.parent / 'stopped' / 'checkpoints' / checkpoint}")


@pytest.mark.parametrize("step", [3, 5])
def test_stopped_in_a_step_or_at_the_end_of_an_epoch(
    step: int, run_task: Run, expected: Path, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    signal_at("training_step", step)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as stop:
        run_task(tmp_path / "stopped", *EIGHT)
    assert stop.value.code == 143
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert interrupted(tmp_path / "stopped") == [f"quickstart_0_{step}_interrupt.ckpt"]
    go_on(run_task, tmp_path / "on", f"quickstart_0_{step}_interrupt.ckpt", *EIGHT)
    after = losses(tmp_path / "on")
    assert after == pytest.approx({k: v for k, v in losses(expected).items() if k >= step}, rel=1e-6)


def test_validation_is_finished_before_the_run_stops(
    run_task: Run, expected: Path, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """The signal comes in the validation after step 4: it is finished, and step 5 made."""
    signal_at("validation_step", 2)
    with pytest.raises(SystemExit):
        run_task(tmp_path / "stopped", *EIGHT)
    assert (tmp_path / "stopped" / "metrics.json").exists()
    assert interrupted(tmp_path / "stopped") == ["quickstart_0_5_interrupt.ckpt"]
    go_on(run_task, tmp_path / "on", "quickstart_0_5_interrupt.ckpt", *EIGHT)
    after = losses(tmp_path / "on")
    assert after == pytest.approx({k: v for k, v in losses(expected).items() if k >= 5}, rel=1e-6)


def test_validation_after_the_last_step_is_finished(
    run_task: Run, expected: Path, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """3 batches a validation: the 5th is in the second one."""
    signal_at("validation_step", 5)
    run_task(tmp_path, *EIGHT)
    assert interrupted(tmp_path) == []
    assert (tmp_path / "metrics.json").read_text() == (expected / "metrics.json").read_text()


def test_accumulated_gradients_are_not_lost(
    run_task: Run, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """Two batches a step: a signal in the third batch stops after the fourth."""
    signal_at("training_step", 3)
    with pytest.raises(SystemExit):
        run_task(tmp_path, *EIGHT, "schedule.max_steps=4", "trainer.accumulate_grad_batches=2")
    assert interrupted(tmp_path) == ["quickstart_0_2_interrupt.ckpt"]


CTRL_C = """
calls = []

def press(module, *arguments):
    calls.append(1)
    if rank == 0 and len(calls) == {count}:
        {kill}

before(YolactModule, "{step}", press)
"""


@pytest.mark.slow
def test_ctrl_c_and_the_printed_command(data_dir: Path, expected: Path, tmp_path: Path) -> None:
    plan = CTRL_C.format(count=3, step="training_step", kill="os.killpg(0, signal.SIGINT)")
    options = [*EIGHT, f"data_dir={data_dir}", "dataset.num_workers=1"]
    end = run_py(tmp_path, *options, plan=plan)
    assert end.code == 130, end.output
    assert "Traceback" not in end.output
    assert interrupted(tmp_path) == ["quickstart_0_3_interrupt.ckpt"]
    again = run_command(end.resume_command)
    assert again.code == 0, again.output
    wanted = {step: loss for step, loss in losses(expected).items() if step >= 3}
    assert {k: v for k, v in losses(tmp_path).items() if k >= 3} == pytest.approx(wanted, rel=1e-5)


TWO = ["trainer.devices=2", "dataset.batch_size=1"]


@pytest.mark.slow
def test_sigterm_to_one_of_two_processes_stops_both(data_dir: Path, tmp_path: Path) -> None:
    plan = CTRL_C.format(count=3, step="training_step", kill="os.kill(os.getpid(), signal.SIGTERM)")
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code == 143, end.output
    assert interrupted(tmp_path) == ["quickstart_0_3_interrupt.ckpt"]
    assert end.output.count("state saved in") == 1


@pytest.mark.slow
def test_ctrl_c_to_two_processes_in_a_validation(
    data_dir: Path, expected: Path, run_task: Run, tmp_path: Path
) -> None:
    """5 images are 3 batches for the first process and 2 for the second. One process goes on."""
    plan = CTRL_C.format(count=2, step="validation_step", kill="os.killpg(0, signal.SIGINT)")
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code == 130, end.output
    assert interrupted(tmp_path) == ["quickstart_0_5_interrupt.ckpt"]
    assert json.loads((tmp_path / "metrics.json").read_text())["images"] == 5
    run_task(tmp_path, *EIGHT, f"resume={tmp_path / 'checkpoints' / 'quickstart_0_5_interrupt.ckpt'}")
    wanted = {step: loss for step, loss in losses(expected).items() if step >= 5}
    assert {k: v for k, v in losses(tmp_path).items() if k >= 5} == pytest.approx(wanted, rel=1e-3)


@pytest.mark.slow
def test_second_signal_ends_at_once(data_dir: Path, tmp_path: Path) -> None:
    kill = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)"
    plan = CTRL_C.format(count=2, step="training_step", kill=kill)
    end = run_py(tmp_path, *EIGHT, f"data_dir={data_dir}", plan=plan)
    assert end.code == -signal.SIGTERM, end.output
    assert "once more to stop at once" in end.output
    assert interrupted(tmp_path) == []


@pytest.mark.slow
def test_killed_run_goes_on_from_its_last_checkpoint(
    data_dir: Path, expected: Path, run_task: Run, tmp_path: Path
) -> None:
    plan = CTRL_C.format(count=7, step="training_step", kill="os.kill(os.getpid(), signal.SIGKILL)")
    options = [*EIGHT, "callbacks.periodic.every_n_train_steps=3"]
    end = run_py(tmp_path, *options, f"data_dir={data_dir}", plan=plan)
    assert end.code == -signal.SIGKILL, end.output
    run_task(tmp_path, *options, "resume=auto")
    after = losses(tmp_path)
    assert max(after) == 7
    wanted = {step: loss for step, loss in losses(expected).items() if step >= 6}
    assert {k: v for k, v in after.items() if k >= 6} == pytest.approx(wanted, rel=1e-5)
