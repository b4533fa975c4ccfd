import numpy as np
import torch

from yolact_pl.anchor_search.coverage import Coverage, Objects
from yolact_pl.anchor_search.plot import draw_anchors
from yolact_pl.anchor_search.report import describe_forms, level_table, size_table
from yolact_pl.models.anchors import Anchors

OLD = Anchors([10, 20, 40, 80, 160], [1, 0.5, 2], square=True)
NEW = Anchors([8, 16, 30, 80, 160], [1, 0.75, 1.5])
OBJECTS = Objects(
    torch.tensor([[0.0, 0, 10, 10], [0, 0, 20, 20], [4, 4, 60, 40], [9, 9, 9, 9]]),
    torch.full((4, 2), 64),
    torch.tensor([50.0, 2000, 2000, 100]),
)
BEFORE = Coverage(torch.tensor([0.4, 0.6, 0.2, 0.4]), torch.tensor([0, 1, 2, 0]))
AFTER = Coverage(torch.tensor([0.8, 0.6, 0.7, 0.0]), torch.tensor([0, 1, 1, 0]))


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if "-+-" not in line]


def test_sizes() -> None:
    assert cells(size_table(OBJECTS, BEFORE, AFTER))[1:] == [
        ["all", "4", "0.400", "0.525", "25.0 %", "75.0 %"],
        ["small", "2", "0.400", "0.400", "0.0 %", "50.0 %"],
        ["medium", "2", "0.400", "0.650", "50.0 %", "100.0 %"],
        ["large", "0", "-", "-", "-", "-"],
    ]


def test_levels() -> None:
    assert cells(level_table((OLD, BEFORE), (NEW, AFTER)))[1:] == [
        ["P3", "10", "8", "2", "2", "0.400", "0.400", "0.0 %", "50.0 %"],
        ["P4", "20", "16", "1", "2", "0.600", "0.650", "100.0 %", "100.0 %"],
        ["P5", "40", "30", "1", "0", "0.200", "-", "0.0 %", "-"],
        ["P6", "80", "80", "0", "0", "-", "-", "-", "-"],
        ["P7", "160", "160", "0", "0", "-", "-", "-", "-"],
    ]


def test_forms() -> None:
    assert describe_forms(OLD) == "squares of 1, 0.707, 1.41 times the scale"
    assert describe_forms(NEW) == "width / height 1, 0.75, 1.5"


def test_plot_shows_both_and_takes_an_empty_box() -> None:
    picture = draw_anchors(OBJECTS, (OLD, BEFORE), (NEW, AFTER))
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    same = draw_anchors(OBJECTS, (OLD, BEFORE), (OLD, BEFORE))
    differing = (picture != same).any(axis=2)
    assert differing[:, : picture.shape[1] // 2].any()  # the sizes
    assert differing[:, picture.shape[1] // 2 :].any()  # the IoUs
