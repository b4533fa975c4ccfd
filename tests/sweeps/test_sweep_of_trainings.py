"""Sweeps of real trainings, each on two processes."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_run import ROOT, TINY

pytestmark = pytest.mark.slow
SHORT = ["schedule.max_steps=2", "trainer.val_check_interval=2", "trainer.devices=2", "dataset.batch_size=1"]


def test_four_jobs_on_two_processes_each_and_one_that_fails(tmp_path: Path) -> None:
    # A weight decay below 0 fails in both processes, in the training.
    swept = "optimizer.weight_decay=1e-3,5e-4,-1,1e-4,2e-4"
    command = [
        *[sys.executable, str(ROOT / "run.py"), "-m", *TINY, *SHORT, swept, f"data_dir={tmp_path / 'data'}"],
        *[f"hydra.sweep.dir={tmp_path}", "hydra.launcher.parallel_jobs=2"],
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output = process.communicate(timeout=180)[0]
    finally:
        process.terminate()  # the sweep ends its jobs, which are process groups of their own
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = {int(row["job"]): row for row in csv.DictReader(file)}
    logs = "\n".join((tmp_path / str(number) / "output.log").read_text() for number in rows)
    assert process.returncode == 1, output + logs
    statuses = {number: row["status"] for number, row in rows.items()}
    assert statuses == {0: "done", 1: "done", 2: "failed", 3: "done", 4: "done"}, output + logs
    assert "weight_decay" in rows[2]["error"], rows[2]["error"]
    objectives = []
    for number, rate in ((0, "0.001"), (1, "0.0005"), (3, "0.0001"), (4, "0.0002")):
        assert f"optimizer.weight_decay={rate}" in rows[number]["overrides"].split()
        assert list((tmp_path / str(number) / "checkpoints").glob("*.ckpt"))
        assert (tmp_path / str(number) / "train_ddp_process_1.log").is_file()
        objectives.append(float(rows[number]["objective"]))
        percent = (tmp_path / str(number) / "output.log").read_text().split("(mask AP ")[1].split(")")[0]
        assert 100 * objectives[-1] == pytest.approx(float(percent), abs=0.005)
    assert all(0 <= objective <= 1 for objective in objectives)
