"""Curves of a run's own log files, and what train and val differ in."""

from pathlib import Path

import numpy as np
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from yolact_pl.report.plots import Line, line_plot
from yolact_pl.report.sections.data import SetData, differences
from yolact_pl.report.sections.training_run import read_curves, training_run


def log(logger: CSVLogger | TensorBoardLogger) -> None:
    for step in range(3):
        logger.log_metrics({"loss/total": 3.0 - step, "lr-SGD": 0.1}, step)
    logger.log_metrics({"val/mask_AP": 0.25}, 2)
    logger.save()
    logger.finalize("success")


def test_curves_of_both_loggers(tmp_path: Path) -> None:
    log(CSVLogger(tmp_path / "a", name="csv"))
    log(TensorBoardLogger(tmp_path / "b", name="", version="tensorboard"))
    for folder in ("a", "b"):
        curves = read_curves(tmp_path / folder)
        assert curves["loss/total"] == [(0, 3), (1, 2), (2, 1)]
        assert curves["val/mask_AP"] == [(2, 0.25)]
        html = training_run(curves, ["schedule.lr: 1 -> <2>"])
        assert html.count("<svg") == 3
        assert "schedule.lr: 1 -&gt; &lt;2&gt;" in html
    assert read_curves(tmp_path / "none") == {}


def test_points_of_a_line() -> None:
    """The frame is 420 x 260 with margins 46, 10, 8 and 34; nan is left out."""
    html = line_plot("t", [Line("a", [0, 1, 2], [0, np.nan, 1])], x_label="x", x_range=(0, 2), y_range=(0, 1))
    assert 'points="46.0,226.0 410.0,8.0"' in html
    assert line_plot("t", [Line("a", [0], [np.nan])], x_label="x") == ""


def test_sets_that_differ() -> None:
    def of(counts: list[int], side: float, per_image: int) -> SetData:
        return SetData(4, np.full(sum(counts), side), np.full(4, per_image), np.array(counts))

    names = ["cat", "dog", "cow"]
    train = of([80, 20, 3], 30.0, 5)
    assert differences({"train": train, "val": of([80, 20, 3], 30.0, 5)}, names) == []
    assert differences({"val": train}, names) == []
    assert differences({"train": train, "val": of([20, 80, 0], 60.0, 5)}, names) == [
        "no object in val: cow",
        "dog: 19.4 % of the objects in train, 80.0 % in val",
        "cat: 77.7 % of the objects in train, 20.0 % in val",
        "median side of an object: 30 px in train, 60 px in val",
    ]
