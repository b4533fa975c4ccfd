"""What the end of a sweep says."""

import logging
from pathlib import Path

import pytest

from yolact_pl.cli.sweep_report import report
from yolact_pl.sweeps.job import JobResult, write_result


def test_runs_with_reports_are_compared_by_a_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, objective in enumerate((0.2, 0.4, 0.3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_result(
            JobResult(
                number=number,
                overrides=[f"seed={number}"],
                status="done",
                objective=objective,
                seconds=1.0,
                ended=2.0,
                folder=str(folder),
                error="",
            )
        )
        if number:
            (folder / "report.json").touch()
    with caplog.at_level(logging.INFO):
        report(tmp_path)
    assert f"task=compare 'runs=[{tmp_path}/1,{tmp_path}/2]'" in caplog.text.replace('"', "")
