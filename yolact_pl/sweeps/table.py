"""Table of a sweep's jobs, best first: on screen and as csv."""

import csv
import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from yolact_pl.sweeps.job import JobResult, read_results

COLUMNS = ("job", "objective", "status", "duration", "overrides", "folder", "error")
CSV = "sweep.csv"
"""In the sweep's folder."""


def best_first(results: Sequence[JobResult]) -> list[JobResult]:
    """Sorted by the objective; those without one at the end, by number."""
    return sorted(
        results, key=lambda r: (r.objective is None, -(r.objective or 0), r.status != "done", r.number)
    )


def write_csv(results: Sequence[JobResult], path: Path) -> None:
    """One row a job with all its overrides; the duration in seconds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for r in best_first(results):
            objective = "" if r.objective is None else r.objective
            overrides = " ".join(r.overrides)
            row = [r.number, objective, r.status, f"{r.seconds:.1f}", overrides, r.folder, r.error]
            writer.writerow(row)


def update_csv(folder: Path) -> list[JobResult]:
    """Write the csv of the jobs in a sweep's folder anew, and return their results."""
    results = read_results(folder)
    write_csv(results, folder / CSV)
    return results


def table(results: Sequence[JobResult]) -> str:
    """Lines for the screen. Overrides that all jobs share are said once, above."""
    shared = [o for o in results[0].overrides if all(o in r.overrides for r in results)] if results else []
    if len(results) < 2:
        shared = []
    own = [replace(r, overrides=[o for o in r.overrides if o not in shared]) for r in best_first(results)]
    rows = [list(COLUMNS[:-1]), *(_row(result) for result in own)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if index < 2 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*([f"all jobs: {' '.join(shared)}"] if shared else []), *lines])


def duration(seconds: float) -> str:
    """As hours:minutes:seconds."""
    return str(datetime.timedelta(seconds=round(seconds)))


def _row(result: JobResult) -> list[str]:
    objective = "" if result.objective is None else f"{result.objective:.4f}"
    overrides = " ".join(result.overrides)
    return [
        str(result.number), objective, result.status, duration(result.seconds), overrides, result.folder,
    ]  # fmt: skip
