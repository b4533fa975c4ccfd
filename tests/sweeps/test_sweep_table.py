"""The table of a sweep."""

import csv
from pathlib import Path
from typing import Any

from yolact_pl.sweeps.job import JobResult, read_results, write_result
from yolact_pl.sweeps.table import best_first, table, write_csv


def result(number: int, objective: float | None, **changes: Any) -> JobResult:
    values: dict[str, Any] = {
        "number": number,
        "overrides": ["a=1", f"b={number}"],
        "status": "done",
        "objective": objective,
        "seconds": 3723.4,
        "ended": 5.0,
        "folder": f"sweep/{number}",
    }
    return JobResult(**{**values, **changes})


RESULTS = [
    result(0, 0.1),
    result(1, None, status="failed", error='exit code 1: a "bad", thing'),
    result(2, 0.3),
    result(3, None),
    result(4, 0.0),
    result(5, -0.2),
]


def test_best_first_and_those_without_objective_last() -> None:
    assert [r.number for r in best_first(RESULTS)] == [2, 0, 4, 5, 3, 1]


def test_csv_reads_back(tmp_path: Path) -> None:
    write_csv(RESULTS, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["job"] for row in rows] == ["2", "0", "4", "5", "3", "1"]
    assert rows[0] == {
        "job": "2",
        "objective": "0.3",
        "status": "done",
        "duration": "3723.4",
        "overrides": "a=1 b=2",
        "folder": "sweep/2",
        "error": "",
    }
    assert (rows[-1]["objective"], rows[-1]["error"]) == ("", 'exit code 1: a "bad", thing')


def test_screen_says_shared_overrides_once() -> None:
    lines = table(RESULTS).splitlines()
    assert lines[0] == "all jobs: a=1"
    assert lines[1].split() == ["job", "objective", "status", "duration", "overrides", "folder"]
    assert lines[3].split() == ["2", "0.3000", "done", "1:02:03", "b=2", "sweep/2"]
    assert lines[-1].split() == ["1", "failed", "1:02:03", "b=1", "sweep/1"]
    assert len({line.index("sweep/") for line in lines[3:]}) == 1


def test_single_job_keeps_its_overrides() -> None:
    assert table(RESULTS[:1]).splitlines()[-1].split()[-3:] == ["a=1", "b=0", "sweep/0"]


def test_records_are_found_below_the_folder_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    written = [
        result(n, n / 7, folder=str(tmp_path / place)) for n, place in ((10, "z"), (2, "a/b"), (9, "c"))
    ]
    for one in written:
        Path(one.folder).mkdir(parents=True)
        write_result(one)
    assert read_results(tmp_path) == [written[1], written[2], written[0]]
