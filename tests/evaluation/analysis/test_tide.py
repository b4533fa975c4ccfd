"""Errors are those of the authors' package."""

import math
from itertools import compress
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as mask_api
from tidecv import TIDE
from tidecv.data import Data

from tests.evaluation.matching.matched import matched, recorded
from tests.evaluation.test_coco_ap import small_case
from yolact_pl.evaluation.analysis.tide import count_errors
from yolact_pl.evaluation.matching.set_matches import Kind
from yolact_pl.results.encoding import ImageResults

NAMES = {
    "Cls": "classification",
    "Loc": "localisation",
    "Both": "both",
    "Dupe": "duplicate",
    "Bkg": "background",
    "Miss": "missed",
}


def by_tidecv(content: dict[str, Any], rows: list[ImageResults], kind: Kind) -> Any:
    """The run of the package on the same set, its classes without objects left out."""
    truth, found = Data("truth"), Data("found")
    add_detection: Any = found.add_detection  # its annotations want whole scores
    sizes = {image["id"]: [image["height"], image["width"]] for image in content["images"]}
    for obj in content["annotations"]:
        outline = obj["segmentation"]
        if isinstance(outline, list):
            outline = mask_api.merge(mask_api.frPyObjects(outline, *sizes[obj["image_id"]]))
        elif isinstance(outline["counts"], list):
            outline = mask_api.frPyObjects(outline, *sizes[obj["image_id"]])
        add = truth.add_ignore_region if obj["iscrowd"] else truth.add_ground_truth
        add(obj["image_id"], obj["category_id"], box=obj["bbox"], mask=outline)
    with_objects = {obj["category_id"] for obj in content["annotations"] if not obj["iscrowd"]}
    for row in rows:
        truth.add_image(row.image_id, "")
        scores = row.scores if kind == "box" else row.mask_scores
        for category, box, score, counts in zip(
            row.category_ids, row.boxes, scores, row.segmentations, strict=True
        ):
            if category in with_objects:
                mask = {"size": list(row.size), "counts": counts}
                add_detection(row.image_id, category, float(np.float32(score)), box=box, mask=mask)
    return TIDE(mode="bbox" if kind == "box" else "mask").evaluate(truth, found)


def with_classes(row: ImageResults, classes: set[int]) -> ImageResults:
    kept = [category in classes for category in row.category_ids]
    parts = {
        name: list(compress(getattr(row, name), kept))
        for name in ("category_ids", "boxes", "scores", "mask_scores", "segmentations")
    }
    return row._replace(**parts)


def assert_same(
    content: dict[str, Any], rows: list[ImageResults], kind: Kind, *, tolerance: float = 1e-6
) -> None:
    run = by_tidecv(content, rows, kind)
    with_objects = {obj["category_id"] for obj in content["annotations"] if not obj["iscrowd"]}
    kept = [with_classes(row, with_objects) for row in rows]
    errors = count_errors(matched(content, kept), kind)
    assert errors.ap50 == pytest.approx(run.ap, abs=tolerance)
    gains = {NAMES[error.short_name]: gain for error, gain in run.fix_main_errors().items()}
    numbers = {NAMES[error.short_name]: number for error, number in run.count_errors().items()}
    assert {cost.name: cost.number for cost in errors.costs} == numbers
    assert {cost.name: cost.gain for cost in errors.costs} == pytest.approx(gains, abs=tolerance)
    special = {error.short_name: gain for error, gain in run.fix_special_errors().items()}
    assert errors.false_positive_gain == pytest.approx(special["FalsePos"], abs=tolerance)
    assert errors.false_negative_gain == pytest.approx(special["FalseNeg"], abs=tolerance)


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_recorded_detections(kind: Kind) -> None:
    """The package samples recalls at k / 100, COCO at multiples of 0.01, which differ in the last digit."""
    content, rows = recorded()
    assert_same(content, rows, kind, tolerance=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_random_squares_with_crowds(seed: int) -> None:
    random = np.random.default_rng(seed)
    objects, found = (
        [
            (
                int(random.integers(1, 4)),
                int(random.integers(1, 3)),
                *random.integers(0, 28, 2).tolist(),
                int(random.integers(8, 25)),
                int(random.integers(0, 8)),
            )
            for _ in range(count)
        ]
        for count in (12, 30)
    )
    content, rows = small_case(objects, found)
    shuffled = random.permutation(1000)[:30] / 1000
    start = 0
    for i, row in enumerate(rows):  # best first, as detections are
        scores = sorted(shuffled[start : start + len(row.scores)].tolist(), reverse=True)
        rows[i] = row._replace(scores=scores, mask_scores=scores)
        start += len(scores)
    for kind in ("box", "mask"):
        assert_same(content, rows, kind)


def test_each_kind_by_hand() -> None:
    """One object, one detection each; a class without objects costs nothing."""
    truth = (1, 1, 10, 10, 20, 1)
    expected = {
        "classification": (1, 2, 10, 10, 20, 1),
        "localisation": (1, 1, 20, 10, 20, 1),  # IoU 1/3
        "both": (1, 2, 20, 10, 20, 1),
        "background": (1, 1, 40, 40, 10, 1),
    }
    for name, found in expected.items():
        content, rows = small_case([truth], [found])
        errors = count_errors(matched(content, rows), "box")
        numbers = {cost.name: cost.number for cost in errors.costs}
        assert numbers[name] == 1
        assert numbers["missed"] == (name in ("both", "background"))
        assert errors.ap50 == 0


def test_nothing_to_find_and_nothing_found() -> None:
    nothing = count_errors(matched(*small_case([], [])), "mask")
    assert math.isnan(nothing.ap50)
    assert all(math.isnan(cost.gain) for cost in nothing.costs)
    missed = count_errors(matched(*small_case([(1, 1, 5, 5, 10, 1)], [])), "mask")
    assert missed.ap50 == 0
    assert {cost.name: cost.number for cost in missed.costs}["missed"] == 1
