"""Masks drawn straight at the small sizes that the loss needs, instead of at the picture's size."""

import numpy as np
from pycocotools import mask as coco_mask

from yolact_pl.data import rle
from yolact_pl.data.coco_index import ImageObjects
from yolact_pl.data.window import Window


def prototype_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the prototypes for an input size: twice P3, which is an eighth rounded up."""
    height, width = semantic_size(image_size)
    return 2 * height, 2 * width


def semantic_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the semantic map for an input size."""
    return -(-image_size[0] // 8), -(-image_size[1] // 8)


def rasterize(
    objects: ImageObjects,
    kept: np.ndarray,
    window: Window,
    source_size: tuple[int, int],
    sizes: list[tuple[int, int]],
) -> list[np.ndarray]:
    """Masks of some objects as seen through a window: a pixel is set if its centre lies in the object.

    Args:
        objects: of one image.
        kept: [N] positions of the objects to draw.
        window: what is shown of the image.
        source_size: (height, width) of the image.
        sizes: (height, width) of each map wanted.

    Returns:
        For each size a bool [N, height, width].
    """
    masks = [np.zeros((len(kept), *size), bool) for size in sizes]
    owners: list[int] = []
    polygons: list[np.ndarray] = []
    for row, position in enumerate(kept.tolist()):
        if code := objects.codes[position]:
            full = rle.decode(code, source_size)
            for drawn, size in zip(masks, sizes, strict=True):
                drawn[row] = window.sample_mask(full, size)
        owners.extend([row] * len(objects.polygons[position]))
        polygons.extend(objects.polygons[position])
    if polygons:
        for drawn, size in zip(masks, sizes, strict=True):
            _draw_polygons(drawn, polygons, owners, window, size)
    return masks


def _draw_polygons(
    masks: np.ndarray, polygons: list[np.ndarray], owners: list[int], window: Window, size: tuple[int, int]
) -> None:
    """Add polygons of the source to the masks [N, *size] that they belong to."""
    lengths = [len(polygon) for polygon in polygons]
    points = window.map_points(np.concatenate(polygons), size).astype(np.float64)
    mapped = [part.ravel() for part in np.split(points, np.cumsum(lengths)[:-1])]
    # pycocotools tells inside from outside at pixel centres; cv2.fillPoly would also paint every pixel on the outline.
    planes = coco_mask.decode(coco_mask.frPyObjects(mapped, *size))  # [height, width, polygons], column-major
    for plane, owner in enumerate(owners):
        masks[owner] |= planes[:, :, plane].view(bool)
