"""What a person gets who types `python run.py -m ...`."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from sweep_command import command, environment, rows, sweep

SWEEP = "hydra.sweep.dir=sweep"


def test_failed_job_leaves_the_others_rows_and_exit_code_1(tmp_path: Path) -> None:
    end = sweep(tmp_path, SWEEP, "schedule.lr=1,2,3,0.5", "image_size=96", "hydra.launcher.parallel_jobs=2")
    assert end.returncode == 1, end.stdout
    table = rows(tmp_path / "sweep")
    assert [row["job"] for row in table] == ["3", "0", "1", "2"]
    assert [row["status"] for row in table] == ["done", "done", "done", "failed"]
    assert float(table[0]["objective"]) == pytest.approx(-(0.495**2))
    assert table[-1]["error"] == "exit code 1: error: schedule.lr=3: too much"
    assert "schedule.lr=0.5 image_size=96" in table[0]["overrides"]
    for number, lr in enumerate(["1", "2", "3", "0.5"]):
        folder = tmp_path / "sweep" / str(number)
        assert (folder / "output.log").read_text().splitlines()[0] == f"lr {lr}"
        config = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text())
        assert (config["schedule"]["lr"], config["image_size"]) == (float(lr), 96)
        assert len([line for line in end.stdout.splitlines() if f"schedule.lr={lr}  " in line]) <= 2
    assert "all jobs: " in end.stdout
    assert "job 2 failed: exit code 1: error: schedule.lr=3: too much (sweep/2)" in end.stdout
    assert "lr 1\n" not in end.stdout  # what jobs print is in their logs
    assert "Traceback" not in end.stdout


def test_good_sweep_without_a_name_has_exit_code_0(tmp_path: Path) -> None:
    end = sweep(tmp_path, "backbone=r18,r34")
    assert end.returncode == 0, end.stdout
    (folder,) = (tmp_path / "outputs" / "sweeps").iterdir()
    assert [row["job"] for row in rows(folder)] == ["0", "1"]
    chosen = [yaml.safe_load((folder / n / ".hydra" / "config.yaml").read_text())["name"] for n in ("0", "1")]
    assert (
        chosen
        == ["_".join(f"${{hydra:runtime.choices.{group}}}" for group in ("model", "backbone", "dataset"))] * 2
    )
    choices = [(folder / n / ".hydra" / "hydra.yaml").read_text() for n in ("0", "1")]
    assert ["backbone: r18" in choices[0], "backbone: r34" in choices[1]] == [True, True]


def test_job_is_no_sweep_and_gets_hydra_options_and_odd_folders(tmp_path: Path) -> None:
    (tmp_path / "more" / "experiment").mkdir(parents=True)
    (tmp_path / "more" / "experiment" / "mine.yaml").write_text("# @package _global_\nschedule: {lr: 7}\n")
    folder = tmp_path / "it's a, [sweep]=\\x"
    quoted = str(folder).replace("'", "\\'")
    end = sweep(
        tmp_path, f"hydra.sweep.dir='{quoted}'", "experiment=mine",
        "hydra.sweep.subdir=job_${hydra.job.num}", "hydra.job.name=mine", "data_dir=${seed}/x",
        "--config-dir", "more",
    )  # fmt: skip
    assert end.returncode == 0, end.stdout
    assert len(rows(folder)) == 1
    config = yaml.safe_load((folder / "job_0" / ".hydra" / "config.yaml").read_text())
    assert config["data_dir"] == "${seed}/x"
    assert (folder / "job_0" / "output.log").read_text().splitlines()[0] == "lr 7"
    hydra = yaml.safe_load((folder / "job_0" / ".hydra" / "hydra.yaml").read_text())["hydra"]
    assert (hydra["mode"], hydra["job"]["name"], hydra["job"]["num"]) == ("RUN", "mine", 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["hydra.launcher.parallel_jobs=0"], "error: hydra.launcher.parallel_jobs=0: expected 1 or more"),
        (["seed=1,2", "hydra.sweep.subdir=x"], "gives two jobs the same folder"),
        (["hydra/launcher=slurm"], "the Hydra plugin of this launcher is not installed"),
    ],
)
def test_mistake_is_told_before_a_job_starts(tmp_path: Path, arguments: list[str], told: str) -> None:
    end = sweep(tmp_path, SWEEP, *arguments)
    assert end.returncode == 1
    assert told in end.stdout
    assert "Traceback" not in end.stdout
    assert not list(tmp_path.rglob("output.log"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_jobs_and_tells_what_has_ended(tmp_path: Path, number: signal.Signals) -> None:
    arguments = command(tmp_path, SWEEP, "source=null,wait,wait2", "hydra.launcher.parallel_jobs=1")
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment(tmp_path), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (tmp_path / "sweep" / "1" / "waits").exists():
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 128 + number, output
    assert [(row["job"], row["status"]) for row in rows(tmp_path / "sweep")] == [
        ("0", "done"),
        ("1", "stopped"),
    ]
    assert f"stopped by {number.name}" in output
    assert "Traceback" not in output


def test_other_launchers_report_too(tmp_path: Path) -> None:
    end = sweep(tmp_path, SWEEP, "schedule.lr=1,2", "hydra/launcher=basic")
    assert end.returncode == 0, end.stdout
    assert [row["job"] for row in rows(tmp_path / "sweep")] == ["0", "1"]
