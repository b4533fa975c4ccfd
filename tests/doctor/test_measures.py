"""Polygons and run-length codes measured, against slow loops and pycocotools."""

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.doctor.sound_set import DataSet, as_code, run_lengths
from yolact_pl.doctor import rings as rings_module
from yolact_pl.doctor.coco_set import read_set
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import measure_masks
from yolact_pl.doctor.rings import PROBLEMS, measure_rings
from yolact_pl.doctor.run_lengths import CodeProblem, code_bounds
from yolact_pl.doctor.run_lengths import run_lengths as checked_run_lengths

SIZE = (40.0, 60.0)
coordinates = st.floats(-30, 70, width=16)
polygons = st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8), max_size=6)


def shoelace(points: list[tuple[float, float]]) -> float:
    total = 0.0
    for (x, y), (next_x, next_y) in zip(points, [*points[1:], points[0]], strict=True):
        total += x * next_y - next_x * y
    return abs(total) / 2


@given(polygons)
def test_bounds_and_areas_of_polygons(drawn: list[list[tuple[float, float]]]) -> None:
    rings = [array("d", [number for point in points for number in point]) for points in drawn]
    measured = measure_rings(rings, np.tile(SIZE, (len(rings), 1)))
    for number, points in enumerate(drawn):
        xs, ys = zip(*points, strict=True)
        assert measured.bounds[number].tolist() == [min(xs), min(ys), max(xs), max(ys)]
        assert measured.areas[number] == pytest.approx(shoelace(points), abs=1e-9)


@pytest.mark.parametrize("chunk", [1, 20, 10**6])
def test_problems_of_polygons(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings_module, "_CHUNK", chunk)
    numbers = {
        Kind.POLYGON_ODD: [1, 2, 3, 4, 5, 6, 7],
        Kind.POLYGON_FEW_POINTS: [1, 2, 3],
        Kind.POLYGON_FAR: [1, 2, 121, 4, 5, 9],
        Kind.NOT_FINITE: [1, 2, np.nan, 4, 5, 9],
        Kind.POLYGON_FLAT: [1, 2, 3, 4, 11, 12],
        None: [10, 20, 30, 20, 30, 30, 10, 30],
    }
    also = [(None, [0, 0, 10, 10, 0, 10, 10, 0]), (Kind.POLYGON_FEW_POINTS, []), (None, [1, 2, 120, 4, 5, 9])]
    expected, rings = zip(*numbers.items(), *also, strict=True)
    measured = measure_rings([array("d", ring) for ring in rings], np.tile(SIZE, (len(rings), 1)))
    assert [PROBLEMS.get(problem) for problem in measured.problems.tolist()] == list(expected)
    assert measured.areas[5] == 200


def test_nothing_is_far_from_an_image_of_unknown_size() -> None:
    ring = array("d", [1, 2, 1e9, 4, 5, 9])
    assert measure_rings([ring], np.full((1, 2), np.nan)).problems.tolist() == [0]


@given(arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 1)))
def test_codes_reach_as_far_as_their_pixels(mask: np.ndarray) -> None:
    for counts in (run_lengths(mask), as_code(mask)["counts"]):
        code = {"size": list(mask.shape), "counts": counts}
        if not mask.any():
            with pytest.raises(CodeProblem) as caught:
                checked_run_lengths(code, mask.shape)
            assert caught.value.kind is Kind.RLE_EMPTY
            continue
        lengths = checked_run_lengths(code, mask.shape)
        assert lengths[1::2].sum() == mask.sum()
        rows, columns = np.nonzero(mask)
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert code_bounds(lengths, mask.shape[0]) == expected


def test_masks_of_several_polygons_are_measured_together(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = [[0, 0, 4, 0, 4, 5], [10, 20, 30, 20, 30, 30, 10, 30], [1, 2, 3, 4]]
    coco_set, _ = read_set(data.sets()[0])
    masks = measure_masks(coco_set)
    row = [one["id"] for one in coco_set.annotations].index(31)
    assert masks.bounds[row].tolist() == [0, 0, 30, 30]
    assert masks.areas[row] == 4 * 5 / 2 + 20 * 10
    assert [(one.kind, one.annotation, one.part) for one in masks.findings] == [
        (Kind.POLYGON_FEW_POINTS, row, 2)
    ]
    assert masks.is_whole.sum() == len(coco_set.annotations) - 1
