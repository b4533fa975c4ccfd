"""A job of a sweep, and the record that is left of it in its folder."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

RECORD = "job.json"
"""Written by the job when it ends well, and by who started it when it does not."""

OUTPUT = "output.log"
"""All that the job prints, its other processes included."""


@dataclass(frozen=True)
class Job:
    """What to start.

    Args:
        number: in the sweep.
        overrides: of the config, as on the command line.
        command: the program with its arguments.
        folder: for all that the job writes.
    """

    number: int
    overrides: list[str]
    command: list[str]
    folder: Path


@dataclass(frozen=True)
class JobResult:
    """What has become of a job.

    Args:
        number: in the sweep.
        overrides: of the config, as on the command line.
        status: `stopped` where the sweep was stopped before the job had ended.
        objective: what the job returned, more is better; None where that was no finite number.
        seconds: from its start to its end.
        ended: seconds since 1970.
        folder: of the job.
        error: why it failed.
    """

    number: int
    overrides: list[str]
    status: Literal["done", "failed", "stopped"]
    objective: float | None
    seconds: float
    ended: float
    folder: str
    error: str = ""


def finite(value: object) -> float | None:
    """The number that a job returned, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def write_result(result: JobResult) -> None:
    """Leave the record in the job's folder, whole or not at all."""
    path = Path(result.folder) / RECORD
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(result), indent=1) + "\n")
    part.replace(path)


def read_result(folder: Path) -> JobResult | None:
    """The record of a job, None where there is none."""
    path = folder / RECORD
    return JobResult(**json.loads(path.read_text())) if path.is_file() else None


def read_results(folder: Path) -> list[JobResult]:
    """The records of all jobs below a sweep's folder, by number."""
    found = [result for path in folder.rglob(RECORD) if (result := read_result(path.parent))]
    return sorted(found, key=lambda result: (result.number, result.ended))
