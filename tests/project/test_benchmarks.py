"""The report of `make bench`: what the scripts print is found again, and judged."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def run_all(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("run_all", "required", "alternating"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import run_all

    return run_all


def printed(run_all: ModuleType, capsys: pytest.CaptureFixture[str], published: float, ours: float) -> str:
    """What a script prints of a stage."""
    from alternating import Row, print_figures, print_rows

    name = "training sample, 550 px"
    print_rows(
        [
            Row(name, "published formulation", published, 1.0),
            Row(name, "this project", ours, published / ours),
            Row("another stage", "this project", 7.0, 1.0),
        ]
    )
    print_figures({"growth of a worker over 2,000 samples": "+0.9 MiB"})
    return capsys.readouterr().out


@pytest.mark.parametrize(("ours", "ratio", "judged"), [(5.0, "8.0x", "reached"), (10.0, "4.0x", "**not")])
def test_rows_are_found_compared_and_judged(
    ours: float, ratio: str, judged: str, run_all: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run_all.Output(printed(run_all, capsys, 40.0, ours), 1.0, False)
    lines = run_all.summary({"data": output}).splitlines()
    (line,) = [line for line in lines if line.startswith("| training samples")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:4] == ["25 images/s", f"{1000 / ours:.0f} images/s", ratio]
    assert cells[4].startswith(f"5x, {judged}")
    (line,) = [line for line in lines if line.startswith("| evaluation samples")]
    assert "not measured" in line


def test_figures_are_found(run_all: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    output = run_all.Output(printed(run_all, capsys, 40.0, 5.0), 1.0, False)
    (line,) = [
        line for line in run_all.summary({"data_memory": output}).splitlines() if line.startswith("| growth")
    ]
    assert "| +0.9 MiB |" in line


def test_a_script_that_fails_is_told(run_all: ModuleType) -> None:
    """With the others' tables; `--nonsense` is no option of that script."""
    output = run_all.run("start_up", ["--nonsense"])
    assert output.failed
    assert "## start_up.py FAILED" in run_all.report({"start_up": output}, 0.0)


BY_HAND = ("evaluation_report", "export", "tracking")
"""What takes minutes, or a trained checkpoint."""


def test_every_required_row_is_of_a_script_that_is_run(run_all: ModuleType) -> None:
    from required import REQUIRED

    assert {required.script for required in REQUIRED} <= set(run_all.SCRIPTS)
    assert set(run_all.SCRIPTS) >= {path.stem for path in BENCHMARKS.glob("*.py") if is_script(path)}


def is_script(path: Path) -> bool:
    return "if __name__" in path.read_text() and path.stem not in ("run_all", "doctor", *BY_HAND)
