import contextlib
import copy
import gzip
import io
import json
import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolact_pl.evaluation.coco_ap import CocoEvaluator
from yolact_pl.evaluation.counting import BACKENDS
from yolact_pl.evaluation.metrics import AveragePrecision, CocoMetrics
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults

CASE = Path(__file__).parents[1] / "parity" / "map_case1.json.gz"


@pytest.fixture(scope="module")
def case() -> dict[str, Any]:
    with gzip.open(CASE) as file:
        return json.load(file)


def case_rows(case: dict[str, Any]) -> list[ImageResults]:
    rows = []
    for image in case["gt"]["images"]:
        pairs = zip(case["bbox_results"], case["segm_results"], strict=True)
        found = [(box, mask) for box, mask in pairs if box["image_id"] == image["id"]]
        rows.append(
            ImageResults(
                image_id=image["id"],
                size=(image["height"], image["width"]),
                category_ids=[box["category_id"] for box, _ in found],
                boxes=[box["bbox"] for box, _ in found],
                scores=[box["score"] for box, _ in found],
                mask_scores=[mask["score"] for _, mask in found],
                segmentations=[mask["segmentation"]["counts"] for _, mask in found],
            )
        )
    return rows


def evaluator(content: dict[str, Any], backend: str = "faster_coco_eval") -> CocoEvaluator:
    categories = content["categories"]
    return CocoEvaluator(
        content, [c["id"] for c in categories], [c.get("name", "") for c in categories], backend=backend
    )


def numbers(ap: AveragePrecision) -> list[float]:
    per_class = [x for c in ap.per_class for x in (c.ap, c.ap50)]
    return [ap.all, *ap.at_iou.values(), ap.small, ap.medium, ap.large, ap.recall, *per_class]


def assert_same(a: CocoMetrics, b: CocoMetrics) -> None:
    for x, y in ((a.box, b.box), (a.mask, b.mask)):
        np.testing.assert_allclose(numbers(x), numbers(y), atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_recorded_numbers(case: dict[str, Any], backend: str) -> None:
    metrics = evaluator(case["gt"], backend).evaluate(case_rows(case))
    for ap, kind in ((metrics.box, "bbox"), (metrics.mask, "segm")):
        stats = case[f"cocoeval_{kind}_stats"]
        ours = [ap.all, ap.at_iou[50], ap.at_iou[75], ap.small, ap.medium, ap.large, ap.recall]
        np.testing.assert_allclose(ours, [*stats[:6], stats[8]], atol=1e-6)
        np.testing.assert_allclose(list(ap.at_iou.values()), case[f"cocoeval_{kind}_ap_per_iou"], atol=1e-6)
    assert metrics.num_images == 50


def test_classes_keep_the_order_of_the_labels(case: dict[str, Any]) -> None:
    shuffled = copy.deepcopy(case["gt"])
    shuffled["categories"].reverse()
    rows = case_rows(case)
    straight, turned = evaluator(case["gt"]).evaluate(rows), evaluator(shuffled).evaluate(rows)
    expected = {c.name: asdict(c) for c in straight.mask.per_class if not math.isnan(c.ap)}
    assert len(expected) > 20
    for c in turned.mask.per_class:
        if not math.isnan(c.ap):
            assert asdict(c) == pytest.approx(expected[c.name])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_part_of_the_images(case: dict[str, Any], backend: str) -> None:
    chosen = [image["id"] for image in case["gt"]["images"]][::3]
    part = {**case["gt"], "images": [i for i in case["gt"]["images"] if i["id"] in chosen]}
    part["annotations"] = [a for a in case["gt"]["annotations"] if a["image_id"] in chosen]
    rows = [row for row in case_rows(case) if row.image_id in chosen]
    metrics = evaluator(case["gt"], backend).evaluate(case_rows(case), image_ids=chosen)
    assert metrics.num_images == len(chosen)
    assert_same(metrics, evaluator(part).evaluate(rows))


def test_an_image_counts_once(case: dict[str, Any]) -> None:
    rows = case_rows(case)
    assert_same(evaluator(case["gt"]).evaluate(rows + rows[::-1]), evaluator(case["gt"]).evaluate(rows))


def test_annotations_are_not_changed(case: dict[str, Any]) -> None:
    before = json.dumps(case["gt"])
    evaluator(case["gt"]).evaluate(case_rows(case))
    assert json.dumps(case["gt"]) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence(
    case: dict[str, Any],
    backend: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        evaluator(case["gt"], backend).evaluate(case_rows(case))
    assert not caplog.records
    assert capsys.readouterr().out == ""


Cells = list[tuple[int, int, int, int, int, int]]
cells = st.lists(
    # image, category, x, y, half side, crowd or score
    st.tuples(
        st.integers(1, 3), st.integers(1, 2), *[st.integers(0, 30)] * 2, st.integers(1, 25), st.integers(0, 5)
    ),
    max_size=6,
)


def small_case(objects: Cells, found: Cells) -> tuple[dict[str, Any], list[ImageResults]]:
    """Three images of 60 x 60, two classes, squares as objects; ids start with 0."""
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": [x, y, side, side],
            "area": side * side,
            "iscrowd": int(crowd == 0),
            "segmentation": [[x, y, x + side, y, x + side, y + side, x, y + side]],
        }
        for number, (image, category, x, y, side, crowd) in enumerate(objects)
    ]
    content = {
        "images": [{"id": i, "height": 60, "width": 60} for i in (1, 2, 3)],
        "categories": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}],
        "annotations": annotations,
    }
    results = []
    for image in (1, 2, 3):
        mine = [(number, row) for number, row in enumerate(found) if row[0] == image]
        masks = np.zeros((60, 60, len(mine)), dtype=np.uint8, order="F")
        for n, (_, (_, _, x, y, side, _)) in enumerate(mine):
            masks[y : y + side, x : x + side, n] = 1
        results.append(
            ImageResults(
                image_id=image,
                size=(60, 60),
                category_ids=[row[1] for _, row in mine],
                boxes=[[row[2], row[3], row[4], row[4]] for _, row in mine],
                # No two scores are equal: how ties are broken is nobody's promise.
                scores=[0.1 * row[5] + 0.01 * number for number, row in mine],
                mask_scores=[0.9 - 0.1 * row[5] - 0.01 * number for number, row in mine],
                segmentations=[rle["counts"].decode() for rle in mask_api.encode(masks)] if mine else [],
            )
        )
    return content, results


def plain_pycocotools(content: dict[str, Any], results: list[ImageResults]) -> list[np.ndarray]:
    """[10 IoUs, classes, 100 detections] AP for boxes and masks straight from the reference."""
    content = copy.deepcopy(content)
    for annotation in content["annotations"]:
        annotation["id"] += 1
    tables = []
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = content
        truth.createIndex()
        for kind in ("bbox", "segm"):
            rows = [
                r for image in results for r in (image.box_rows() if kind == "bbox" else image.mask_rows())
            ]
            evaluation = COCOeval(truth, truth.loadRes(rows), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            tables.append(evaluation.eval["precision"][:, :, :, 0, -1])
    return tables


@settings(deadline=None, max_examples=60)
@given(cells, cells)
def test_backends_agree_on_small_cases(objects: Cells, found: Cells) -> None:
    content, results = small_case(objects, found)
    faster, reference = (evaluator(content, backend).evaluate(results) for backend in BACKENDS)
    assert_same(faster, reference)
    if found:
        for ap, table in zip((faster.box, faster.mask), plain_pycocotools(content, results), strict=True):
            for number, one in enumerate(ap.per_class):
                defined = table[:, :, number][table[:, :, number] > -1]
                expected = defined.mean() if defined.size else math.nan
                assert one.ap == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_perfect_detection_of_the_object_with_id_0(backend: str) -> None:
    square = (1, 1, 5, 5, 10, 1)
    content, results = small_case([square], [square])
    metrics = evaluator(content, backend).evaluate(results)
    assert metrics.box.all == pytest.approx(1.0)
    assert metrics.mask.all == pytest.approx(1.0)
    assert math.isnan(metrics.box.per_class[1].ap)
    assert math.isnan(metrics.box.large)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_found_and_nothing_to_find(backend: str) -> None:
    content, nothing = small_case([(1, 1, 5, 5, 10, 1)], [])
    assert evaluator(content, backend).evaluate(nothing).mask.all == 0.0
    assert evaluator(content, backend).evaluate([]).box.recall == 0.0
    content, results = small_case([], [(1, 1, 5, 5, 10, 1)])
    assert math.isnan(evaluator(content, backend).evaluate(results).mask.all)


def test_added_detections_are_measured_boxes_and_masks_by_their_own_scores() -> None:
    content, _ = small_case([(1, 1, 5, 5, 10, 1)], [])
    masks = np.zeros((2, 60, 60), dtype=np.bool_)
    masks[0, 5:15, 5:15] = True
    masks[1, 30:40, 30:40] = True
    collected = evaluator(content)
    detections = Detections.from_masks(
        boxes=[[5.0, 5.0, 15.0, 15.0], [30.0, 30.0, 40.0, 40.0]],
        scores=[0.9, 0.8],
        mask_scores=[0.1, 0.8],
        labels=[0, 0],
        masks=masks,
    )
    collected.add(1, detections)
    metrics = collected.evaluate()
    assert metrics.box.all == 1.0  # the right one comes first
    assert metrics.mask.all == pytest.approx(0.5)  # the wrong one comes first: precision 1/2 at every recall
    collected.reset()
    assert collected.evaluate().box.all == 0.0


def test_missing_areas_and_useless_outlines(caplog: pytest.LogCaptureFixture) -> None:
    square = (1, 1, 5, 5, 10, 1)
    content, results = small_case([square, (2, 1, 5, 5, 10, 1), (2, 1, 0, 0, 9, 1)], [square])
    del content["annotations"][0]["area"]
    content["annotations"][0]["iscrowd"] = None
    content["annotations"][1]["segmentation"] = []
    content["annotations"][2]["segmentation"] = [[0, 0, 4, 4]]
    metrics = evaluator(content).evaluate(results)
    assert metrics.mask.all == metrics.mask.small == 1.0
    assert caplog.messages == ["2 of 3 annotations have no usable outline and are not evaluated"]


def test_run_lengths_as_lists() -> None:
    square = (1, 1, 0, 0, 60, 0)
    content, results = small_case([(*square[:5], 1)], [square])
    content["annotations"][0]["segmentation"] = {"size": [60, 60], "counts": [0, 3600]}
    assert evaluator(content).evaluate(results).mask.all == 1.0


def test_a_set_without_ground_truth() -> None:
    content, results = small_case([], [])
    del content["annotations"]
    collected = evaluator(content)
    assert not collected.has_ground_truth
    with pytest.raises(ValueError, match="no annotations to measure against"):
        collected.evaluate(results)


def test_bad_input(tmp_path: Path) -> None:
    content, results = small_case([], [])
    with pytest.raises(
        ValueError, match="backend='fast' is not known; choose one of faster_coco_eval, pycocotools"
    ):
        evaluator(content, "fast")
    with pytest.raises(ValueError, match="image id 9 is not in the annotation file"):
        evaluator(content).evaluate([results[0]._replace(image_id=9)])
    with pytest.raises(ValueError, match="image id 9 is not in the annotation file"):
        evaluator(content).evaluate(results, image_ids=[1, 9])
    missing, broken, other = tmp_path / "missing.json", tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text("{")
    other.write_text("[]")
    for path, message in ((missing, "no such"), (broken, "not JSON"), (other, '"images" and "categories"')):
        with pytest.raises(ValueError, match=f"{path.name}.*{message}"):
            CocoEvaluator(path, [], [])


def test_annotations_from_a_file(tmp_path: Path) -> None:
    content, results = small_case([(1, 1, 5, 5, 10, 1)], [(1, 1, 5, 5, 10, 1)])
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    assert CocoEvaluator(path, [1, 2], ["one", "two"]).evaluate(results).box.all == 1.0
