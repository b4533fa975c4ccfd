from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.reading import read_content
from yolact_pl.evaluation.confusion_matrix import Confusion, confusion_matrix, worst_confusions
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.evaluation.report import write_confusion_matrix
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import encode_detections

SIDE = 24
Boxes = list[tuple[int, int, int, int, int, bool]]
boxes = st.lists(
    # class, x, y, width, height, crowd
    st.tuples(st.integers(0, 2), *[st.integers(0, 12)] * 2, *[st.integers(3, 12)] * 2, st.booleans()),
    max_size=6,
)


def annotated(objects: Boxes) -> dict[str, Any]:
    return {
        "images": [{"id": 5, "height": SIDE, "width": SIDE}],
        "categories": [{"id": 10 * (label + 1)} for label in range(3)],
        "annotations": [
            {
                "id": number,
                "image_id": 5,
                "category_id": 10 * (label + 1),
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": int(crowd),
                "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
            }
            for number, (label, x, y, w, h, crowd) in enumerate(objects)
        ],
    }


def rectangles(objects: Boxes) -> np.ndarray:
    masks = np.zeros((len(objects), SIDE, SIDE), bool)
    for mask, (_, x, y, w, h, _) in zip(masks, objects, strict=True):
        mask[y : y + h, x : x + w] = True
    return masks


def detected(found: Boxes, scores: list[float]) -> Detections:
    return Detections.from_masks(
        boxes=[[x, y, x + w, y + h] for _, x, y, w, h, _ in found],
        scores=scores,
        labels=[row[0] for row in found],
        masks=rectangles(found),
    )


def slow_matrix(objects: Boxes, found: Boxes) -> np.ndarray:
    matrix = np.zeros((4, 4), int)
    truth, taken = rectangles(objects), set()
    for mask, (label, *_) in zip(rectangles(found), found, strict=True):
        best, best_iou = None, 0.5
        in_crowd = False
        for j, (true_label, *_, crowd) in enumerate(objects):
            both = (mask & truth[j]).sum()
            if crowd:
                in_crowd |= true_label == label and both / mask.sum() >= 0.5
            elif j not in taken:
                iou = both / (mask | truth[j]).sum()
                if iou >= best_iou:
                    best, best_iou = j, iou
        if best is not None:
            taken.add(best)
            matrix[objects[best][0], label] += 1
        elif not in_crowd:
            matrix[3, label] += 1
    for j, (true_label, *_, crowd) in enumerate(objects):
        if not crowd and j not in taken:
            matrix[true_label, 3] += 1
    return matrix


def matched(content: dict[str, Any], *found: Detections) -> SetMatches:
    """Detections of the image 5."""
    metric = DetectionMatches(read_content(content))
    metric.update([encode_detections(5, one, metric.annotations.category_ids) for one in found])
    return metric.compute()


@settings(deadline=None, max_examples=100)
@given(boxes, boxes)
def test_equals_a_slow_loop(objects: Boxes, found: Boxes) -> None:
    scores = [0.9 - 0.1 * n for n in range(len(found))]  # from the seventh on they would be too low
    matrix = confusion_matrix(matched(annotated(objects), detected(found, scores)))
    np.testing.assert_array_equal(matrix, slow_matrix(objects, found))


def test_low_scores_and_repeated_images_do_not_count() -> None:
    square = (1, 2, 2, 10, 10, False)
    found = detected([square, square], [0.6, 0.5]), detected([square], [0.9])
    expected = np.zeros((4, 4), np.int64)
    expected[1, 1] = 1
    matches = matched(annotated([square]), *found)
    np.testing.assert_array_equal(confusion_matrix(matches, score_threshold=0.5), expected)


def test_worst_confusions_are_between_classes() -> None:
    matrix = np.array([[5, 1, 4], [3, 1, 0], [9, 9, 0]])
    assert worst_confusions(matrix, 5) == [Confusion(1, 0, 3, 0.75), Confusion(0, 1, 1, 0.1)]
    assert worst_confusions(matrix, 1) == [Confusion(1, 0, 3, 0.75)]
    assert worst_confusions(np.zeros((1, 1), np.int64), 5) == []


def test_file(tmp_path: Any) -> None:
    write_confusion_matrix(np.array([[3, 1], [2, 0]]), ["cat"], tmp_path / "new")
    lines = (tmp_path / "new" / "confusion_matrix.csv").read_text().splitlines()
    assert lines == ["truth,cat,background", "cat,3,1", "background,2,0"]


def test_image_of_another_set() -> None:
    metric = DetectionMatches(read_content(annotated([])))
    with pytest.raises(ValueError, match="image id 9 is not in"):
        metric.update([encode_detections(9, detected([], []), [10, 20, 30])])
