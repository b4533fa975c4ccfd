"""Jobs as processes of their own, with small programs in the place of trainings."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from yolact_pl.sweeps.job import OUTPUT, RECORD, Job, JobResult, finite, read_results
from yolact_pl.sweeps.launcher import SweepStopped, run_jobs

SPEAKS = f"""
import json, os, sys, time
begin = time.time()
time.sleep(0.3)
record = dict(number=0, overrides=[], status="done", seconds=0, ended=0, folder="")
record["objective"] = float(sys.argv[1])
with open(os.path.join(sys.argv[2], "{RECORD}"), "w") as file:
    json.dump(record, file)
print(json.dumps([begin, time.time(), os.environ.get("CUDA_VISIBLE_DEVICES")]))
"""
WAITS = "import time; print('ready', flush=True); time.sleep(60)"
SAVES = """
import pathlib, signal, sys, time
def save(number, frame):
    time.sleep(0.5)
    pathlib.Path(sys.argv[1], "saved").touch()
    raise SystemExit(143)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(60)
"""
REFUSES = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
LEAVES_A_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
"""


def job(number: int, folder: Path, code: str, *arguments: object) -> Job:
    command = [sys.executable, "-S", "-c", code, *map(str, arguments)]
    return Job(number, [f"x={number}"], command, folder / str(number))


def run(jobs: list[Job], places: tuple[str | None, ...] = (None,), grace: float = 20) -> list[JobResult]:
    return run_jobs(jobs, places=places, grace_seconds=grace)


def output(folder: Path, number: int) -> str:
    return (folder / str(number) / OUTPUT).read_text()


def alive(pid: int) -> bool:
    """Whether it still runs; a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def send(*numbers: signal.Signals, when: list[Path], pause: float = 0) -> threading.Thread:
    """Signals to this process, once the files have content."""

    def act() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not all(p.is_file() and p.stat().st_size for p in when):
            time.sleep(0.02)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(pause)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_places_are_used_by_one_job_at_a_time_and_all_at_once(tmp_path: Path) -> None:
    jobs = [job(n, tmp_path, SPEAKS, n / 10, tmp_path / str(n)) for n in range(5)]
    results = run(jobs, places=("0,1", "2,3"))
    assert [result.objective for result in results] == [0, 0.1, 0.2, 0.3, 0.4]
    assert [result.status for result in results] == ["done"] * 5
    assert results == read_results(tmp_path)
    times = [json.loads(output(tmp_path, n)) for n in range(5)]
    assert {seen for *_, seen in times} == {"0,1", "2,3"}
    for place in ("0,1", "2,3"):
        own = sorted(one for one in times if one[2] == place)
        assert all(first[1] < second[0] for first, second in itertools.pairwise(own))
    assert max(times[0][0], times[1][0]) < min(times[0][1], times[1][1])  # the first two overlap


def test_without_devices_a_job_sees_what_this_process_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    run([job(0, tmp_path, SPEAKS, 1, tmp_path / "0")])
    assert json.loads(output(tmp_path, 0))[2] == "7"


def test_failed_job_tells_why_and_the_others_run(tmp_path: Path) -> None:
    fails = "import sys; print('error: no such data'); print('Set HYDRA_FULL_ERROR=1'); sys.exit(3)"
    jobs = [
        job(0, tmp_path, fails),
        job(1, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        job(2, tmp_path, SPEAKS, 0.5, tmp_path / "2"),
    ]
    results = run(jobs)
    assert [(result.status, result.objective) for result in results] == [
        ("failed", None), ("failed", None), ("done", 0.5)
    ]  # fmt: skip
    assert results[0].error == "exit code 3: error: no such data"
    assert results[1].error == "exit code -9: no output"
    assert results == read_results(tmp_path)


def test_result_of_an_earlier_sweep_in_the_folder_does_not_count(tmp_path: Path) -> None:
    run([job(0, tmp_path, SPEAKS, 0.9, tmp_path / "0")])
    (result,) = run([job(0, tmp_path, "pass")])
    assert (result.status, result.objective) == ("done", None)


def test_what_a_job_leaves_running_is_ended(tmp_path: Path) -> None:
    run([job(0, tmp_path, LEAVES_A_CHILD)])
    assert not alive(int(output(tmp_path, 0)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_lets_jobs_save_and_starts_no_more(tmp_path: Path, number: signal.Signals) -> None:
    jobs = [job(0, tmp_path, SAVES, tmp_path), job(1, tmp_path, WAITS), job(2, tmp_path, WAITS)]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    thread = send(number, when=[tmp_path / "0" / OUTPUT, tmp_path / "1" / OUTPUT])
    with pytest.raises(SweepStopped) as stop:
        run(jobs, places=(None, None))
    thread.join()
    assert stop.value.number == number
    assert (tmp_path / "saved").is_file()
    assert [(result.number, result.status) for result in read_results(tmp_path)] == [
        (0, "stopped"), (1, "stopped")
    ]  # fmt: skip
    assert not (tmp_path / "2").exists()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(("grace", "signals"), [(0.3, 1), (60, 2)])
def test_job_that_goes_on_is_killed_after_a_while_or_at_the_second_signal(
    tmp_path: Path, grace: float, signals: int
) -> None:
    thread = send(*[signal.SIGTERM] * signals, when=[tmp_path / "0" / OUTPUT], pause=0.3)
    start = time.monotonic()
    with pytest.raises(SweepStopped):
        run([job(0, tmp_path, REFUSES)], grace=grace)
    thread.join()
    assert time.monotonic() - start < 15
    assert read_results(tmp_path)[0].error.startswith("exit code -9")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, 0.25),
        (1, 1.0),
        (None, None),
        (float("nan"), None),
        (float("-inf"), None),
        (True, None),
        ("1", None),
    ],
)
def test_objective_is_a_finite_number(value: object, expected: float | None) -> None:
    assert finite(value) == expected
