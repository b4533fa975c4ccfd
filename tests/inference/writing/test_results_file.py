import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from yolact_pl.inference.writing.results_file import ResultsFile, mask_polygons, plain_result
from yolact_pl.structures import Detections


def two_objects() -> Detections:
    masks = torch.zeros(2, 5, 7, dtype=torch.bool)
    masks[0, 1:3, 2:6] = True
    masks[1, 4, 0] = True
    return Detections(
        boxes=torch.tensor([[2.0, 1.0, 6.0, 3.0], [0.0, 4.0, 1.25, 5.0]]),
        scores=torch.tensor([0.75, 0.5]),
        mask_scores=torch.tensor([0.25, 0.5]),
        labels=torch.tensor([1, 0]),
        masks=masks,
    )


def no_objects(height: int, width: int) -> Detections:
    return Detections(
        boxes=torch.zeros(0, 4),
        scores=torch.zeros(0),
        mask_scores=torch.zeros(0),
        labels=torch.zeros(0, dtype=torch.int64),
        masks=torch.zeros(0, height, width, dtype=torch.bool),
    )


def test_plain_result_survives_json() -> None:
    detections = two_objects()
    result = json.loads(json.dumps(plain_result("a/ü.jpg", detections, ["cat", "dog"])))
    masks = [coco_mask.decode(found.pop("segmentation")) for found in result["detections"]]
    assert (np.stack(masks) == detections["masks"].numpy()).all()
    assert result == {
        "file": "a/ü.jpg",
        "size": [5, 7],
        "detections": [
            {"label": 1, "name": "dog", "score": 0.75, "mask_score": 0.25, "box": [2.0, 1.0, 6.0, 3.0]},
            {"label": 0, "name": "cat", "score": 0.5, "mask_score": 0.5, "box": [0.0, 4.0, 1.25, 5.0]},
        ],
    }


def test_plain_result_of_nothing() -> None:
    assert plain_result("x.png", no_objects(3, 4), []) == {"file": "x.png", "size": [3, 4], "detections": []}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_results_file_is_one_json_of_all_images(tmp_path: Path, count: int) -> None:
    results = [plain_result(f"{i}ü.jpg", two_objects(), ["cat", "dog"]) for i in range(count)]
    path = tmp_path / "new" / "predictions.json"
    with ResultsFile(path) as file:
        for result in results:
            file.add(result)
            assert not path.exists()
    assert json.loads(path.read_text(encoding="utf-8")) == results
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_run_leaves_the_old_file_and_keeps_its_own_results(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text("old")

    def fail() -> None:
        with ResultsFile(path) as file:
            file.add({"file": "a.jpg"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert json.loads((tmp_path / "predictions.partial.json").read_text()) == [{"file": "a.jpg"}]


def rasterised(polygons: list[np.ndarray], height: int, width: int) -> np.ndarray:
    flat = [polygon.astype(float).ravel().tolist() for polygon in polygons]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width))).astype(bool)


def with_holes_filled(mask: np.ndarray) -> np.ndarray:
    """All that the outside cannot reach by steps along rows and columns."""
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    return (parts != parts[0, 0])[1:-1, 1:-1]


def test_polygon_of_a_rectangle_follows_its_edges() -> None:
    mask = torch.zeros(6, 9, dtype=torch.bool)
    mask[1:4, 2:7] = True
    (polygon,) = mask_polygons(mask)
    assert sorted(map(tuple, polygon.tolist())) == [(2, 1), (2, 4), (7, 1), (7, 4)]


def test_polygons_of_parts_holes_and_nothing() -> None:
    mask = torch.zeros(9, 20, dtype=torch.bool)
    assert mask_polygons(mask) == []
    mask[0:9, 0:9] = True
    mask[3:5, 3:5] = False
    mask[8, 19] = True
    polygons = mask_polygons(mask)
    areas = sorted(cv2.contourArea(polygon.astype(np.float32)) for polygon in polygons)
    assert areas == [1, 81]  # one pixel; 9 x 9 with its hole filled


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_polygons_give_the_filled_mask_again(mask: np.ndarray) -> None:
    polygons = mask_polygons(torch.from_numpy(mask))
    again = rasterised(polygons, *mask.shape) if polygons else np.zeros_like(mask)
    assert (again == with_holes_filled(mask)).all()
