"""Sweeps of real trainings, each on two processes."""

import csv
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TINY: list[str] = runpy.run_path(str(ROOT / "tests" / "tasks" / "conftest.py"))["TINY"]
"""A few seconds a training."""
SHORT = ["schedule.max_steps=2", "trainer.val_check_interval=2", "trainer.devices=2", "dataset.batch_size=1"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(
    ("swept", "failed"),
    [
        (["backbone.depths=[1,1,1,1],[1,1,1,2]", "schedule.lr=1e-3,5e-4"], set()),
        (["schedule.lr=1e-3,5e-4,-1,1e-4"], {"2"}),
    ],
)
def test_sweep_on_two_processes_a_job(
    tmp_path: Path, data_dir: Path, swept: list[str], failed: set[str]
) -> None:
    command = [
        *[sys.executable, str(ROOT / "run.py"), "-m", *TINY, *SHORT, *swept, f"data_dir={data_dir}"],
        *[f"hydra.sweep.dir={tmp_path}", "hydra.launcher.parallel_jobs=2"],
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output = process.communicate(timeout=120)[0]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # the sweep ends its jobs, which are groups of their own
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = {row["job"]: row for row in csv.DictReader(file)}
    logs = "\n".join((tmp_path / number / "output.log").read_text() for number in rows)
    assert process.returncode == (1 if failed else 0), output + logs
    assert {number for number, row in rows.items() if row["status"] == "failed"} == failed, output + logs
    good = [row for number, row in rows.items() if number not in failed]
    assert len(good) == 4 - len(failed)
    for row in good:
        assert row["status"] == "done"
        assert 0 <= float(row["objective"]) <= 1
        assert list((tmp_path / row["job"] / "checkpoints").glob("*.ckpt"))
        assert (tmp_path / row["job"] / "train_ddp_process_1.log").is_file()
