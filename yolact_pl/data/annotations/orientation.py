"""Images turned by EXIF whose json has the stored size although they were annotated upright."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.images.image_file import stored_size

_TOLERANCE = 1.0
"""Pixels that an annotation may stick out of its image."""


def farthest_points(
    boxes: np.ndarray, segmentations: Sequence[Any], images: np.ndarray, num_images: int
) -> np.ndarray:
    """[images, 2] x, y that the annotations of each image reach; -inf without any.

    Args:
        boxes: [N, 4] x, y, width, height in pixels as the json says; NaN where unknown.
        segmentations: [N] as the json says; a run-length code reaches the end of its mask.
        images: [N] int64, the image of each annotation; -1 for none.
        num_images: in all.
    """
    with np.errstate(over="ignore"):
        reach = np.fmax(boxes[:, :2] + boxes[:, 2:], -np.inf)
    for row, segmentation in enumerate(segmentations):
        if type(segmentation) is dict:
            size = segmentation.get("size")
            if type(size) is list and len(size) == 2 and set(map(type, size)) <= {int, float}:
                reach[row] = np.maximum(reach[row], size[::-1])
    farthest = np.full((num_images, 2), -np.inf)
    np.maximum.at(farthest, images[images >= 0], reach[images >= 0])
    return farthest


def annotated_upright(
    sizes: np.ndarray, reach: np.ndarray, lies_on_its_side: Callable[[int], bool]
) -> np.ndarray:
    """Rows of the images whose sides must be swapped.

    Annotations that stick out of the stored size and fit the upright one tell. If some image of the set does
    so and none tells the opposite, all images of the set that lie on their side count, since one tool wrote
    them all.

    Args:
        sizes: [images, 2] (height, width) as the json says; NaN where unknown.
        reach: [images, 2] see `farthest_points`.
        lies_on_its_side: of an image row, whether its file has just this size stored and EXIF turns it by a
            quarter. Only asked where the answer matters.
    """
    with np.errstate(invalid="ignore"):
        fits_stored = np.all(reach <= sizes[:, ::-1] + _TOLERANCE, axis=1)
        fits_upright = np.all(reach <= sizes + _TOLERANCE, axis=1)
        oblong = np.flatnonzero((sizes[:, 0] != sizes[:, 1]) & ~np.isnan(sizes[:, 0]))
    telling = [row for row in oblong.tolist() if fits_upright[row] and not fits_stored[row]]
    upright = [row for row in telling if lies_on_its_side(row)]
    if upright:
        others = [row for row in oblong.tolist() if fits_stored[row] and lies_on_its_side(row)]
        if all(fits_upright[row] for row in others):
            upright += others
    return np.array(sorted(upright), np.int64)


def turn_upright(
    heights: np.ndarray, widths: np.ndarray, names: Sequence[str], folder: Path, reach: np.ndarray
) -> str | None:
    """Swap the sides of the images that were annotated upright, in place.

    Args:
        heights, widths: [images] as the json says.
        names: of the files, relative to the folder.
        folder: of the files.
        reach: [images, 2] see `farthest_points`.

    Returns:
        A sentence about it; None if nothing was swapped.
    """

    def lies_on_its_side(row: int) -> bool:
        size, orientation = stored_size(folder / names[row])
        return orientation >= 5 and size == (heights[row], widths[row])

    rows = annotated_upright(np.stack((heights, widths), 1).astype(np.float64), reach, lies_on_its_side)
    if len(rows) == 0:
        return None
    heights[rows], widths[rows] = widths[rows], heights[rows]
    return (
        f"{len(rows)} of {len(heights)} images are turned by EXIF and annotated upright, but width and "
        f"height are those stored (e.g. {names[rows[0]]}); they are read upright, and task=check_data "
        "fix=true swaps the two"
    )
