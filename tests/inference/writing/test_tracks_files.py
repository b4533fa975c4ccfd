"""Tracks as files, read by other programs: pycocotools, trackeval."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from trackeval.datasets import MOTSChallenge

from yolact_pl.inference.video.prediction import SeenFrame
from yolact_pl.inference.video.reader import Frame
from yolact_pl.inference.writing.tracks_files import COLUMNS, TracksFiles
from yolact_pl.results.detections import Detections

SIZE = (8, 10)


def seen(index: int, numbers: list[int], masks: np.ndarray, labels: list[int]) -> SeenFrame:
    scores = np.linspace(0.9, 0.5, len(numbers)) if numbers else []
    boxes = [[0.0, 1.0, 4.0, 3.5]] * len(numbers)
    found = Detections.from_masks(boxes=boxes, scores=scores, labels=labels, masks=masks)
    found = replace(
        found,
        tracker_ids=np.array(numbers, dtype=np.int64),
        coasting=np.array([number == 2 for number in numbers], dtype=np.bool_),
    )
    return SeenFrame(Frame(index, index / 25, np.zeros((*SIZE, 3), np.uint8)), found, None)


@pytest.fixture
def masks() -> np.ndarray:
    """Two that overlap, and one that the first covers."""
    masks = np.zeros((3, *SIZE), dtype=np.bool_)
    masks[0, 2:6, 2:6] = masks[1, 4:8, 4:9] = masks[2, 3:5, 3:5] = True
    return masks


@pytest.fixture
def folder(tmp_path: Path, masks: np.ndarray) -> Path:
    files = TracksFiles(tmp_path / "clip", "clip", class_names=["cat", "dog"], category_ids=[3, 7])
    files.add(seen(0, [1, 2, 3], masks, [0, 1, 1]))
    files.add(seen(2, [], masks[:0], []))
    files.add(seen(3, [2], masks[1:2], [1]))
    files.close()
    return tmp_path / "clip"


def test_csv_has_a_line_per_object_and_frame(folder: Path) -> None:
    with (folder / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["frame"], row["tracker_id"], row["name"], row["coasting"]) for row in rows] == [
        ("0", "1", "cat", "0"),
        ("0", "2", "dog", "1"),
        ("0", "3", "dog", "0"),
        ("3", "2", "dog", "1"),
    ]
    assert [row["area"] for row in rows] == ["16", "20", "4", "20"]
    assert (rows[3]["time"], rows[3]["y2"]) == ("0.12", "3.5")


def test_mots_masks_share_no_pixel_and_the_better_object_keeps_it(folder: Path, masks: np.ndarray) -> None:
    lines = [line.split(" ") for line in (folder / "tracks.txt").read_text().splitlines()]
    assert [line[:5] for line in lines] == [
        ["0", "1", "3", "8", "10"],
        ["0", "2", "7", "8", "10"],
        ["3", "2", "7", "8", "10"],
    ]
    decoded = [coco_mask.decode({"size": [8, 10], "counts": line[5].encode()}) for line in lines]
    assert (decoded[0] == masks[0]).all()
    assert (decoded[1] == (masks[1] & ~masks[0])).all()
    assert (decoded[2] == masks[1]).all()


def test_trackeval_reads_the_mots_text(folder: Path) -> None:
    lines, _ = MOTSChallenge._load_simple_text_file(
        str(folder / "tracks.txt"), time_col=0, id_col=1, force_delimiters=" "
    )
    assert {frame: [row[1] for row in rows] for frame, rows in lines.items()} == {
        "0": ["1", "2"],
        "3": ["2"],
    }


def test_json_has_a_list_over_the_frames_per_track(folder: Path, masks: np.ndarray) -> None:
    content = json.loads((folder / "tracks.json").read_text())
    (video,) = content["videos"]
    assert (video["height"], video["width"], video["length"]) == (8, 10, 3)
    assert video["file_names"] == ["clip/000000.jpg", "clip/000002.jpg", "clip/000003.jpg"]
    assert content["categories"] == [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
    first, second, third = content["annotations"]
    assert [one["id"] for one in (first, second, third)] == [1, 2, 3]
    assert (second["category_id"], second["video_id"], second["score"]) == (7, 1, pytest.approx(0.8))
    assert second["areas"] == [20, None, 20]
    assert second["bboxes"] == [[0, 1, 4, 2.5], None, [0, 1, 4, 2.5]]
    assert second["segmentations"][1] is None
    for frame in (0, 2):
        assert (coco_mask.decode(second["segmentations"][frame]) == masks[1]).all()
    assert first["segmentations"][1:] == third["segmentations"][1:] == [None, None]
