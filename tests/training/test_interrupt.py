"""Runs that are stopped, and go on as if they had not been."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.csv_log import csv_rows, logged
from tests.processes import run_command, run_py
from yolact_pl.module import YolactModule

Run = Callable[..., Any]
EIGHT = ["schedule.max_steps=8", "augment=ssd", "model.freeze_bn=true"]
"""Steps; validated after the 4th and the last, 5 to an epoch."""
TWELVE = ["schedule.max_steps=12", "trainer.val_check_interval=null", "trainer.check_val_every_n_epoch=2"]
"""Validated after the second epoch."""


def validated(folder: Path) -> list[int]:
    """The steps after which there were validations."""
    return list(logged(folder, "val/mask_AP"))


def interrupted(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").glob("*_interrupt.ckpt"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "uninterrupted"


@pytest.fixture
def expected(uninterrupted: Path, run_task: Run) -> Path:
    """The folder of a run that nothing stopped."""
    if not uninterrupted.exists():
        run_task(uninterrupted, *EIGHT)
        assert sorted(logged(uninterrupted)) == list(range(8))
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
    assert interrupted(tmp_path / "stopped") == [f"shapes_published_0_{step}_interrupt.ckpt"]
    go_on(run_task, tmp_path / "on", f"shapes_published_0_{step}_interrupt.ckpt", *EIGHT)
    after = logged(tmp_path / "on")
    assert after == pytest.approx({k: v for k, v in logged(expected).items() if k >= step}, rel=1e-6)


def test_validation_is_finished_before_the_run_stops(
    run_task: Run, expected: Path, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """The signal comes in the validation after step 4."""
    signal_at("validation_step", 2)
    with pytest.raises(SystemExit):
        run_task(tmp_path / "stopped", *EIGHT)
    assert (tmp_path / "stopped" / "metrics.json").exists()
    assert interrupted(tmp_path / "stopped") == ["shapes_published_0_4_interrupt.ckpt"]
    go_on(run_task, tmp_path / "on", "shapes_published_0_4_interrupt.ckpt", *EIGHT)
    after = logged(tmp_path / "on")
    assert after == pytest.approx({k: v for k, v in logged(expected).items() if k >= 4}, rel=1e-6)
    assert validated(tmp_path / "on") == [7]


@pytest.mark.parametrize(("epoch", "step", "options"), [(0, 4, []), (1, 10, TWELVE)])
def test_validation_that_is_due_is_made_before_the_run_stops(
    epoch: int, step: int, options: list[str], run_task: Run, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """Neither left out nor made twice, and the best checkpoint is of both parts of the run."""
    run_task(tmp_path / "expected", *EIGHT, *options)
    signal_at("training_step", step)
    with pytest.raises(SystemExit):
        run_task(tmp_path / "stopped", *EIGHT, *options)
    assert interrupted(tmp_path / "stopped") == [f"shapes_published_{epoch}_{step}_interrupt.ckpt"]
    assert validated(tmp_path / "stopped") == [step - 1]
    checkpoint = tmp_path / "stopped" / "checkpoints" / f"shapes_published_{epoch}_{step}_interrupt.ckpt"
    run_task(tmp_path / "stopped", *EIGHT, *options, f"resume={checkpoint}")
    wanted = logged(tmp_path / "expected")
    assert logged(tmp_path / "stopped") == pytest.approx(wanted, rel=1e-6)
    assert validated(tmp_path / "stopped") == validated(tmp_path / "expected")
    stopped, whole = (
        {path.name for path in (tmp_path / run / "checkpoints").iterdir() if "interrupt" not in path.name}
        for run in ("stopped", "expected")
    )
    assert stopped == whole


def test_stopped_while_the_due_validation_runs_the_state_is_there(
    run_task: Run, signal_at: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that kills before the validation is over finds the state saved."""
    signal_at("training_step", 4)
    found: list[list[str]] = []
    original = YolactModule.validation_step

    def look(self: YolactModule, *arguments: Any) -> Any:
        found.append(interrupted(tmp_path))
        return original(self, *arguments)

    monkeypatch.setattr(YolactModule, "validation_step", look)
    with pytest.raises(SystemExit):
        run_task(tmp_path, *EIGHT)
    assert found[0] == ["shapes_published_0_4_interrupt.ckpt"]


def test_log_has_each_step_once(
    run_task: Run, expected: Path, signal_at: Callable[..., None], tmp_path: Path
) -> None:
    """The last step before the stop, and those before it when the run goes on in the same folder."""
    signal_at("training_step", 3)
    with pytest.raises(SystemExit):
        run_task(tmp_path, *EIGHT)
    assert sorted(logged(tmp_path)) == [0, 1, 2]
    run_task(tmp_path, *EIGHT, "resume=auto")
    assert logged(tmp_path) == pytest.approx(logged(expected), rel=1e-6)
    assert [row["step"] for row in csv_rows(tmp_path) if "loss/total" in row] == [str(n) for n in range(8)]


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
        run_task(tmp_path, *EIGHT, "trainer.accumulate_grad_batches=2")
    assert interrupted(tmp_path) == ["shapes_published_0_2_interrupt.ckpt"]


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
    assert interrupted(tmp_path) == ["shapes_published_0_3_interrupt.ckpt"]
    again = run_command(end.resume_command)
    assert again.code == 0, again.output
    wanted = {step: loss for step, loss in logged(expected).items() if step >= 3}
    assert {k: v for k, v in logged(tmp_path).items() if k >= 3} == pytest.approx(wanted, rel=1e-5)


TWO = ["trainer.devices=2", "dataset.batch_size=1"]


@pytest.mark.slow
def test_sigterm_to_one_of_two_processes_stops_both(data_dir: Path, tmp_path: Path) -> None:
    plan = CTRL_C.format(count=3, step="training_step", kill="os.kill(os.getpid(), signal.SIGTERM)")
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code == 143, end.output
    assert interrupted(tmp_path) == ["shapes_published_0_3_interrupt.ckpt"]
    assert end.output.count("state saved in") == 1


@pytest.mark.slow
def test_ctrl_c_to_two_processes_in_a_validation(
    data_dir: Path, expected: Path, run_task: Run, tmp_path: Path
) -> None:
    """5 images are 3 batches for the first process and 2 for the second. One process goes on."""
    plan = CTRL_C.format(count=2, step="validation_step", kill="os.killpg(0, signal.SIGINT)")
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code == 130, end.output
    assert interrupted(tmp_path) == ["shapes_published_0_4_interrupt.ckpt"]
    assert json.loads((tmp_path / "metrics.json").read_text())["images"] == 5
    run_task(tmp_path, *EIGHT, f"resume={tmp_path / 'checkpoints' / 'shapes_published_0_4_interrupt.ckpt'}")
    wanted = {step: loss for step, loss in logged(expected).items() if step >= 4}
    assert {k: v for k, v in logged(tmp_path).items() if k >= 4} == pytest.approx(wanted, rel=1e-3)


@pytest.mark.slow
def test_second_signal_ends_at_once(data_dir: Path, tmp_path: Path) -> None:
    kill = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)"
    plan = CTRL_C.format(count=2, step="training_step", kill=kill)
    end = run_py(tmp_path, *EIGHT, f"data_dir={data_dir}", plan=plan)
    assert end.code == -signal.SIGTERM, end.output
    assert "once more to stop at once" in end.output
    assert interrupted(tmp_path) == []
