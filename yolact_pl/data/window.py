"""The geometry of one sample: which rectangle of the picture becomes the network's input."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Window:
    """A rectangle of source pixels, stretched to the input size and mirrored if `flip`.

    It may reach beyond the picture: what lies outside is filled. Pixel centres lie at halves, as the boxes'
    coordinates count from the outer edges.
    """

    left: int
    top: int
    width: int
    height: int
    flip: bool = False

    @classmethod
    def whole(cls, size: tuple[int, int], *, flip: bool = False) -> "Window":
        """All of a picture of (height, width)."""
        return cls(0, 0, size[1], size[0], flip)

    def map_points(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """[..., 2] float (x, y) of the source, in pixels of a map (height, width) that shows this window."""
        scale = np.array([size[1] / self.width, size[0] / self.height], np.float32)
        mapped = (points - np.array([self.left, self.top], np.float32)) * scale
        if self.flip:
            mapped[..., 0] = size[1] - mapped[..., 0]
        return mapped

    def map_boxes(self, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """[N, 4] xyxy of the source, clipped to the window, in pixels of a map with (height, width)."""
        corners = self.map_points(boxes.reshape(-1, 2, 2), size)
        corners = np.clip(corners, 0, np.array([size[1], size[0]], np.float32))
        return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)

    def contains_centres(self, boxes: np.ndarray) -> np.ndarray:
        """[N] bool: whose centre lies inside, of [N, 4] xyxy boxes of the source."""
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2 - self.left, (boxes[:, 1] + boxes[:, 3]) / 2 - self.top
        return (x > 0) & (y > 0) & (x < self.width) & (y < self.height)

    def sample_mask(self, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A mask [H, W] of the source at the pixel centres of a map (height, width), 0 outside of it."""
        rows, inside_rows = _nearest(self.top, self.height, size[0], mask.shape[0])
        columns, inside_columns = _nearest(self.left, self.width, size[1], mask.shape[1])
        sampled = mask[rows[:, None], columns] * (inside_rows[:, None] & inside_columns)
        return sampled[:, ::-1] if self.flip else sampled

    def cut(self, image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[slice, slice]]:
        """The visible part of the source, resized bilinearly without antialiasing.

        Args:
            image: [H, W, 3] uint8.
            size: (height, width) of the network's input.

        Returns:
            The part [h, w, 3] uint8, and the rows and columns of the input that it fills.
        """
        source_height, source_width = image.shape[:2]
        if self._inside(source_height, source_width):
            crop = image[self.top : self.top + self.height, self.left : self.left + self.width]
            part = cv2.resize(crop, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
            rows, columns = slice(0, size[0]), slice(0, size[1])
        else:
            rows = _visible(self.top, self.height, size[0], source_height)
            columns = _visible(self.left, self.width, size[1], source_width)
            part = self._warp(image, size, rows, columns)
        if not self.flip:
            return part, (rows, columns)
        return part[:, ::-1], (rows, slice(size[1] - columns.stop, size[1] - columns.start))

    def _inside(self, source_height: int, source_width: int) -> bool:
        bottom, right = self.top + self.height, self.left + self.width
        return self.left >= 0 and self.top >= 0 and right <= source_width and bottom <= source_height

    def _warp(self, image: np.ndarray, size: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
        step_y, step_x = self.height / size[0], self.width / size[1]
        # Cut out first: as in a resized crop, pixels next to it must not show.
        visible = image[max(self.top, 0) : self.top + self.height, max(self.left, 0) : self.left + self.width]
        offset_x = (columns.start + 0.5) * step_x + min(self.left, 0) - 0.5
        offset_y = (rows.start + 0.5) * step_y + min(self.top, 0) - 0.5
        to_source = np.array([[step_x, 0, offset_x], [0, step_y, offset_y]])
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        if min(shape) == 0:
            return np.zeros((shape[1], shape[0], 3), np.uint8)
        return cv2.warpAffine(
            visible,
            to_source,
            shape,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def _centres(start: int, length: int, count: int) -> np.ndarray:
    """[count] source coordinates of the pixel centres along one axis."""
    # One division, so that centres between two source pixels lie there exactly.
    return start + (2 * np.arange(count) + 1) * length / (2 * count)


def _nearest(start: int, length: int, count: int, available: int) -> tuple[np.ndarray, np.ndarray]:
    """The source pixel under each pixel centre along one axis, and whether there is one."""
    pixels = np.floor(_centres(start, length, count)).astype(np.int64)
    return np.clip(pixels, 0, available - 1), (pixels >= 0) & (pixels < available)


def _visible(start: int, length: int, count: int, available: int) -> slice:
    """The pixels along one axis whose centre lies in the source."""
    centres = _centres(start, length, count)
    first, last = np.searchsorted(centres, [0, available]).tolist()
    return slice(first, last)
