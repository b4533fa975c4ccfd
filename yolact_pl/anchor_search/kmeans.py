"""Typical object sizes: k-means with the IoU of concentric boxes as similarity."""

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 50
Sizes = NDArray[np.float64]


def kmeans(sizes: Sizes, centres: Sizes) -> Sizes:
    """Lloyd's algorithm until assignments are stable (Redmon and Farhadi 2017, section 2).

    Args:
        sizes: [N, 2] widths and heights.
        centres: [k, 2] initial centres.

    Returns:
        [k, 2]; a centre without members keeps its initial value.
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
    """[N, M] IoU of concentric boxes with widths and heights [N, 2] and [M, 2]."""
    intersection = np.minimum(a[:, None], b).prod(axis=2)
    return intersection / (a.prod(axis=1)[:, None] + b.prod(axis=1) - intersection)


def typical_sides(sizes: Sizes, count: int) -> Sizes:
    """[count] ascending square roots of the areas of `count` typical sizes."""
    sides = np.quantile(np.sqrt(sizes.prod(axis=1)), (np.arange(count) + 0.5) / count)
    return np.sort(np.sqrt(kmeans(sizes, np.stack((sides, sides), axis=1)).prod(axis=1)))


def typical_ratios(sizes: Sizes, count: int) -> Sizes:
    """[count] ascending aspect ratios width / height of `count` typical shapes, independent of area."""
    roots = np.quantile(np.sqrt(sizes[:, 0] / sizes[:, 1]), (np.arange(count) + 0.5) / count)
    forms = sizes / np.sqrt(sizes.prod(axis=1, keepdims=True))
    centres = kmeans(forms, np.stack((roots, 1 / roots), axis=1))
    return np.sort(centres[:, 0] / centres[:, 1])
