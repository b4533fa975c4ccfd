"""report.html: at the end of a training, of tiles, and of files without annotations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_training_ends_with_a_report_of_its_best_checkpoint(
    run_task: Callable[..., Any], tmp_path: Path
) -> None:
    ap = run_task(tmp_path, "report=true")
    (best,) = (tmp_path / "checkpoints").glob("*_4.ckpt")
    page, numbers = (tmp_path / "report.html").read_text(), json.loads((tmp_path / "report.json").read_text())
    assert best.name in page
    assert numbers["measured"]["checkpoint"] == str(best)
    assert numbers["ap"]["mask"]["all"] == pytest.approx(ap, abs=1e-6)
    of_all = numbers["parts"]["sizes"]["all"]
    assert of_all["ap"] == pytest.approx(ap, abs=1e-6)
    assert sum(of_all["gains"].values()) == pytest.approx(1 - ap, abs=1e-5)
    assert page.count("<svg") >= 6, "curves of the evaluation, of the data and of the run"
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == ["version_0"]

    tiles = tmp_path / "tiles"
    run_task(tiles, "task=eval", f"checkpoint={best}", "report=true", "tile=40")
    assert "Masks were put together from tiles" in (tiles / "report.html").read_text()
    assert json.loads((tiles / "report.json").read_text())["parts"] is None


def test_no_report_where_none_is_asked_for(run_task: Callable[..., Any], tmp_path: Path) -> None:
    run_task(tmp_path)
    assert not (tmp_path / "report.html").exists()
