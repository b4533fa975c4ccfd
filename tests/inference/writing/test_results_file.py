import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from yolact_pl.inference.writing.results_file import ResultsFile, plain_result
from yolact_pl.results.detections import Detections


def two_objects() -> Detections:
    masks = np.zeros((2, 5, 7), dtype=np.bool_)
    masks[0, 1:3, 2:6] = True
    masks[1, 4, 0] = True
    return Detections.from_masks(
        boxes=[[2.0, 1.0, 6.0, 3.0], [0.0, 4.0, 1.25, 5.0]],
        scores=[0.75, 0.5],
        mask_scores=[0.25, 0.5],
        labels=[1, 0],
        masks=masks,
    )


def test_plain_result_survives_json() -> None:
    detections = two_objects()
    result = json.loads(json.dumps(plain_result("a/ü.jpg", detections, ["cat", "dog"])))
    masks = [coco_mask.decode(found.pop("segmentation")) for found in result["detections"]]
    assert (np.stack(masks) == detections.masks).all()
    assert result == {
        "file": "a/ü.jpg",
        "size": [5, 7],
        "detections": [
            {"label": 1, "name": "dog", "score": 0.75, "mask_score": 0.25, "box": [2.0, 1.0, 6.0, 3.0]},
            {"label": 0, "name": "cat", "score": 0.5, "mask_score": 0.5, "box": [0.0, 4.0, 1.25, 5.0]},
        ],
    }


def test_tracked_objects_say_so() -> None:
    tracked = replace(two_objects(), tracker_ids=np.array([12, 3]), coasting=np.array([False, True]))
    first, second = json.loads(json.dumps(plain_result("a.jpg", tracked, ["cat", "dog"])))["detections"]
    assert (first["tracker_id"], first["coasting"]) == (12, False)
    assert (second["tracker_id"], second["coasting"]) == (3, True)


def test_plain_result_of_nothing() -> None:
    assert plain_result("x.png", two_objects()[:0], []) == {"file": "x.png", "size": [5, 7], "detections": []}


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
