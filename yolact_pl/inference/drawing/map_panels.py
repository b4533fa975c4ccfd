"""Regions of images and maps as panels of one size."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

AGAINST, NEITHER, IN_FAVOUR = (33, 102, 172), (247, 247, 247), (178, 24, 43)
"""RGB of negative, zero and positive contributions."""

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Region(NamedTuple):
    """A part of an image, xyxy relative to its width and height."""

    x1: float
    y1: float
    x2: float
    y2: float

    def of_part(self, part: "Region") -> "Region":
        """This region of a part of an image, relative to the whole image."""
        width, height = part.x2 - part.x1, part.y2 - part.y1
        return Region(
            part.x1 + self.x1 * width,
            part.y1 + self.y1 * height,
            part.x1 + self.x2 * width,
            part.y1 + self.y2 * height,
        )


WHOLE = Region(0, 0, 1, 1)


def part(pixels: Pixels, region: Region, size: tuple[int, int]) -> Pixels:
    """A region of an image [H, W] or [H, W, 3], at another size."""
    height, width = pixels.shape[:2]
    x1, y1 = int(region.x1 * width), int(region.y1 * height)
    x2, y2 = max(x1 + 1, round(region.x2 * width)), max(y1 + 1, round(region.y2 * height))
    way = cv2.INTER_AREA if x2 - x1 > size[1] else cv2.INTER_LINEAR
    resized = cv2.resize(pixels[y1:y2, x1:x2], (size[1], size[0]), interpolation=way)
    return np.asarray(resized, dtype=np.uint8)


def sample(values: Map, region: Region, size: tuple[int, int]) -> Map:
    """A map [h, w] in a region, bilinear at another size; its pixels may be far larger than the result's."""
    height, width = values.shape
    step_x, step_y = (region.x2 - region.x1) * width / size[1], (region.y2 - region.y1) * height / size[0]
    to_source = np.array(
        [
            [step_x, 0, region.x1 * width + step_x / 2 - 0.5],
            [0, step_y, region.y1 * height + step_y / 2 - 0.5],
        ]
    )
    sampled = cv2.warpAffine(
        values.astype(np.float32),
        to_source,
        (size[1], size[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(sampled, dtype=np.float32)


def outline(panel: Pixels, box: Map, region: Region) -> None:
    """Draw a relative box into a panel of a region, in place."""
    height, width = panel.shape[:2]
    scale = np.array([width, height]) / (region.x2 - region.x1)
    first = np.rint((box[:2] - region[:2]) * scale).astype(int)
    last = np.rint((box[2:] - region[:2]) * scale).astype(int) - 1
    for thickness, color in ((3, (0, 0, 0)), (1, (255, 255, 255))):
        cv2.rectangle(panel, first.tolist(), last.tolist(), color, thickness)


def colored(values: Map, largest: float) -> Pixels:
    """A map from 0 to `largest` in a perceptually even scale of colors, dark to bright."""
    levels = np.clip(values * (255 / max(largest, 1e-9)), 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1], dtype=np.uint8)


def diverging(values: Map, largest: float) -> Pixels:
    """A map from -`largest` to `largest`: blue, white at zero, red."""
    places = np.clip(values / max(largest, 1e-9), -1, 1)
    channels = zip(AGAINST, NEITHER, IN_FAVOUR, strict=True)
    return np.stack([np.interp(places, (-1, 0, 1), levels) for levels in channels], axis=-1).astype(np.uint8)
