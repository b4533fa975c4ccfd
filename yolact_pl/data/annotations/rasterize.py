"""Rasterisation of masks directly at the resolutions of the loss, not at image resolution."""

from dataclasses import replace
from typing import Any

import numpy as np

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.data.augmentation.window import Window


def prototype_size(image_size: tuple[int, int], stride: int = 4) -> tuple[int, int]:
    """(height, width) of the prototypes for an input size: the semantic map, 8 / stride times as large."""
    height, width = semantic_size(image_size)
    return 8 // stride * height, 8 // stride * width


def semantic_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the semantic map for an input size: an eighth, rounded up, as P3."""
    return -(-image_size[0] // 8), -(-image_size[1] // 8)


def rasterize(
    annotations: Annotations, rows: np.ndarray, window: Window, sizes: list[tuple[int, int]]
) -> list[np.ndarray]:
    """Masks of objects of one image within a window: a pixel is set if its centre lies in the object.

    Args:
        annotations: that the objects belong to.
        rows: [N] numbers of the objects.
        window: the visible part of the image.
        sizes: (height, width) of each map wanted.

    Returns:
        For each size a bool [N, height, width].
    """
    masks = [np.zeros((len(rows), *size), bool) for size in sizes]
    owners: list[int] = []
    polygons: list[np.ndarray] = []
    for owner, row in enumerate(rows.tolist()):
        rings = annotations.polygons(row)
        if rings is None:
            full = annotations.mask(row)
            for drawn, size in zip(masks, sizes, strict=True):
                drawn[owner] = window.sample_mask(full, size)
        else:
            owners.extend([owner] * len(rings))
            polygons.extend(rings)
    if polygons:
        for drawn, size in zip(masks, sizes, strict=True):
            _draw_polygons(drawn, polygons, owners, window, size)
            window.clear_padding(drawn)
    return masks


def draw_stencil(
    annotations: Annotations, rows: np.ndarray, window: Window, area: tuple[slice, slice]
) -> np.ndarray:
    """Which pixels of an area of the input show any of some objects of an image.

    Args:
        annotations, rows, window: see `rasterize`; the window has a placement.
        area: rows and columns inside of its place.

    Returns:
        Bool [h, w], of the area.
    """
    place = window.placement
    assert place is not None
    alone, size = replace(window, placement=None), (place.height, place.width)
    shown = np.zeros(size, bool)
    polygons: list[np.ndarray] = []
    for row in rows.tolist():
        rings = annotations.polygons(row)
        if rings is None:
            shown |= alone.sample_mask(annotations.mask(row), size).view(bool)
        else:
            polygons.extend(rings)
    if polygons:
        shown |= mask_api.decode(mask_api.merge(_encode(polygons, alone, size))).view(bool)
    top, left = area[0].start - place.top, area[1].start - place.left
    return shown[top : area[0].stop - place.top, left : area[1].stop - place.left]


def coverage(masks: np.ndarray) -> np.ndarray:
    """The covered share of each pixel, float32 [N, height / 2, width / 2], of masks drawn twice as large."""
    quarters = masks.view(np.uint8)
    rows = quarters[:, 0::2] + quarters[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)


def _draw_polygons(
    masks: np.ndarray, polygons: list[np.ndarray], owners: list[int], window: Window, size: tuple[int, int]
) -> None:
    """Add polygons of the source to the masks [N, *size] that they belong to."""
    planes = mask_api.decode(_encode(polygons, window, size))  # [height, width, polygons], column-major
    for plane, owner in enumerate(owners):
        masks[owner] |= planes[:, :, plane].view(bool)


def _encode(polygons: list[np.ndarray], window: Window, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Run lengths of polygons of the source on a map (height, width)."""
    points = window.map_points(np.concatenate(polygons), size).ravel()
    ends = np.cumsum([polygon.size for polygon in polygons]).tolist()
    mapped = [points[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    # pycocotools decides at pixel centres; cv2.fillPoly would paint every pixel on the outline too.
    return mask_api.frPyObjects(mapped, *size)
