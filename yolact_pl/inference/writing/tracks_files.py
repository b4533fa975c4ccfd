"""Tracks of a video in the forms that evaluation and annotation tools read."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.inference.video.prediction import SeenFrame
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import encode_detections, encode_masks
from yolact_pl.results.masks import PixelMasks

COLUMNS = ("frame", "time", "tracker_id", "name", "score", "x1", "y1", "x2", "y2", "area", "coasting")


class TracksFiles:
    """Writes `tracks.csv`, `tracks.txt` and `tracks.json` of one video, the first two line by line.

    * csv: a line per object and frame: `COLUMNS`, boxes in pixels.
    * txt: MOTS (Voigtlaender et al. 2019): frame from 0, object, class, height, width and run lengths; where
      masks overlap only the better object has the pixel, and objects without a pixel are left out.
    * json: COCO for videos, as YouTube-VIS has it: `videos`, `categories`, and an annotation per track with a
      segmentation, a box (x, y, width, height) and an area per frame, null where it is not shown. An
      annotation's `score` is the mean of its frames', so that the annotations are results, too.

    Args:
        folder: made if it does not exist.
        stem: of the video's name; the json calls its frames `<stem>/<frame from 0>.jpg`.
        class_names: one for each label.
        category_ids: likewise, the ids in txt and json.
    """

    def __init__(
        self, folder: Path, stem: str, *, class_names: Sequence[str], category_ids: Sequence[int]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = [folder / f"tracks.{kind}" for kind in ("csv", "txt", "json")]
        self.stem = stem
        self.class_names = class_names
        self.category_ids = category_ids
        self._csv = self.paths[0].open("w", encoding="utf-8", newline="", buffering=1)
        self._txt = self.paths[1].open("w", encoding="utf-8", buffering=1)
        self._rows = csv.writer(self._csv, lineterminator="\n")
        self._rows.writerow(COLUMNS)
        self._size = (0, 0)
        self._frames: list[int] = []
        self._tracks: dict[int, list[tuple[int, int, float, list[float], int, str]]] = {}

    def add(self, seen: SeenFrame) -> None:
        """A frame with tracked objects."""
        found, index = seen.detections, seen.frame.index
        assert found.tracker_ids is not None
        assert found.coasting is not None
        numbers, coasting = found.tracker_ids.tolist(), found.coasting.tolist()
        labels, areas, corners = found.labels.tolist(), found.areas.tolist(), found.boxes.tolist()
        encoded = encode_detections(index, found, self.category_ids)
        self._size = found.size
        position = len(self._frames)
        self._frames.append(index)
        for row, number in enumerate(numbers):
            score, counts = encoded.scores[row], encoded.segmentations[row]
            self._rows.writerow(
                (
                    index,
                    round(seen.frame.time, 6),
                    number,
                    self.class_names[labels[row]],
                    round(score, 6),
                    *(round(corner, 2) for corner in corners[row]),
                    areas[row],
                    int(coasting[row]),
                )
            )
            shown = (position, encoded.category_ids[row], score, encoded.boxes[row], areas[row], counts)
            self._tracks.setdefault(number, []).append(shown)
        height, width = found.size
        for row, counts in _apart(found):
            category = encoded.category_ids[row]
            self._txt.write(f"{index} {numbers[row]} {category} {height} {width} {counts}\n")

    def close(self) -> None:
        """Complete the files."""
        self._csv.close()
        self._txt.close()
        self.paths[2].write_text(json.dumps(self._content(), ensure_ascii=False), encoding="utf-8")

    def _content(self) -> dict[str, Any]:
        height, width = self._size
        length = len(self._frames)
        names = zip(self.category_ids, self.class_names, strict=True)
        return {
            "videos": [
                {
                    "id": 1,
                    "height": height,
                    "width": width,
                    "length": length,
                    "file_names": [f"{self.stem}/{index:06}.jpg" for index in self._frames],
                }
            ],
            "categories": [{"id": category, "name": name} for category, name in names],
            "annotations": [self._annotation(number) for number in sorted(self._tracks)],
        }

    def _annotation(self, number: int) -> dict[str, Any]:
        """Of one track; its category is that of its last frame, which has most votes behind it."""
        height, width = self._size
        length, shown = len(self._frames), self._tracks[number]
        segmentations: list[dict[str, Any] | None] = [None] * length
        boxes: list[list[float] | None] = [None] * length
        areas: list[int | None] = [None] * length
        for position, _, _, box, area, counts in shown:
            segmentations[position] = {"size": [height, width], "counts": counts}
            boxes[position] = [round(value, 2) for value in box]
            areas[position] = area
        return {
            "id": number,
            "video_id": 1,
            "category_id": shown[-1][1],
            "score": round(float(np.mean([score for _, _, score, *_ in shown])), 6),
            "iscrowd": 0,
            "height": height,
            "width": width,
            "length": length,
            "segmentations": segmentations,
            "bboxes": boxes,
            "areas": areas,
        }


def _apart(found: Detections) -> list[tuple[int, str]]:
    """Row and run lengths of masks that share no pixel; the better one keeps it."""
    taken = np.zeros(found.size, dtype=np.bool_)
    rows, patches = [], []
    for row in range(len(found)):
        patch = found.mask_patch(row)
        own = patch.pixels & ~taken[patch.window]
        taken[patch.window] |= own
        if own.any():
            rows.append(row)
            patches.append(patch._replace(pixels=own))
    return list(zip(rows, encode_masks(PixelMasks(patches, found.size)), strict=True))
