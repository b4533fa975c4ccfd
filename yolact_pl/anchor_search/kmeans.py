"""Typical widths and heights of objects, by k-means whose nearness is the IoU of centred boxes."""

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 50
Sizes = NDArray[np.float64]


def kmeans(sizes: Sizes, centres: Sizes) -> Sizes:
    """Redmon and Farhadi 2017, section 2: Lloyd's iterations, until no size changes its centre.

    Args:
        sizes: [N, 2] widths and heights.
        centres: [k, 2] to start from.

    Returns:
        [k, 2]; a centre that is nobody's best stays where it was.
    """
    centres = centres.copy()
    owner = np.full(len(sizes), -1)
    for _ in range(ITERATIONS):
        closest = centred_iou(sizes, centres).argmax(axis=1)
        if (closest == owner).all():
            break
        owner = closest
        for k in np.unique(owner):
            centres[k] = sizes[owner == k].mean(axis=0)
    return centres


def centred_iou(a: Sizes, b: Sizes) -> Sizes:
    """IoU of boxes about the same centre: [N, 2] and [M, 2] widths and heights to [N, M]."""
    intersection = np.minimum(a[:, None], b).prod(axis=2)
    return intersection / (a.prod(axis=1)[:, None] + b.prod(axis=1) - intersection)


def typical_sides(sizes: Sizes, count: int) -> Sizes:
    """[count] ascending: the sides of squares with the areas of so many typical sizes."""
    sides = np.quantile(np.sqrt(sizes.prod(axis=1)), (np.arange(count) + 0.5) / count)
    return np.sort(np.sqrt(kmeans(sizes, np.stack((sides, sides), axis=1)).prod(axis=1)))


def typical_ratios(sizes: Sizes, count: int) -> Sizes:
    """[count] ascending: width / height of so many typical forms, whatever their area."""
    roots = np.quantile(np.sqrt(sizes[:, 0] / sizes[:, 1]), (np.arange(count) + 0.5) / count)
    forms = sizes / np.sqrt(sizes.prod(axis=1, keepdims=True))
    centres = kmeans(forms, np.stack((roots, 1 / roots), axis=1))
    return np.sort(centres[:, 0] / centres[:, 1])
