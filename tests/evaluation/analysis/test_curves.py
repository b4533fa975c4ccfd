import numpy as np

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.matching.test_average_precision import expected
from tests.evaluation.test_coco_ap import small_case
from yolact_pl.evaluation.analysis.curves import precision_recall_curves

SQUARE = (1, 1, 5, 5, 10, 1)


def test_curves_are_those_of_pycocotools() -> None:
    content, rows = recorded()
    table = expected(content, rows, "segm")[0][..., 0]
    curves = precision_recall_curves(matched(content, rows), "mask")
    assert [curve.iou_threshold for curve in curves] == [0.5, 0.75]
    for curve, theirs in zip(curves, (table[0], table[5]), strict=True):
        np.testing.assert_allclose(np.nan_to_num(curve.per_class, nan=-1), theirs.T, atol=1e-9)
        np.testing.assert_allclose(curve.overall, theirs[:, theirs[0] > -1].mean(axis=1), atol=1e-9)


def test_without_objects_or_detections() -> None:
    (curve, _) = precision_recall_curves(matched(*small_case([SQUARE], [])), "box")
    assert (curve.overall == 0).all()
    assert np.isnan(curve.per_class[1]).all()
    (curve, _) = precision_recall_curves(matched(*small_case([], [SQUARE])), "box")
    assert np.isnan(curve.overall).all()
