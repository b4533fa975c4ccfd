"""Files of one image: the drawn picture, its masks, and each object cut out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from yolact_pl.inference.drawing.colors import index_color
from yolact_pl.results.detections import Detections

MAX_JPEG_SIDE = 65_500
MAX_INDEX = 255
"""Objects of one indexed PNG, beside the background."""


def write_picture(path: Path, picture: NDArray[np.uint8]) -> Path:
    """Write [H, W, 3] RGB or [H, W, 4] RGBA in the format of the suffix; returns where it is.

    A picture whose side is too long for JPEG becomes a PNG.
    """
    if path.suffix == ".jpg" and max(picture.shape[:2]) > MAX_JPEG_SIDE:
        path = path.with_suffix(".png")
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    # Not cv2.imwrite: it can't write to folders with non-ASCII names on every system.
    encoded = cv2.imencode(path.suffix, cv2.cvtColor(picture, code))[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded.tobytes())
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write plain values; returns where they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def write_index_mask(path: Path, detections: Detections) -> Path:
    """Write masks as one indexed PNG: 0 is background, k the k-th object, in the colors of `index_color`.

    Where masks overlap, the better object is seen; one that better ones cover altogether vanishes, see
    `write_instance_masks`.

    Args:
        path: ends in `.png`.
        detections: at most 255.
    """
    count = len(detections)
    assert count <= MAX_INDEX
    index = np.zeros(detections.size, dtype=np.uint8)
    for row in reversed(range(count)):
        patch = detections.mask_patch(row)
        index[patch.window][patch.pixels] = row + 1
    image = Image.fromarray(index)
    image.putpalette([0, 0, 0, *(channel for rank in range(count) for channel in index_color(rank))])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG")
    return path


def write_instance_masks(folder: Path, detections: Detections, class_names: Sequence[str]) -> list[Path]:
    """Write each mask at the image's size as `<rank>_<class>.png`, 255 inside and 0 outside.

    The rank counts from 1, best first. Returns the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in _file_names(detections, class_names)]
    for row, file in enumerate(files):
        Image.fromarray(detections.mask(row)).convert("L").save(file, "PNG")
    return files


def write_cutouts(
    folder: Path, image: NDArray[np.uint8], detections: Detections, class_names: Sequence[str]
) -> list[Path]:
    """Write each object as `<rank>_<class>.png`; the rank counts from 1, best first. Returns the files.

    A cut-out is RGBA, as large as the mask and transparent around it; objects with an empty mask have none.
    """
    files = []
    for row, name in enumerate(_file_names(detections, class_names)):
        patch = detections.mask_patch(row)
        if patch.pixels.size:
            cutout = np.dstack((image[patch.window], patch.pixels.astype(np.uint8) * 255))
            files.append(write_picture(folder / name, cutout))
    return files


def _file_names(detections: Detections, class_names: Sequence[str]) -> list[str]:
    """`<rank>_<class>.png` of each object."""
    labels: list[int] = detections.labels.tolist()
    return [f"{row + 1:02}_{file_name(class_names[label])}.png" for row, label in enumerate(labels)]


def file_name(text: str) -> str:
    """A class name as a part of a file's: letters and digits of any script stay, all else is `_`."""
    return re.sub(r"[^\w-]+", "_", text)[:80] or "_"
