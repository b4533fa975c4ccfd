import numpy as np
import pytest

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.test_coco_ap import small_case
from yolact_pl.report.figures import evaluation_figures

SQUARE = (1, 1, 5, 5, 10, 1)


@pytest.mark.parametrize("classes", [1, 3, 1203])
@pytest.mark.parametrize("found", [0, 1])
def test_sets_of_all_kinds(classes: int, found: int) -> None:
    content, rows = small_case([SQUARE], [SQUARE, (1, 1, 30, 30, 5, 1)][: 2 * found])
    content["categories"] = [{"id": n, "name": f"$x_{n}^\n" * 9} for n in range(1, classes + 1)]
    figures = evaluation_figures(matched(content, rows))
    assert set(figures) == {"confusion", "precision_recall", "errors"}
    for picture in figures.values():
        assert picture.dtype == np.uint8
        assert picture.shape == (450, 540, 3)
        assert len(np.unique(picture)) > 10


def test_worse_detections_make_other_figures() -> None:
    content, rows = recorded()
    good = evaluation_figures(matched(content, rows))
    half = evaluation_figures(matched(content, rows[:25]))
    for name, picture in good.items():
        assert (picture != half[name]).any()
