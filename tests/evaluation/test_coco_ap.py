import contextlib
import copy
import gzip
import io
import json
import logging
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

from tests.evaluation.reading import read_content
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
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


def measured(
    content: dict[str, Any], rows: list[ImageResults], backend: str = "faster_coco_eval"
) -> CocoMetrics:
    return CocoAveragePrecision(read_content(content), backend=backend).summarize(rows)


def numbers(ap: AveragePrecision) -> list[float]:
    per_class = [x for c in ap.per_class for x in (c.ap, c.ap50)]
    return [ap.all, *ap.at_iou.values(), ap.small, ap.medium, ap.large, ap.recall, *per_class]


def assert_same(a: CocoMetrics, b: CocoMetrics) -> None:
    for x, y in ((a.box, b.box), (a.mask, b.mask)):
        np.testing.assert_allclose(numbers(x), numbers(y), atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_recorded_numbers(case: dict[str, Any], backend: str) -> None:
    metrics = measured(case["gt"], case_rows(case), backend)
    for ap, kind in ((metrics.box, "bbox"), (metrics.mask, "segm")):
        stats = case[f"cocoeval_{kind}_stats"]
        ours = [ap.all, ap.at_iou[50], ap.at_iou[75], ap.small, ap.medium, ap.large, ap.recall]
        np.testing.assert_allclose(ours, [*stats[:6], stats[8]], atol=1e-6)
        np.testing.assert_allclose(list(ap.at_iou.values()), case[f"cocoeval_{kind}_ap_per_iou"], atol=1e-6)
    assert metrics.num_images == 50


def test_classes_keep_the_order_of_the_labels(case: dict[str, Any]) -> None:
    shuffled = copy.deepcopy(case["gt"])
    shuffled["categories"].reverse()
    straight, turned = measured(case["gt"], case_rows(case)), measured(shuffled, case_rows(case))
    assert sum(not math.isnan(c.ap) for c in straight.mask.per_class) > 20
    assert_same(straight, turned)
    assert [c.name for c in straight.mask.per_class] == [c.name for c in turned.mask.per_class]


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_without_rows_are_not_measured(case: dict[str, Any], backend: str) -> None:
    chosen = [image["id"] for image in case["gt"]["images"]][::3]
    part = {**case["gt"], "images": [i for i in case["gt"]["images"] if i["id"] in chosen]}
    part["annotations"] = [a for a in case["gt"]["annotations"] if a["image_id"] in chosen]
    rows = [row for row in case_rows(case) if row.image_id in chosen]
    metrics = measured(case["gt"], rows, backend)
    assert metrics.num_images == len(chosen)
    assert_same(metrics, measured(part, rows))


@pytest.mark.parametrize("backend", BACKENDS)
def test_truth_is_that_of_pycocotools_on_the_raw_file(case: dict[str, Any], backend: str) -> None:
    metrics = measured(case["gt"], case_rows(case), backend)
    assert_reference(metrics, case["gt"], case_rows(case))


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence(
    case: dict[str, Any],
    backend: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        measured(case["gt"], case_rows(case), backend)
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


def assert_reference(metrics: CocoMetrics, content: dict[str, Any], results: list[ImageResults]) -> None:
    """AP, AR and AP of classes are those of pycocotools on the content itself."""
    content = copy.deepcopy(content)
    for annotation in content["annotations"]:
        annotation["id"] += 1  # it takes 0 for "not matched"
    truth = COCO()
    truth.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        for kind, ap in (("bbox", metrics.box), ("segm", metrics.mask)):
            rows = [
                r for image in results for r in (image.box_rows() if kind == "bbox" else image.mask_rows())
            ]
            evaluation = COCOeval(truth, truth.loadRes(rows), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            ours = [ap.all, ap.at_iou[50], ap.at_iou[75], ap.small, ap.medium, ap.large, ap.recall]
            expected = [math.nan if value == -1 else value for value in evaluation.stats]
            np.testing.assert_allclose(ours, [*expected[:6], expected[8]], atol=1e-9)
            for number, one in enumerate(ap.per_class):
                table = evaluation.eval["precision"][:, :, number, 0, -1]
                expected = table[table > -1].mean() if (table > -1).any() else math.nan
                assert one.ap == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=30)
@given(cells, cells, st.floats(0, 0.99))
def test_equals_pycocotools_on_the_raw_file(objects: Cells, found: Cells, shift: float) -> None:
    """Whatever the backend, also where objects are at the border of a size class or stick out a little."""
    content, results = small_case(objects, found)
    for annotation in content["annotations"]:
        annotation["bbox"][0] -= shift
        annotation["area"] += 1e-5
    for backend in BACKENDS:
        metrics = measured(content, results, backend)
        if found:
            assert_reference(metrics, content, results)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_perfect_detection_of_the_object_with_id_0(backend: str) -> None:
    square = (1, 1, 5, 5, 10, 1)
    content, results = small_case([square], [square])
    metrics = measured(content, results, backend)
    assert metrics.box.all == pytest.approx(1.0)
    assert metrics.mask.all == pytest.approx(1.0)
    assert math.isnan(metrics.box.per_class[1].ap)
    assert math.isnan(metrics.box.large)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_found_and_nothing_to_find(backend: str) -> None:
    content, nothing = small_case([(1, 1, 5, 5, 10, 1)], [])
    assert measured(content, nothing, backend).mask.all == 0.0
    assert measured(content, nothing, backend).box.recall == 0.0
    content, results = small_case([], [(1, 1, 5, 5, 10, 1)])
    metrics = measured(content, results, backend)
    assert math.isnan(metrics.mask.all)
    assert metrics.scalars() == {}


def test_more_masks_than_a_byte_counts(case: dict[str, Any]) -> None:
    square = (1, 1, 5, 5, 10, 1)
    content, results = small_case([square], [square] * 300)
    assert measured(content, results).mask.all == pytest.approx(1.0)


def found_by(scores: list[float], mask_scores: list[float]) -> Detections:
    """Two detections of the first class in 60 x 60 pixels, at 5..15 and at 30..40."""
    masks = np.zeros((2, 60, 60), bool)
    masks[0, 5:15, 5:15] = True
    masks[1, 30:40, 30:40] = True
    return Detections.from_masks(
        boxes=[[5, 5, 15, 15], [30, 30, 40, 40]],
        scores=scores,
        mask_scores=mask_scores,
        labels=[0, 0],
        masks=masks,
    )


def test_boxes_and_masks_are_ranked_by_their_own_scores() -> None:
    content, _ = small_case([(1, 1, 5, 5, 10, 1)], [])
    ap = CocoAveragePrecision(read_content(content))
    ap.update([1], [found_by([0.9, 0.8], [0.1, 0.8])])
    metrics = ap.compute()
    assert metrics.box.all == 1.0  # the right one comes first
    assert metrics.mask.all == pytest.approx(0.5)  # the wrong one comes first: precision 1/2 at every recall
    assert metrics.scalars("val/")["val/mask_AP50"] == pytest.approx(0.5)


def test_an_image_counts_once_and_not_after_a_reset() -> None:
    content, _ = small_case([(1, 1, 5, 5, 10, 1), (2, 1, 5, 5, 10, 1)], [])
    ap = CocoAveragePrecision(read_content(content))
    right, wrong = found_by([0.9, 0.8], [0.9, 0.8]), found_by([0.8, 0.9], [0.8, 0.9])
    ap.update([1, 2], [right, right])
    ap.update([2], [wrong])
    assert ap.compute().num_images == 2
    assert ap.compute().box.all == 1.0
    ap.reset()
    ap.update([2], [wrong])
    assert ap.compute().box.all == pytest.approx(0.5)


class Measuring(LightningModule):
    """Any module that measures."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.ap = CocoAveragePrecision(read_content(content))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.ap.update([1], [found_by([0.9, 0.8], [0.1, 0.8])])

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.ap.compute().scalars("val/"))
        self.ap.reset()


def test_in_any_lightning_module(tmp_path: Path) -> None:
    content, _ = small_case([(1, 1, 5, 5, 10, 1)], [])
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path)
    module = Measuring(content)
    module.ap.update([2], [found_by([0.9, 0.8], [0.1, 0.8])])
    assert pickle.loads(pickle.dumps(module.double())).ap.compute().num_images == 1
    module.ap.reset()
    (numbers,) = trainer.validate(module, dataloaders=DataLoader(range(2)), verbose=False)
    assert numbers["val/mask_AP"] == pytest.approx(0.5)
    batch = module.ap([1], [found_by([0.9, 0.8], [0.9, 0.8])])  # the metric of a batch, which is kept too
    assert batch.mask.all == module.ap.compute().mask.all == 1.0


def test_a_set_without_ground_truth() -> None:
    content, results = small_case([], [])
    del content["annotations"]
    with pytest.raises(ValueError, match="no annotations to measure against"):
        measured(content, results)


def test_bad_input() -> None:
    content, _ = small_case([], [])
    with pytest.raises(
        ValueError, match="backend='fast' is not known; choose one of faster_coco_eval, pycocotools"
    ):
        CocoAveragePrecision(read_content(content), backend="fast")
    with pytest.raises(ValueError, match=r"image id 9 is not in .*instances.json: it is of another set"):
        CocoAveragePrecision(read_content(content)).update([9], [found_by([0.9, 0.8], [0.9, 0.8])])
