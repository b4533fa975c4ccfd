"""IoU of every object with its best anchor.

All anchors of one shape and level are copies of each other on a grid, and the IoU of a box with such a copy
never rises as the distance of their centres grows, along x as along y. So only the copy in the object's own
cell counts.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from yolact_pl.geometry.boxes import xyxy_to_cxcywh
from yolact_pl.models.anchors import Anchors

RECALL_IOU = 0.5
FIRST_STRIDE = 8
"""Of P3."""
SMALL, MEDIUM = 32**2, 96**2
"""COCO's limits of small and medium objects: square pixels of the original image."""


class Coverage(NamedTuple):
    """Best anchor of each object."""

    iou: Tensor
    """[N] float32 IoU with the best anchor."""
    level: Tensor
    """[N] int64 pyramid level of that anchor, 0 for P3; the finest level in a tie."""

    @property
    def mean_iou(self) -> float:
        """Mean best IoU over all objects."""
        return self.iou.double().mean().item()

    @property
    def recall(self) -> float:
        """Fraction of objects whose best IoU is at least `RECALL_IOU`."""
        return (self.iou >= RECALL_IOU).double().mean().item()

    def of(self, chosen: Tensor) -> "Coverage":
        """Coverage of a subset of the objects, given as [N] bool."""
        return Coverage(self.iou[chosen], self.level[chosen])


class Objects:
    """Boxes of a data set at the network's input resolution.

    Args:
        boxes: [N, 4] xyxy in pixels of the network's input, N > 0.
        inputs: [N, 2] (height, width) of the network's input for the object's image.
        area: [N] in square pixels of the original image.
    """

    def __init__(self, boxes: Tensor, inputs: Tensor, area: Tensor) -> None:
        self.boxes = boxes.float()
        self.inputs = inputs
        self.area = area
        centres_and_sizes = xyxy_to_cxcywh(self.boxes)
        self.sizes = centres_and_sizes[:, 2:]
        """[N, 2] width, height."""
        self._centres = centres_and_sizes[:, :2]
        self._distances: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.boxes)

    def sample(self, count: int, rng: np.random.Generator) -> "Objects":
        """A random subset of `count` objects; all objects if there are no more."""
        if count >= len(self):
            return self
        chosen = torch.from_numpy(rng.choice(len(self), count, replace=False))
        return Objects(self.boxes[chosen], self.inputs[chosen], self.area[chosen])

    def by_size(self) -> dict[str, Tensor]:
        """[N] bool masks of COCO's small, medium and large objects."""
        small, large = self.area < SMALL, self.area >= MEDIUM
        return {"small": small, "medium": ~small & ~large, "large": large}

    def coverage(self, anchors: Anchors) -> Coverage:
        """The best of all anchors of its image, for each object."""
        levels = []
        for level in range(len(anchors.scales)):
            shapes = torch.tensor(anchors.cell_sizes(level))
            levels.append(_iou_of_shapes(self.sizes, self._distance(level), shapes).amax(1))
        iou, level = torch.stack(levels).max(0)
        return Coverage(iou, level)

    def _distance(self, level: int) -> Tensor:
        """[N, 2] distance along x and y from each object's centre to the nearest cell centre of a level."""
        if level not in self._distances:
            stride = FIRST_STRIDE * 2**level
            extent = self.inputs.flip(1)
            cells = (extent + stride - 1) // stride  # every level is half of the finer one, rounded up
            cell = extent / cells
            own = (self._centres / cell).floor().clamp(min=0).minimum(cells - 1)
            self._distances[level] = (self._centres - (own + 0.5) * cell).abs()
        return self._distances[level]


def _iou_of_shapes(sizes: Tensor, distance: Tensor, shapes: Tensor) -> Tensor:
    """[N, K] IoU of boxes with anchors, from sizes [N, 2] and [K, 2] and centre distances [N, 2]."""
    overlap = []
    for axis in (0, 1):
        half, gap = sizes[:, axis, None] / 2, distance[:, axis, None]
        reach = shapes[:, axis] / 2
        overlap.append((torch.minimum(half, gap + reach) - torch.maximum(-half, gap - reach)).clamp(min=0))
    intersection = overlap[0] * overlap[1]
    return intersection / (sizes.prod(1)[:, None] + shapes.prod(1) - intersection)
