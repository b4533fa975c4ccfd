import math

import numpy as np
import pytest

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.test_coco_ap import small_case
from yolact_pl.evaluation.analysis.scores import score_histogram
from yolact_pl.evaluation.matching.ranking import rank_detections


def test_histogram_and_calibration_equal_a_slow_loop() -> None:
    matches = matched(*recorded())
    ranking = rank_detections(matches, "mask", iou_thresholds=[0.5])
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(10)]
    for score, right, ignored in zip(ranking.scores, ranking.right[0], ranking.ignored[0], strict=True):
        if not ignored:
            bins[min(int(score * 10), 9)].append((float(score), bool(right)))
    histogram = score_histogram(matches, "mask", bins=10)
    assert histogram.right.tolist() == [sum(right for _, right in pairs) for pairs in bins]
    assert histogram.wrong.tolist() == [sum(not right for _, right in pairs) for pairs in bins]
    total = sum(map(len, bins))
    error = sum(abs(sum(score - right for score, right in pairs)) / total for pairs in bins)
    assert histogram.calibration_error == pytest.approx(error, abs=1e-6)


def test_two_detections_by_hand() -> None:
    """Scores 0.8 right and 0.6 wrong: distances 0.2 and 0.6, mean 0.4."""
    content, rows = small_case([(1, 1, 5, 5, 10, 1)], [(1, 1, 5, 5, 10, 1), (1, 1, 30, 30, 10, 1)])
    rows[0] = rows[0]._replace(scores=[0.8, 0.6])
    assert score_histogram(matched(content, rows), "box").calibration_error == pytest.approx(0.4)
    nothing = score_histogram(matched(*small_case([], [])), "box")
    assert math.isnan(nothing.calibration_error)
    assert np.isnan(nothing.mean_scores).all()
