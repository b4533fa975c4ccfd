"""`report.json`: numbers of all sections, for sets of all kinds."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.test_coco_ap import small_case
from yolact_pl.evaluation.analysis.bootstrap import RankedSet, WeightedPrecision
from yolact_pl.evaluation.confusion_matrix import confusion_matrix
from yolact_pl.evaluation.matching.average_precision import average_precision
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.report.numbers import report_numbers, write_numbers
from yolact_pl.report.packed_arrays import pack, unpack
from yolact_pl.report.sections.data import SetData


def numbers_of(matches: SetMatches) -> dict[str, Any]:
    return report_numbers(
        measured={"checkpoint": "model.ckpt"},
        matches=matches,
        precision={"box": average_precision(matches, "box"), "mask": average_precision(matches, "mask")},
        file_names=[f"{image_id}.jpg" for image_id in matches.image_ids],
    )


def test_recorded_detections(tmp_path: Path) -> None:
    matches = matched(*recorded())
    path = write_numbers(numbers_of(matches), tmp_path / "new")
    numbers = json.loads(path.read_text())
    assert numbers["measured"] == {"checkpoint": "model.ckpt"}
    assert len(numbers["images"]["files"]) == len(numbers["images"]["mask_ap"]) == 50
    for kind in ("box", "mask"):
        ap = numbers["ap"][kind]
        curves = numbers["curves"][kind]
        assert np.mean(curves[0]["overall"]) == pytest.approx(ap["50"], abs=1e-4)
        assert np.mean(curves[1]["overall"]) == pytest.approx(ap["75"], abs=1e-4)
        assert numbers["errors"][kind]["ap50"] == pytest.approx(100 * ap["50"], abs=1e-3)
        packed = {name: unpack(values) for name, values in numbers["ranking"][kind].items()}
        aps = WeightedPrecision(RankedSet(**packed))(np.ones(50, np.int64))
        assert aps.mean() == pytest.approx(ap["all"], abs=1e-9)
    matrix = np.zeros((81, 81), np.int64)
    for truth, prediction, count in numbers["confusion"]["cells"]:
        matrix[truth, prediction] = count
    np.testing.assert_array_equal(matrix, confusion_matrix(matches))
    person = next(row for row in numbers["classes"] if row["name"] == "person")
    assert 0 < person["threshold"] < 1
    assert person["objects"] > 50
    assert path.stat().st_size < 200_000


SQUARE = (1, 1, 5, 5, 10, 1)
SETS = {
    "no detections": ([SQUARE], []),
    "no objects": ([], [SQUARE]),
    "nothing at all": ([], []),
    "a class without objects": ([SQUARE], [SQUARE, (2, 2, 5, 5, 10, 1)]),
    "crowds only": ([(1, 1, 5, 5, 10, 0)], [SQUARE]),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_of_all_kinds(name: str, tmp_path: Path) -> None:
    numbers = numbers_of(matched(*small_case(*SETS[name])))
    assert json.loads(write_numbers(numbers, tmp_path).read_text()) == numbers


def test_one_class_and_1203_classes(tmp_path: Path) -> None:
    content, rows = small_case([SQUARE], [SQUARE])
    for count in (1, 1203):
        content["categories"] = [{"id": n, "name": f"<script>{n}"} for n in range(1, count + 1)]
        numbers = numbers_of(matched(content, rows))
        assert len(numbers["classes"]) == count
        assert numbers["classes"][0]["name"] == "<script>1"
        assert numbers["ap"]["mask"]["all"] == pytest.approx(1)
        assert write_numbers(numbers, tmp_path).stat().st_size < 500_000


def test_without_ground_truth_only_what_was_measured() -> None:
    matches = matched(*small_case([], [SQUARE]))
    numbers = report_numbers(measured={"images": 3}, matches=matches, precision={}, file_names=[])
    assert numbers == {"format_version": 1, "measured": {"images": 3}, "data": {"differences": []}}


def test_sets_by_hand() -> None:
    """Sides 4, 40 and 100 in two of three images of train; val has the second class only."""
    train = SetData(3, np.array([4.0, 40, 100]), np.array([2, 0, 1]), np.array([3, 0]))
    val = SetData(1, np.array([50.0]), np.array([1]), np.array([0, 1]))
    matches = matched(*small_case([SQUARE], [SQUARE]))
    data = report_numbers(
        measured={}, matches=matches, precision={}, file_names=[], sets={"train": train, "val": val}
    )["data"]
    assert data["train"] == {
        "images": 3,
        "objects": 3,
        "objects_by_size": {"S": 1, "M": 1, "L": 1},
        "objects_per_class": [3, 0],
        "images_by_objects": [1, 1, 1],
        "median_side": 40,
    }
    assert data["val"]["objects_per_class"] == [0, 1]
    assert "no object in val: one" in data["differences"]
    assert "no object in train: two" in data["differences"]


@given(st.lists(st.integers(0, 2**40)))
def test_packed_numbers_come_back(values: list[int]) -> None:
    assert unpack(json.loads(json.dumps(pack(np.array(values, np.int64))))).tolist() == values


@pytest.mark.parametrize(
    "packed", [None, {}, {"dtype": "object", "data": ""}, {"dtype": "uint8", "data": "!"}]
)
def test_damaged_arrays_are_told(packed: Any) -> None:
    with pytest.raises(ValueError, match="expected dtype and data"):
        unpack(packed)


def test_nan_is_null() -> None:
    numbers = numbers_of(matched(*small_case([SQUARE], [])))
    assert numbers["classes"][1]["mask_ap"] is None
    assert numbers["curves"]["mask"][0]["per_class"][1] is None
    assert numbers["scores"]["mask"]["calibration_error"] is None
    assert not math.isnan(numbers["errors"]["mask"]["ap50"])
