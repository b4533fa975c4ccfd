"""Detections as plain data: the json of a run."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import encode_masks
from yolact_pl.results.polygons import patch_polygons


def plain_result(
    file: str, detections: Detections, class_names: Sequence[str], *, polygons: bool = False
) -> dict[str, Any]:
    """The detections of one image in json's types.

    Args:
        file: where the image comes from.
        detections: of the image.
        class_names: one for each label.
        polygons: outlines in place of run lengths.

    Returns:
        `file`; `size` [height, width]; `detections`, best first, each with `label` (0-based), `name`,
        `score`, `mask_score`, `box` [x1, y1, x2, y2] in pixels and `segmentation`, COCO's compressed
        run-length encoding (`size` and `counts`) that `pycocotools.mask.decode` reads; or `polygons`, see
        `patch_polygons`. Tracked objects also have `tracker_id` and `coasting`.
    """
    size = list(detections.size)
    masks: list[dict[str, Any]]
    if polygons:
        patches = (detections.mask_patch(row) for row in range(len(detections)))
        masks = [{"polygons": patch_polygons(patch)} for patch in patches]
    else:
        encoded = encode_masks(detections.small_masks)
        masks = [{"segmentation": {"size": size, "counts": counts}} for counts in encoded]
    tracks: list[dict[str, Any]] = [{}] * len(detections)
    if detections.tracker_ids is not None and detections.coasting is not None:
        known = zip(detections.tracker_ids.tolist(), detections.coasting.tolist(), strict=True)
        tracks = [{"tracker_id": number, "coasting": coasting} for number, coasting in known]
    rows = zip(
        detections.labels.tolist(),
        detections.scores.tolist(),
        detections.mask_scores.tolist(),
        detections.boxes.tolist(),
        tracks,
        masks,
        strict=True,
    )
    objects = [
        {
            "label": label,
            "name": class_names[label],
            "score": round(score, 6),
            "mask_score": round(mask_score, 6),
            "box": [round(corner, 2) for corner in box],
            **track,
            **mask,
        }
        for label, score, mask_score, box, track, mask in rows
    ]
    return {"file": file, "size": size, "detections": objects}


class ResultsFile:
    """One json array for all images of a run, written as the results come, so that memory stays flat.

    Use it as a context manager. When the block ends well, the file appears under its name, whole, in place of
    an older one. After an exception an older file is as it was, and the results so far lie beside it as valid
    json under `<stem>.partial<suffix>`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.partial_path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")

    def __enter__(self) -> "ResultsFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.partial_path.open("w", encoding="utf-8")
        self._stream.write("[")
        self._separator = "\n"
        return self

    def add(self, result: dict[str, Any]) -> None:
        """Append the `plain_result` of one image."""
        self._stream.write(self._separator + json.dumps(result, ensure_ascii=False))
        self._separator = ",\n"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.write("\n]\n")
        self._stream.close()
        if kind is None:
            self.partial_path.replace(self.path)
