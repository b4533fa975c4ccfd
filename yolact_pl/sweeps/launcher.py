"""Runs the jobs of a sweep as processes, some at a time, and leaves none behind."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yolact_pl.sweeps.job import OUTPUT, RECORD, Job, JobResult, read_result, write_result

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_TAIL_BYTES = 8192


class SweepStopped(Exception):
    """A signal has ended the sweep; all its processes are gone.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"the sweep was stopped by {signal.Signals(number).name}")
        self.number = number


@dataclass
class _Running:
    job: Job
    process: "subprocess.Popen[bytes]"
    place: str | None
    started: float


def run_jobs(
    jobs: Sequence[Job],
    *,
    places: Sequence[str | None],
    grace_seconds: float,
    ended: Callable[[JobResult], None] = lambda result: None,
) -> list[JobResult]:
    """Run each job to its end; one that fails does not stop the others.

    What a job has left running when it ends is killed. On SIGINT or SIGTERM every job gets SIGTERM, and is
    killed after `grace_seconds` or at the second signal.

    Args:
        jobs: in the order of their start.
        places: one for each job that may run at the same time: its CUDA_VISIBLE_DEVICES, None to leave it.
        grace_seconds: for a job to save what it has.
        ended: called with each result as soon as there is one.

    Returns:
        One a job, in the order of `jobs`.

    Raises:
        SweepStopped: after SIGINT or SIGTERM.
    """
    waiting, free = list(jobs), list(places)
    running: list[_Running] = []
    results: dict[int, JobResult] = {}
    deadline: float | None = None
    with _signals() as received:
        try:
            while running or (waiting and not received):
                while waiting and free and not received:
                    running.append(_start(waiting.pop(0), free.pop(0)))
                if received and deadline is None:
                    deadline = time.monotonic() + grace_seconds
                    _ask_to_stop(running)
                if deadline is not None and (len(received) > 1 or time.monotonic() > deadline):
                    _kill(running)
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    free.append(one.place)
                    _kill([one])
                    results[one.job.number] = result = _result(one, stopped=bool(received))
                    ended(result)
                time.sleep(_POLL_SECONDS)
        finally:
            _kill(running)
        if received:
            raise SweepStopped(received[0])
    return [results[job.number] for job in jobs]


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """The numbers of the stop signals that came, instead of what they do otherwise."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, lambda came, frame: received.append(came)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


def _start(job: Job, place: str | None) -> _Running:
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / RECORD).unlink(missing_ok=True)
    environment = dict(os.environ) if place is None else {**os.environ, "CUDA_VISIBLE_DEVICES": place}
    with (job.folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            job.command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: Ctrl+C reaches it through us, and it ends as one
        )  # fmt: skip
    return _Running(job, process, place, time.time())


def _ask_to_stop(running: list[_Running]) -> None:
    """SIGTERM to each job's first process: it stops its ranks, and needs its data workers till then."""
    _log.info("stopping %d jobs: they may save; once more to stop at once", len(running))
    for one in running:
        one.process.terminate()


def _kill(running: list[_Running]) -> None:
    for one in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait()


def _result(one: _Running, *, stopped: bool) -> JobResult:
    """What the job has recorded, or else a record of its failure."""
    code, now = one.process.returncode, time.time()
    record = read_result(one.job.folder)
    status: Literal["done", "failed", "stopped"] = "done"
    error = "" if code == 0 else f"exit code {code}: {_last_words(one.job.folder / OUTPUT)}"
    if code != 0:
        status = "stopped" if stopped else "failed"
    result = JobResult(
        number=one.job.number,
        overrides=one.job.overrides,
        status=status,
        objective=record.objective if record and code == 0 else None,
        seconds=now - one.started,
        ended=now,
        folder=str(one.job.folder),
        error=error,
    )
    write_result(result)
    return result


def _last_words(path: Path) -> str:
    """The line of the output that says most about its end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    lines = [line.strip() for line in lines if line.strip() and "HYDRA_FULL_ERROR" not in line]
    told = [line for line in lines if "error:" in line.lower()]
    return (told or lines or ["no output"])[-1]
