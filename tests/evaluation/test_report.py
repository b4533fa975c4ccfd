import csv
import json
import math
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from yolact_pl.evaluation.metrics import IOU_PERCENT, AveragePrecision, ClassPrecision, CocoMetrics
from yolact_pl.evaluation.report import (
    atomic_file,
    format_class_table,
    format_table,
    write_metrics,
    write_results,
)
from yolact_pl.results.encoding import ImageResults


def precision(base: float) -> AveragePrecision:
    return AveragePrecision(
        all=base,
        at_iou={iou: base - iou / 1000 for iou in IOU_PERCENT},
        small=math.nan,
        medium=base / 2,
        large=base,
        recall=0.25,
        per_class=(
            ClassPrecision("cup, small", base, base),
            ClassPrecision("absent", math.nan, math.nan),
            ClassPrecision("dog", base + 0.1, 1.0),
        ),
    )


METRICS = CocoMetrics(box=precision(0.5), mask=precision(0.4), num_images=3)
ROW = ImageResults(7, (20, 30), [44], [[1.0, 2.0, 3.0, 4.0]], [0.75], [0.25], ["QP1"])


def test_table() -> None:
    lines = [[cell.strip() for cell in line.split("|")] for line in format_table(METRICS).splitlines()]
    thresholds = [".50", ".55", ".60", ".65", ".70", ".75", ".80", ".85", ".90", ".95"]
    assert lines[0] == ["", "all", *thresholds, "S", "M", "L"]
    assert lines[2][:3] == ["box", "50.00", "45.00"]
    assert lines[3] == ["mask", "40.00", *[f"{40 - t / 10:.2f}" for t in IOU_PERCENT], "-", "20.00", "40.00"]


def test_class_table_is_ranked_and_has_only_classes_with_objects() -> None:
    lines = [[cell.strip() for cell in line.split("|")] for line in format_class_table(METRICS).splitlines()]
    assert lines[2:] == [
        ["dog", "60.00", "100.00", "50.00", "100.00"],
        ["cup, small", "50.00", "50.00", "40.00", "40.00"],
    ]


def test_metrics_files(tmp_path: Path) -> None:
    write_metrics(METRICS, tmp_path / "new" / "folder", {"precision": "float32"})
    numbers = json.loads((tmp_path / "new" / "folder" / "metrics.json").read_text())
    assert numbers["images"] == 3
    assert numbers["precision"] == "float32"
    assert list(numbers["mask"]) == ["all", *map(str, IOU_PERCENT), "S", "M", "L", "AR"]
    assert numbers["mask"]["all"] == 0.4
    assert numbers["box"]["S"] is None
    with (tmp_path / "new" / "folder" / "per_class.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["cup, small", "0.500000", "0.500000", "0.400000", "0.400000"]
    assert rows[2] == ["absent", "", "", "", ""]


def test_results_are_coco_results(tmp_path: Path) -> None:
    write_results([ROW, ROW._replace(image_id=8)], tmp_path)
    boxes = json.loads((tmp_path / "bbox_detections.json").read_text())
    assert boxes == [
        {"image_id": i, "category_id": 44, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.75} for i in (7, 8)
    ]
    truth = COCO()
    truth.dataset = {"images": [{"id": 7}, {"id": 8}], "categories": [{"id": 44}], "annotations": []}
    truth.createIndex()
    loaded = truth.loadRes(str(tmp_path / "mask_detections.json"))
    assert [a["segmentation"]["counts"] for a in loaded.dataset["annotations"]] == ["QP1"] * 2
    assert [a["score"] for a in loaded.dataset["annotations"]] == [0.25] * 2


def test_no_results_are_an_empty_list(tmp_path: Path) -> None:
    write_results(iter([]), tmp_path)
    assert json.loads((tmp_path / "mask_detections.json").read_text()) == []


def test_a_failing_run_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("old")

    def fail_half_way() -> None:
        with atomic_file(path) as file:
            file.write("new")
            raise RuntimeError("lost power")

    with pytest.raises(RuntimeError, match="lost power"):
        fail_half_way()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
    with atomic_file(path) as file:
        file.write("new")
    assert path.read_text() == "new"


def test_scores_that_are_not_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results([ROW._replace(scores=[math.nan])], tmp_path)
    assert list(tmp_path.iterdir()) == []
