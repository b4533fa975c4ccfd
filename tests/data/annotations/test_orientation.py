"""Photos that lie on their side: which way round they were annotated."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from yolact_pl.data.annotations.annotations import Annotations, read_annotations

STORED, UPRIGHT = (20, 40), (40, 20)
"""(height, width)."""


def write_photos(folder: Path, boxes: list[list[int] | None], **options: Any) -> Path:
    """A photo each, stored lying on its side, and an annotation of it unless that is None."""
    settings = {"orientation": 6, "size": STORED, "codes": False, **options}
    images, annotations = [], []
    exif = Image.Exif()
    exif[0x0112] = settings["orientation"]
    for number, box in enumerate(boxes):
        Image.new("RGB", STORED[::-1], (number, 9, 9)).save(folder / f"{number}.jpg", exif=exif)
        height, width = settings["size"]
        images.append({"id": number, "file_name": f"{number}.jpg", "height": height, "width": width})
        if box is None:
            continue
        x, y, w, h = box
        ring: Any = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        if settings["codes"]:
            mask = np.zeros(UPRIGHT, np.uint8, order="F")
            mask[y : y + h, x : x + w] = 1
            code = coco_mask.encode(mask)
            ring = {"size": list(UPRIGHT), "counts": code["counts"].decode()}
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": box,
                "area": w * h,
                "iscrowd": 0,
                "segmentation": ring,
            }
        )
    path = folder / "set.json"
    categories = [{"id": 1, "name": "a"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def sizes(known: Annotations) -> list[tuple[int, int]]:
    return [known.size(i) for i in range(known.num_images)]


@pytest.mark.parametrize("codes", [False, True])
def test_annotations_that_fit_the_upright_picture_only(
    tmp_path: Path, codes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_photos(tmp_path, [[2, 25, 10, 14], [2, 3, 4, 5], None], codes=codes)
    with caplog.at_level(logging.WARNING):
        known = read_annotations(path, tmp_path)
    assert sizes(known) == [UPRIGHT] * 3  # what fits both ways follows, since one tool wrote them all
    assert known.boxes[0].tolist() == [2, 25, 12, 39]
    assert known.mask(0).sum() == 140
    (line,) = caplog.messages
    assert "3 of 3 images are turned by EXIF and annotated upright" in line
    assert "(e.g. 0.jpg)" in line
    assert "task=check_data fix=true swaps the two" in line


@pytest.mark.parametrize(
    ("boxes", "options"),
    [
        ([[25, 2, 14, 10], [2, 3, 4, 5]], {}),  # fits what is stored only
        ([[2, 3, 4, 5]], {}),  # fits both ways: the json decides
        ([[2, 25, 10, 14]], {"orientation": 1}),  # a mistake, but no turned picture
        ([[2, 25, 10, 14]], {"orientation": 3}),  # upside down
        ([[2, 25, 30, 30]], {}),  # fits neither way
    ],
)
def test_sizes_stay_where_nothing_tells_the_opposite(
    tmp_path: Path, boxes: list[list[int] | None], options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    known = read_annotations(write_photos(tmp_path, boxes, **options), tmp_path)
    assert sizes(known) == [STORED] * len(boxes)
    assert "turned by EXIF" not in caplog.text


def test_sets_with_both_kinds_go_image_by_image(tmp_path: Path) -> None:
    known = read_annotations(
        write_photos(tmp_path, [[2, 25, 10, 14], [25, 2, 14, 10], [2, 3, 4, 5]]), tmp_path
    )
    assert sizes(known) == [UPRIGHT, STORED, STORED]


def test_no_file_is_opened_without_a_reason(tmp_path: Path) -> None:
    path = write_photos(tmp_path, [[2, 3, 4, 5]])
    (tmp_path / "0.jpg").write_bytes(b"")
    assert sizes(read_annotations(path, tmp_path)) == [STORED]
