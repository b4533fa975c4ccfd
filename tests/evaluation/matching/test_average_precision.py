"""Precision and recall of the matches are those of pycocotools."""

import contextlib
import copy
import io
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.reading import read_content
from tests.evaluation.test_coco_ap import Cells, cells, numbers, small_case
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.matching.average_precision import average_precision
from yolact_pl.evaluation.matching.boundary import boundary
from yolact_pl.evaluation.matching.precision import precision_table, recall_table
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.results.encoding import ImageResults

AREAS = [(0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10)]


def expected(content: dict[str, Any], rows: list[ImageResults], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Precision [10, 101, C, 4] and recall [10, C, 4] of pycocotools; boundaries of faster-coco-eval."""
    content = copy.deepcopy(content)
    for annotation in content["annotations"]:
        annotation["id"] += 1  # it takes 0 for "not matched"
    truth: Any = FasterCOCO() if kind == "boundary" else COCO()
    truth.dataset = content
    results = [r for image in rows for r in (image.box_rows() if kind == "bbox" else image.mask_rows())]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(results)
        evaluation: Any = (
            COCOeval_faster(truth, found, "boundary", print_function=print)
            if kind == "boundary"
            else COCOeval(truth, found, "bbox" if kind == "bbox" else "segm")
        )
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][..., -1], evaluation.eval["recall"][..., -1]


def assert_same(matches: SetMatches, kind: Kind, tables: tuple[np.ndarray, np.ndarray]) -> None:
    for a, area_range in enumerate(AREAS):
        ranking = rank_detections(matches, kind, area_range=area_range)
        for ours, theirs in zip(
            (precision_table(ranking), recall_table(ranking)), (t[..., a] for t in tables), strict=True
        ):
            np.testing.assert_allclose(np.where(np.isnan(ours), -1, ours), theirs, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(cells, cells)
def test_equals_pycocotools(objects: Cells, found: Cells) -> None:
    """Crowds, duplicates, classes without objects, sizes."""
    content, rows = small_case(objects, found)
    matches = matched(content, rows)
    if found:
        assert_same(matches, "box", expected(content, rows, "bbox"))
        assert_same(matches, "mask", expected(content, rows, "segm"))


@settings(deadline=None, max_examples=10)
@given(cells, cells)
def test_boundaries_equal_faster_coco_eval(objects: Cells, found: Cells) -> None:
    content, rows = small_case(objects, found)
    if found:
        assert_same(matched(content, rows, boundary=True), "boundary", expected(content, rows, "boundary"))


def test_recorded_detections_of_80_classes() -> None:
    content, rows = recorded()
    matches = matched(content, rows, boundary=True)
    assert_same(matches, "box", expected(content, rows, "bbox"))
    assert_same(matches, "mask", expected(content, rows, "segm"))
    assert_same(matches, "boundary", expected(content, rows, "boundary"))


def test_boundaries_have_to_be_measured() -> None:
    content, rows = small_case([(1, 1, 5, 5, 10, 1)], [(1, 1, 5, 5, 10, 1)])
    with pytest.raises(ValueError, match="boundary=True"):
        matched(content, rows).overlaps("boundary")


def test_at_most_100_of_a_class_and_image() -> None:
    wrong, right = (1, 1, 20, 20, 5, 1), (1, 1, 5, 5, 10, 1)
    content, rows = small_case([right], [wrong] * 100 + [right])
    rows[0] = rows[0]._replace(scores=[1 - n / 200 for n in range(101)])
    assert not rank_detections(matched(content, rows), "box").right.any()
    rows[0] = rows[0]._replace(category_ids=[2] + [1] * 100)
    assert rank_detections(matched(content, rows), "box").right[0].sum() == 1


def test_numbers_are_those_of_the_counting_library() -> None:
    content, rows = recorded()
    metrics = CocoAveragePrecision(read_content(content)).summarize(rows)
    matches = matched(content, rows)
    for kind, theirs in (("box", metrics.box), ("mask", metrics.mask)):
        ours = average_precision(matches, kind)
        assert numbers(ours) == pytest.approx(numbers(theirs), abs=1e-9, nan_ok=True)
        assert [one.name for one in ours.per_class] == [one.name for one in theirs.per_class]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_boundary_of_any_mask(height: int, width: int, data: st.DataObject) -> None:
    """Of a small image: pixels with one that is not of the mask among their neighbours."""
    values = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(values).reshape(height, width)
    code = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    padded = np.pad(mask, 1)
    inner = np.min(
        [padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] for y in (-1, 0, 1) for x in (-1, 0, 1)],
        axis=0,
    )
    found = np.zeros_like(mask)
    patch = boundary(code)
    found[patch.window] = patch.pixels
    np.testing.assert_array_equal(found, mask & ~inner)
