import math

import numpy as np
import pytest
from hypothesis import given, settings

from tests.evaluation.matching.matched import matched
from tests.evaluation.test_coco_ap import Cells, cells, small_case
from yolact_pl.evaluation.analysis.thresholds import best_thresholds, usable_thresholds
from yolact_pl.evaluation.matching.ranking import rank_detections


@settings(deadline=None, max_examples=30)
@given(cells, cells)
def test_no_other_threshold_has_a_higher_f1(objects: Cells, found: Cells) -> None:
    content, rows = small_case(objects, found)
    rows = [row._replace(mask_scores=row.scores) for row in rows]
    matches = matched(content, rows)
    for label, best in enumerate(best_thresholds(matches)):
        f1s = {}
        for threshold in [0.0, *matches.scores.tolist(), best.threshold]:
            shown = matches.scores > threshold
            ranking = rank_detections(matches, "mask", iou_thresholds=[0.5])
            used = shown[ranking.detections] & (ranking.labels == label) & ~ranking.ignored[0]
            right = int((ranking.right[0] & used).sum())
            f1s[threshold] = 2 * right / max(int(used.sum()) + int(ranking.num_truths[label]), 1)
        if max(f1s.values()) == 0:
            assert math.isnan(best.threshold)
        else:
            assert best.f1 == pytest.approx(f1s[best.threshold])
            assert best.f1 >= max(f1s.values()) - 1e-9
            assert best.f1 == pytest.approx(2 * best.precision * best.recall / (best.precision + best.recall))


def test_halfway_to_the_next_score_and_a_default_where_nothing_is_found() -> None:
    square, elsewhere = (1, 1, 5, 5, 10, 1), (1, 1, 30, 30, 10, 1)
    content, rows = small_case([square], [square, elsewhere])
    rows[0] = rows[0]._replace(scores=[0.9, 0.5])
    best = best_thresholds(matched(content, rows))
    assert [one.name for one in best] == ["one", "two"]
    assert best[0].threshold == pytest.approx(0.7)
    assert best[0][2:] == (1, 1, 1)
    assert usable_thresholds(best) == [pytest.approx(0.7), 0.3]
    rows[0] = rows[0]._replace(scores=[0.9, 0.9])  # no threshold shows one of them only
    best = best_thresholds(matched(content, rows))
    assert best[0].threshold < np.float32(0.9)
    assert best[0].precision == 0.5
