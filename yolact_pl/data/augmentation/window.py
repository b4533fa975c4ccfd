"""Geometry of one layer: a rectangle of the source image and its place on the network's input."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from yolact_pl.images.placement import Placement


@dataclass(frozen=True)
class Window:
    """A rectangle of source pixels, mirrored, transposed and stretched to its place on the input.

    It may extend beyond the image. Pixel centres lie at halves, since box coordinates count from the outer
    edges.
    """

    left: int
    top: int
    width: int
    height: int
    flip: bool = False
    """Left and right are exchanged."""
    placement: Placement | None = None
    """Place on the input; None: the whole input, whatever its size."""
    vertical_flip: bool = False
    """Top and bottom are exchanged."""
    transpose: bool = False
    """Rows become columns, after the flips: with one flip, a turn by 90 degrees."""

    @classmethod
    def whole(cls, size: tuple[int, int], *, flip: bool = False) -> "Window":
        """The whole of an image of (height, width)."""
        return cls(0, 0, size[1], size[0], flip)

    def reduction(self, size: tuple[int, int]) -> int:
        """Largest reduction of the image (1, 2, 4 or 8) with at least one source pixel per input pixel.

        Args:
            size: (height, width) of the network's input.
        """
        _, _, height, width = self._place(size)
        if self.transpose:
            height, width = width, height
        scale = min(self.height / height, self.width / width)
        return max(reduction for reduction in (1, 2, 4, 8) if reduction == 1 or reduction <= scale)

    def map_points(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """[..., 2] float (x, y) of the source in pixels of a map (height, width) of the input."""
        if self.transpose:
            return self._upright().map_points(points, (size[1], size[0]))[..., ::-1]
        top, left, height, width = self._place(size)
        scale = np.array([width / self.width, height / self.height], np.float32)
        mapped = (points - np.array([self.left, self.top], np.float32)) * scale
        if self.flip:
            mapped[..., 0] = width - mapped[..., 0]
        if self.vertical_flip:
            mapped[..., 1] = height - mapped[..., 1]
        if (top, left) != (0, 0):
            mapped += np.array([left, top], np.float32)
        return mapped

    def map_boxes(self, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """[N, 4] xyxy of the source, clipped to the window, in pixels of a map (height, width)."""
        corners = self.map_points(boxes.reshape(-1, 2, 2), size)
        top, left, height, width = self._place(size)
        ends = np.array([[left, top], [left + width, top + height]], np.float32)
        corners = np.clip(corners, ends[0], ends[1])
        return np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)

    def contains_centres(self, boxes: np.ndarray) -> np.ndarray:
        """[N] bool: whether the centres of [N, 4] xyxy boxes of the source lie inside."""
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2 - self.left, (boxes[:, 1] + boxes[:, 3]) / 2 - self.top
        return (x > 0) & (y > 0) & (x < self.width) & (y < self.height)

    def visible_share(self, boxes: np.ndarray) -> np.ndarray:
        """[N] share of the area of [N, 4] xyxy boxes of the source that lies inside, 0 to 1."""
        low = np.maximum(boxes[:, :2], (self.left, self.top))
        inside = np.minimum(boxes[:, 2:], (self.left + self.width, self.top + self.height)) - low
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        return np.maximum(inside, 0).prod(axis=1) / np.maximum(area, 1e-9)

    def sample_mask(self, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A mask [H, W] of the source at the pixel centres of a map (height, width), 0 outside of it."""
        if self.transpose:
            return self._upright().sample_mask(mask, (size[1], size[0])).T
        top, left, height, width = self._place(size)
        if self.flip:  # sampled as if it were not, at the mirrored place
            left = size[1] - left - width
        if self.vertical_flip:
            top = size[0] - top - height
        rows, inside_rows = _nearest(self.top, self.height, size[0], (top, height), mask.shape[0])
        columns, inside_columns = _nearest(self.left, self.width, size[1], (left, width), mask.shape[1])
        sampled = mask[rows[:, None], columns] * (inside_rows[:, None] & inside_columns)
        sampled = sampled[:: -1 if self.vertical_flip else 1, :: -1 if self.flip else 1]
        self.clear_padding(sampled[None])
        return sampled

    def clear_padding(self, masks: np.ndarray) -> None:
        """Unset pixels of maps [N, height, width] whose centres lie outside this window's place."""
        rows, columns = masks.shape[1:]
        top, left, height, width = self._place((rows, columns))
        if (height, width) != (rows, columns):
            inside = _inside(top, height, rows), _inside(left, width, columns)
            masks[:, : inside[0].start] = masks[:, inside[0].stop :] = False
            masks[:, :, : inside[1].start] = masks[:, :, inside[1].stop :] = False

    def _upright(self) -> "Window":
        """The same before it is transposed, on the transposed input."""
        place = None if self.placement is None else self.placement.transposed()
        return replace(self, placement=place, transpose=False)

    def _place(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Top, left, height and width of the place on a map (height, width)."""
        return (0, 0, *size) if self.placement is None else self.placement.on(size)

    def cut(
        self, image: np.ndarray, size: tuple[int, int], *, reduction: int = 1
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """The visible part of the source, resized bilinearly without antialiasing.

        Args:
            image: [H, W, 3] uint8.
            size: (height, width) of the network's input.
            reduction: of the image relative to the source.

        Returns:
            The part [h, w, 3] uint8, and the rows and columns of the input it covers.
        """
        if self.transpose:
            part, (columns, rows) = self._upright().cut(image, (size[1], size[0]), reduction=reduction)
            return np.ascontiguousarray(part.transpose(1, 0, 2)), (rows, columns)
        if self.placement is None:
            return self._cut(image, size, reduction)
        placement = self.placement
        part, (rows, columns) = self._cut(image, (placement.height, placement.width), reduction)
        top, left = placement.top, placement.left
        return part, (
            slice(rows.start + top, rows.stop + top),
            slice(columns.start + left, columns.stop + left),
        )

    def _cut(
        self, image: np.ndarray, size: tuple[int, int], reduction: int
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        source_height, source_width = (reduction * side for side in image.shape[:2])
        if reduction == 1 and self._inside(source_height, source_width):
            crop = image[self.top : self.top + self.height, self.left : self.left + self.width]
            part = cv2.resize(crop, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
            rows, columns = slice(0, size[0]), slice(0, size[1])
        else:
            rows = _visible(self.top, self.height, size[0], source_height)
            columns = _visible(self.left, self.width, size[1], source_width)
            part = self._warp(image, size, rows, columns, reduction)
        if not (self.flip or self.vertical_flip):
            return part, (rows, columns)
        if part.size:  # not a view, which would be copied again and again, slowly
            part = cv2.flip(part, -1 if self.flip and self.vertical_flip else int(self.flip))
        if self.vertical_flip:
            rows = slice(size[0] - rows.stop, size[0] - rows.start)
        if self.flip:
            columns = slice(size[1] - columns.stop, size[1] - columns.start)
        return part, (rows, columns)

    def _inside(self, source_height: int, source_width: int) -> bool:
        bottom, right = self.top + self.height, self.left + self.width
        return self.left >= 0 and self.top >= 0 and right <= source_width and bottom <= source_height

    def _warp(
        self, image: np.ndarray, size: tuple[int, int], rows: slice, columns: slice, reduction: int
    ) -> np.ndarray:
        step_y, step_x = self.height / size[0] / reduction, self.width / size[1] / reduction
        # Cut out first: as in a resized crop, pixels next to it must not show.
        top, left = max(self.top, 0) // reduction, max(self.left, 0) // reduction
        bottom, right = -(-(self.top + self.height) // reduction), -(-(self.left + self.width) // reduction)
        visible = image[top:bottom, left:right]
        offset_x = (columns.start + 0.5) * step_x + self.left / reduction - left - 0.5
        offset_y = (rows.start + 0.5) * step_y + self.top / reduction - top - 0.5
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


def _centres(start: int, length: int, count: int, place: tuple[float, float]) -> np.ndarray:
    """[count] source coordinates of the pixel centres along one axis, of which `length` fills a place."""
    # One division, so that centres between two source pixels lie there exactly.
    return start + (2 * np.arange(count) + 1 - 2 * place[0]) * length / (2 * place[1])


def _nearest(
    start: int, length: int, count: int, place: tuple[float, float], available: int
) -> tuple[np.ndarray, np.ndarray]:
    """The source pixel under each pixel centre along one axis, and whether there is one."""
    pixels = np.floor(_centres(start, length, count, place)).astype(np.int64)
    return np.clip(pixels, 0, available - 1), (pixels >= 0) & (pixels < available)


def _inside(start: float, length: float, count: int) -> slice:
    """The pixels along one axis whose centre lies in a stretch of it."""
    first, last = np.searchsorted(np.arange(count) + 0.5, [start, start + length]).tolist()
    return slice(first, last)


def _visible(start: int, length: int, count: int, available: int) -> slice:
    """The pixels along one axis whose centre lies in the source."""
    centres = _centres(start, length, count, (0, count))
    first, last = np.searchsorted(centres, [0, available]).tolist()
    return slice(first, last)
