"""Runs to which accidents happen, and what is left of them."""

import errno
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.csv_log import logged
from tests.processes import Finished, run_py
from yolact_pl.callbacks import checkpoint_file
from yolact_pl.data import loader
from yolact_pl.data.loader import prepare_worker
from yolact_pl.module import YolactModule

Run = Callable[..., Any]
EIGHT = [
    "schedule.max_steps=8",
    "augment=ssd",
    "model.freeze_bn=true",
    "callbacks.periodic.every_n_train_steps=3",
]
"""Steps; validated after the 4th and the last, 5 to an epoch; checkpoints after 3, 4, 6 and 8."""
TWO = ["trainer.devices=2", "dataset.batch_size=1"]


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def is_sentence(end: Finished, *words: str) -> None:
    """The run ended with exit code 1 and one line that says why."""
    assert end.code == 1, end.output
    assert "Traceback" not in end.output, end.output
    errors = [line for line in end.output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, end.output
    for word in words:
        assert word in errors[0]


def outlived_by_a_minute_at_most(end: Finished, folder: Path) -> bool:
    """Whether the run's last process ended that soon after the accident."""
    return end.ended - float((folder / "accident").read_text()) < 60


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "uninterrupted"


@pytest.fixture
def expected(uninterrupted: Path, run_task: Run) -> dict[int, float]:
    """The losses of a run that nothing stopped."""
    if not uninterrupted.exists():
        run_task(uninterrupted, *EIGHT)
        assert sorted(logged(uninterrupted)) == list(range(8))
    return logged(uninterrupted)


KILL_IN_STEP = """
from yolact_pl.losses.yolact_loss import YolactLoss
calls = []

def kill(*arguments):
    calls.append(1)
    if len(calls) == 6:
        os.kill(os.getpid(), signal.SIGKILL)

before(YolactLoss, "forward", kill)
"""


@pytest.mark.slow
def test_killed_in_a_step(data_dir: Path, expected: dict[int, float], run_task: Run, tmp_path: Path) -> None:
    """Goes on from the state after step 4; a data worker does not outlive the run."""
    end = run_py(tmp_path, *EIGHT, f"data_dir={data_dir}", "dataset.num_workers=1", plan=KILL_IN_STEP)
    assert end.code == -signal.SIGKILL, end.output
    assert sorted(logged(tmp_path)) == [0, 1, 2, 3, 4]
    run_task(tmp_path, *EIGHT, "resume=auto")
    assert logged(tmp_path) == pytest.approx(expected, rel=1e-5)


KILL_IN_WRITE = """
write, files = checkpoint_file._write, []

def half(path, content):
    files.append(path.name)
    if files.count("shapes_published_1_6_periodic.ckpt.partial"):
        path.write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content)

checkpoint_file._write = half
"""


@pytest.mark.slow
def test_killed_while_a_checkpoint_is_written(
    data_dir: Path,
    expected: dict[int, float],
    run_task: Run,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    end = run_py(tmp_path, *EIGHT, f"data_dir={data_dir}", plan=KILL_IN_WRITE)
    assert end.code == -signal.SIGKILL, end.output
    left = ["last.ckpt", "shapes_published_0_3_periodic.ckpt", "shapes_published_0_4.ckpt"]
    assert checkpoints(tmp_path) == [*left, "shapes_published_1_6_periodic.ckpt.partial"]
    for name in left:
        torch.load(tmp_path / "checkpoints" / name, weights_only=True)
    run_task(tmp_path, *EIGHT, "resume=auto")
    warnings = [record.message for record in caplog.records if "resume=auto skips" in record.message]
    assert len(warnings) == 1
    assert "shapes_published_1_6_periodic.ckpt.partial was not written to its end" in warnings[0]
    assert logged(tmp_path) == pytest.approx(expected, rel=1e-5)
    assert not [name for name in checkpoints(tmp_path) if name.endswith(".partial")]


DISK_FULL = """
calls = []

def fill(*arguments):
    calls.append(1)
    if len(calls) == 6:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

before(YolactModule, "training_step", fill)
"""


@pytest.mark.slow
def test_checkpoint_larger_than_there_is_room_for(data_dir: Path, tmp_path: Path) -> None:
    end = run_py(tmp_path, *EIGHT, f"data_dir={data_dir}", plan=DISK_FULL)
    is_sentence(end, "shapes_published_1_6_periodic.ckpt cannot be written (File too large", "resume=auto")
    left = ["last.ckpt", "shapes_published_0_3_periodic.ckpt", "shapes_published_0_4.ckpt"]
    assert checkpoints(tmp_path) == left


@pytest.mark.parametrize("count", [2, 3, 4], ids=["best", "last", "second periodic"])
def test_full_disk(
    count: int, expected: dict[int, float], run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever checkpoint fails, the run goes on from the one before as if nothing had been."""
    write, calls = checkpoint_file._write, []

    def full(path: Path, content: memoryview) -> None:
        calls.append(path)
        if len(calls) == count:
            path.write_bytes(content[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoint_file, "_write", full)
    with pytest.raises(checkpoint_file.CheckpointWriteError, match="No space left on device"):
        run_task(tmp_path, *EIGHT)
    assert not [name for name in checkpoints(tmp_path) if name.endswith(".partial")]
    run_task(tmp_path, *EIGHT, "resume=auto")
    assert logged(tmp_path) == pytest.approx(expected, rel=1e-6)


def test_unreadable_checkpoints_are_passed_over(
    expected: dict[int, float],
    uninterrupted: Path,
    run_task: Run,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the newest: garbage, one that is cut short, weights alone, then the state after step 6."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    good = (uninterrupted / "checkpoints" / "shapes_published_1_6_periodic.ckpt").read_bytes()
    content = torch.load(uninterrupted / "checkpoints" / "last.ckpt", weights_only=True)
    (folder / "state.ckpt").write_bytes(good)
    torch.save({key: content[key] for key in ("state_dict", "yolact_pl")}, folder / "weights.ckpt")
    (folder / "short.ckpt").write_bytes(good[:-1000])
    (folder / "garbage.ckpt").write_bytes(b"garbage")
    for age, name in enumerate(["garbage", "short", "weights", "state"]):
        os.utime(folder / f"{name}.ckpt", (1e9 - age, 1e9 - age))
    run_task(tmp_path, *EIGHT, "resume=auto")
    lines = [record.message for record in caplog.records if "resume=auto skips" in record.message]
    assert [name in line for name, line in zip(["garbage", "short", "weights"], lines, strict=True)] == [
        True
    ] * 3
    assert logged(tmp_path) == pytest.approx({k: v for k, v in expected.items() if k >= 6}, rel=1e-6)


AT_STEP_3 = """
calls = []

def accident(module, *arguments):
    calls.append(1)
    if len(calls) == 3 and {condition}:
        with open(os.path.join(module.trainer.default_root_dir, "accident"), "w") as file:
            print(time.monotonic(), file=file)
        {accident}

before(YolactModule, "training_step", accident)
"""


@pytest.mark.slow
def test_sigterm_to_all_processes(
    data_dir: Path, expected: dict[int, float], run_task: Run, tmp_path: Path
) -> None:
    """As schedulers send it: the data workers too get it, before the run has what it needs from them."""
    plan = AT_STEP_3.format(condition="True", accident="os.system(f'kill -TERM -{os.getpgrp()}')")
    workers = ["dataset.num_workers=2", f"data_dir={data_dir}"]
    end = run_py(tmp_path, *EIGHT, *workers, plan=plan)
    assert end.code == 143, end.output
    assert "shapes_published_0_3_interrupt.ckpt" in checkpoints(tmp_path)
    assert outlived_by_a_minute_at_most(end, tmp_path)
    run_task(tmp_path, *EIGHT, "resume=auto")
    assert logged(tmp_path) == pytest.approx(expected, rel=1e-5)


def worker(ready: Any) -> None:
    prepare_worker(0)
    ready.set()
    time.sleep(60)


@pytest.fixture
def started_worker() -> Iterator[Any]:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=worker, args=(ready,))
    process.start()
    ready.wait()
    yield process
    process.kill()


def ask_to_stop(process: Any) -> None:
    """From another process than the worker's own."""
    subprocess.run(["kill", "-TERM", str(process.pid)], check=True)


def test_worker_ends_at_once_for_its_own_process(started_worker: Any) -> None:
    started_worker.terminate()
    started_worker.join(5)
    assert started_worker.exitcode == 0


def test_worker_ends_at_the_second_signal_of_another(started_worker: Any) -> None:
    ask_to_stop(started_worker)
    started_worker.join(1)
    assert started_worker.is_alive()
    ask_to_stop(started_worker)
    started_worker.join(5)
    assert started_worker.exitcode == 143


def test_worker_does_not_go_on_for_ever(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "SECONDS_AFTER_SIGTERM", 0.5)
    process = request.getfixturevalue("started_worker")
    ask_to_stop(process)
    process.join(5)
    assert process.exitcode == 143


@pytest.mark.slow
def test_data_worker_is_killed(data_dir: Path, tmp_path: Path) -> None:
    plan = AT_STEP_3.format(condition="True", accident="multiprocessing.active_children()[0].kill()")
    end = run_py(tmp_path, *EIGHT, "dataset.num_workers=1", f"data_dir={data_dir}", plan=plan)
    is_sentence(end, "data worker", "Killed", "dataset.num_workers")


@pytest.mark.slow
def test_second_process_is_killed(data_dir: Path, tmp_path: Path) -> None:
    plan = AT_STEP_3.format(condition="rank == 1", accident="os.kill(os.getpid(), signal.SIGKILL)")
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code != 0, end.output
    assert "terminated with code -9" in end.output or "another process of this run has ended" in end.output
    assert outlived_by_a_minute_at_most(end, tmp_path)


@pytest.mark.slow
def test_first_process_is_killed_while_the_second_waits(data_dir: Path, tmp_path: Path) -> None:
    """A GPU's collective operation does not notice that: like sleeping."""
    accident = "(os.kill(os.getpid(), signal.SIGKILL) if rank == 0 else time.sleep(600))"
    plan = AT_STEP_3.format(condition="True", accident=accident)
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=plan)
    assert end.code == -signal.SIGKILL, end.output
    assert "the first process of this run has ended" in end.output
    assert outlived_by_a_minute_at_most(end, tmp_path)


@pytest.mark.slow
def test_disk_of_the_first_process_is_full(data_dir: Path, tmp_path: Path) -> None:
    """Only the first one writes; the second says no more than that the first has ended."""
    end = run_py(tmp_path, *EIGHT, *TWO, f"data_dir={data_dir}", plan=DISK_FULL)
    assert end.code == 1, end.output
    assert "Traceback" not in end.output, end.output
    assert end.output.count("periodic.ckpt cannot be written (File too large") == 1


@pytest.fixture
def images_of_steps(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The images of each training batch, as they are used."""
    used: list[list[int]] = []
    original = YolactModule.training_step

    def note(self: YolactModule, batch: Any, batch_idx: int) -> Any:
        used.append(batch[1].image_ids)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(YolactModule, "training_step", note)
    return used


def stop_at(monkeypatch: pytest.MonkeyPatch, run_task: Run, step: int, *arguments: Any) -> None:
    """Run until this process gets a SIGTERM in that step."""
    with monkeypatch.context() as patch:
        original = YolactModule.on_train_batch_start

        def planted(self: YolactModule, *hook: Any) -> Any:
            if self.trainer.global_step == step - 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *hook)

        patch.setattr(YolactModule, "on_train_batch_start", planted)
        with pytest.raises(SystemExit):
            run_task(*arguments)


CONSTANT = ["schedule.warmup_steps=0", "schedule.milestones=[4]", "schedule.gamma=0.5", "logger=csv"]
"""For 2 images a step: 1e-3, from step 4 on 5e-4."""


@pytest.mark.parametrize(
    ("batch_sizes", "step", "rates"),
    [
        # 4 images a step: 2e-3, from step 2 of 4 on 1e-3. After the first step 6 of 2 images are left.
        ((4, 2), 1, [2e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 5e-4]),
        ((4, 2), 3, [2e-3, 2e-3, 1e-3, 5e-4, 5e-4]),
        # After 2 steps of 2 images, 3 of 4 are left; of the first epoch, 10 images, one.
        ((2, 4), 2, [1e-3, 1e-3, 2e-3, 1e-3, 1e-3]),
    ],
)
def test_resumed_with_another_total_batch(
    batch_sizes: tuple[int, int],
    step: int,
    rates: list[float],
    run_task: Run,
    images_of_steps: list[list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = (f"dataset.batch_size={size}" for size in batch_sizes)
    stop_at(monkeypatch, run_task, step, tmp_path, *EIGHT, *CONSTANT, first)
    with caplog.at_level("INFO"):
        run_task(tmp_path, *EIGHT, *CONSTANT, second, "resume=auto")
    assert logged(tmp_path, "lr-AdamW") == pytest.approx(dict(enumerate(rates)))
    assert [len(images) for images in images_of_steps] == [batch_sizes[0]] * step + [batch_sizes[1]] * (
        len(rates) - step
    )
    told = [record.message for record in caplog.records if record.message.startswith("batch ")]
    assert len(told) == 1
    assert f"{batch_sizes[0]} images a step up to step {step}, {batch_sizes[1]} from there on" in told[0]


def test_stopped_again_after_the_total_batch_has_changed(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, but in three runs."""
    stop_at(monkeypatch, run_task, 1, tmp_path, *EIGHT, *CONSTANT, "dataset.batch_size=4")
    stop_at(monkeypatch, run_task, 4, tmp_path, *EIGHT, *CONSTANT, "resume=auto")
    run_task(tmp_path, *EIGHT, *CONSTANT, "resume=auto")
    rates = [2e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 5e-4]
    assert logged(tmp_path, "lr-AdamW") == pytest.approx(dict(enumerate(rates)))


def test_epoch_goes_on_with_another_total_batch(
    run_task: Run, images_of_steps: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 images: after 4 the other 6, then a new epoch with a validation between, as is due."""
    options = [*EIGHT, "trainer.val_check_interval=null", "trainer.check_val_every_n_epoch=1"]
    stop_at(monkeypatch, run_task, 1, tmp_path, *options, "dataset.batch_size=4")
    run_task(tmp_path, *options, "dataset.batch_size=2", "resume=auto")
    used = [image_id for images in images_of_steps for image_id in images]
    assert sorted(used[:10]) == sorted(set(used))
    assert len(set(used)) == 10
    assert len(used) == 16
    assert list(logged(tmp_path, "val/mask_AP")) == [3, 6]  # and after the last step


def test_resumed_with_another_learning_rate(
    run_task: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command line says counts, also for a run that goes on."""
    stop_at(monkeypatch, run_task, 2, tmp_path, *EIGHT, *CONSTANT)
    run_task(tmp_path, *EIGHT, *CONSTANT, "schedule.lr=1e-4", "resume=auto")
    wanted = [1e-3, 1e-3, 1e-4, 1e-4, 5e-5, 5e-5, 5e-5, 5e-5]
    assert logged(tmp_path, "lr-AdamW") == pytest.approx(dict(enumerate(wanted)))


@pytest.mark.slow
def test_resumed_on_one_device_after_two(data_dir: Path, run_task: Run, tmp_path: Path) -> None:
    """2 images on each device; the interrupted run has made 3 of 4 steps, 2 of 8 are left."""
    plan = AT_STEP_3.format(condition="rank == 1", accident="os.kill(os.getpid(), signal.SIGTERM)")
    end = run_py(tmp_path, *EIGHT, *CONSTANT, "trainer.devices=2", f"data_dir={data_dir}", plan=plan)
    assert end.code == 143, end.output
    run_task(tmp_path, *EIGHT, *CONSTANT, "resume=auto")
    rates = [2e-3, 2e-3, 1e-3, 5e-4, 5e-4]
    assert logged(tmp_path, "lr-AdamW") == pytest.approx(dict(enumerate(rates)))
    assert sorted(logged(tmp_path)) == [0, 1, 2, 3, 4]
