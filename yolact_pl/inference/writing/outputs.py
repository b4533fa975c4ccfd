"""What is written of an image: the drawn picture, a picture of its masks, a picture of each object."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from yolact_pl.inference.drawing.colors import index_color
from yolact_pl.structures import Detections

MAX_JPEG_SIDE = 65_500
MAX_INDEX = 255
"""Objects that one indexed picture can tell apart, beside the background."""


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


def write_index_mask(path: Path, masks: Tensor) -> None:
    """Write masks as one indexed PNG: 0 is background, k the k-th object, in the colors of `index_color`.

    Where masks overlap, the better object is seen.

    Args:
        path: ends in `.png`.
        masks: [N, H, W] bool, best first, N at most 255.
    """
    assert len(masks) <= MAX_INDEX
    index = np.zeros(tuple(masks.shape[1:]), dtype=np.uint8)
    for rank, mask in reversed(list(enumerate(masks.cpu().numpy(), start=1))):
        index[mask] = rank
    image = Image.fromarray(index)
    image.putpalette([0, 0, 0, *(channel for rank in range(len(masks)) for channel in index_color(rank))])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG")


def cutouts(image: NDArray[np.uint8], masks: Tensor) -> Iterator[NDArray[np.uint8] | None]:
    """Each object by itself: [h, w, 4] RGBA, as large as its mask and transparent around it.

    Args:
        image: [H, W, 3] RGB.
        masks: [N, H, W] bool.

    Returns:
        None for an object whose mask is empty.
    """
    for mask in masks.cpu().numpy():
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        if width == 0:
            yield None
            continue
        window = np.s_[y : y + height, x : x + width]
        yield np.dstack((image[window], mask[window].astype(np.uint8) * 255))


def write_cutouts(
    folder: Path, image: NDArray[np.uint8], detections: Detections, class_names: Sequence[str]
) -> None:
    """Write each object as `<rank>_<class>.png`; the rank counts from 1, best first."""
    labels: list[int] = detections["labels"].tolist()
    for rank, (label, cutout) in enumerate(
        zip(labels, cutouts(image, detections["masks"]), strict=True), start=1
    ):
        if cutout is not None:
            write_picture(folder / f"{rank:02}_{file_name(class_names[label])}.png", cutout)


def file_name(text: str) -> str:
    """A class name as a part of a file's: letters and digits of any script stay, all else is `_`."""
    return re.sub(r"[^\w-]+", "_", text)[:80] or "_"
