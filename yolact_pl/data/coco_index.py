"""A COCO annotation file as flat arrays.

Millions of small Python objects would be copied page by page into every data worker, because reading one changes its
reference count. Arrays stay shared with the process that read the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence that names the file, and the id if there is one."""


@dataclass(frozen=True)
class Strings:
    """Many byte strings in one buffer."""

    buffer: np.ndarray
    """uint8."""
    ends: np.ndarray
    """int64: where each string ends; it begins where the one before ends."""

    @classmethod
    def pack(cls, strings: Sequence[bytes]) -> "Strings":
        ends = np.cumsum([len(string) for string in strings], dtype=np.int64)
        return cls(np.frombuffer(b"".join(strings), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> bytes:
        start = self.ends[index - 1] if index > 0 else 0
        return self.buffer[start : self.ends[index]].tobytes()


@dataclass(frozen=True)
class ImageObjects:
    """The annotations of one image, in the order of the file."""

    boxes: np.ndarray
    """[N, 4] float32 xyxy in pixels of the image, inside of it."""
    labels: np.ndarray
    """[N] int64, 0-based."""
    iscrowd: np.ndarray
    """[N] bool."""
    polygons: list[list[np.ndarray]]
    """For each object its polygons, float32 [points, 2] as (x, y); none if the mask is run-length encoded."""
    codes: list[bytes]
    """For each object the compressed run-length code of its mask; empty if it has polygons."""


@dataclass(frozen=True)
class CocoIndex:
    """Images, categories and annotations of one file; `I` images, `M` annotations sorted by image, `Q` polygons."""

    path: str
    image_ids: np.ndarray
    """[I] int64, in the order of the file."""
    file_names: Strings
    """[I], relative to the images folder."""
    sizes: np.ndarray
    """[I, 2] int32 (height, width)."""
    classes: tuple[str, ...]
    """Category names in the order of their ids: class names by label."""
    category_ids: tuple[int, ...]
    """Category ids in rising order: the id of each label."""
    ends: np.ndarray
    """[I] int64: where each image's annotations end in the arrays below."""
    boxes: np.ndarray
    """[M, 4] float32 xyxy."""
    labels: np.ndarray
    """[M] int64."""
    iscrowd: np.ndarray
    """[M] bool."""
    codes: Strings
    """[M]."""
    polygon_ends: np.ndarray
    """[M] int64: where each annotation's polygons end in `point_ends`."""
    point_ends: np.ndarray
    """[Q] int64: where each polygon ends in `points`."""
    points: np.ndarray
    """[all points, 2] float32 (x, y)."""
    num_annotations: int
    """How many the file has, degenerate ones included."""
    dropped: dict[str, int]
    """How many annotations were left out, by reason."""

    def __len__(self) -> int:
        return len(self.image_ids)

    def file_name(self, index: int) -> str:
        return self.file_names[index].decode("utf-8", "surrogatepass")

    def size(self, index: int) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.sizes[index].tolist()
        return height, width

    def num_objects(self) -> np.ndarray:
        """[I] int64: annotations of each image."""
        return np.diff(self.ends, prepend=0)

    def objects(self, index: int) -> ImageObjects:
        """The annotations of the image at a position."""
        rows = range(int(self.ends[index - 1]) if index > 0 else 0, int(self.ends[index]))
        part = slice(rows.start, rows.stop)
        return ImageObjects(
            boxes=self.boxes[part],
            labels=self.labels[part],
            iscrowd=self.iscrowd[part],
            polygons=[self._polygons(row) for row in rows],
            codes=[self.codes[row] for row in rows],
        )

    def _polygons(self, row: int) -> list[np.ndarray]:
        first = self.polygon_ends[row - 1] if row > 0 else 0
        ends = self.point_ends[first : self.polygon_ends[row]].tolist()
        starts = [int(self.point_ends[first - 1]) if first > 0 else 0, *ends[:-1]]
        return [self.points[start:end] for start, end in zip(starts, ends, strict=False)]

    def summary(self) -> str | None:
        """`N of M annotations dropped: reasons`, or None if all are usable."""
        if not self.dropped:
            return None
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.dropped.items()))
        return f"{self.path}: {sum(self.dropped.values())} of {self.num_annotations} annotations dropped: {reasons}"
