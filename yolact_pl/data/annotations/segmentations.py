"""Polygons and run-length codes of a COCO file as flat arrays."""

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycocotools.mask

from yolact_pl.data.annotations import rle
from yolact_pl.data.annotations.coco_json import DataError, Table
from yolact_pl.data.annotations.drops import Drops, Reason

mask_api: Any = pycocotools.mask  # its own annotations are narrower than what it takes

_POLYGON_FORM = "a list of polygons, each a list [x1, y1, x2, y2, ...] of finite numbers, or an RLE object"


@dataclass(frozen=True, eq=False, repr=False)
class Outlines:
    """The segmentations of N objects; an object has rings (polygons) or a code (RLE), never both."""

    points: np.ndarray
    """[all points, 2] float64 x, y in pixels: rasterising in float32 would move pixels at rounding edges."""
    point_starts: np.ndarray
    """[rings + 1] int64 into `points`."""
    ring_starts: np.ndarray
    """[N + 1] int64 into the rings."""
    codes: bytes
    """All compressed run-length codes."""
    code_starts: np.ndarray
    """[N + 1] int64 into `codes`."""

    def polygons(self, j: int) -> list[np.ndarray] | None:
        """The rings of object j, each [points, 2]; None if it has a code."""
        rings = range(self.ring_starts[j], self.ring_starts[j + 1])
        return [self.points[self.point_starts[r] : self.point_starts[r + 1]] for r in rings] or None

    def rle(self, j: int, size: tuple[int, int]) -> dict[str, Any]:
        """The mask of object j in an image of (height, width), in pycocotools' compressed form."""
        rings = self.polygons(j)
        if rings is None:
            code = self.codes[self.code_starts[j] : self.code_starts[j + 1]]
            return {"size": list(size), "counts": code}
        return mask_api.merge(mask_api.frPyObjects([ring.ravel().tolist() for ring in rings], *size))


def read_segmentations(table: Table, sizes: np.ndarray, drops: Drops) -> tuple[Outlines, np.ndarray]:
    """The outlines of the kept annotations, and the reasons of rings dropped from them.

    Args:
        table: all annotations, sorted by image.
        sizes: [annotations, 2] int64 height and width of the image of each annotation.
        drops: what is dropped so far; gets the annotations without a usable segmentation.

    Raises:
        DataError: a segmentation is of another type than the COCO format knows.
    """
    rings, owners, codes = _split(table, sizes, drops)
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    numbers = np.frombuffer(b"".join(rings), np.float64)
    del rings
    for position in np.flatnonzero(~np.isfinite(numbers))[:1]:
        row = owners[np.searchsorted(np.cumsum(lengths), position, side="right")]
        raise _malformed(table, int(row))
    reasons = judge_rings(numbers, lengths, sizes[owners])

    good = reasons == 0
    has_good = np.zeros(len(table), bool)
    has_good[owners[good]] = True
    without = np.flatnonzero(~good & ~has_good[owners])[
        ::-1
    ]  # reversed: the first ring's reason is the last set
    first_reason = np.zeros(len(table), np.int8)
    first_reason[owners[without]] = reasons[without]
    drops.add(first_reason > 0, first_reason[first_reason > 0])

    kept = drops.kept
    dropped_rings = reasons[~good & kept[owners]]
    good &= kept[owners]
    numbers = numbers[np.repeat(good, lengths)]
    ring_counts = np.bincount(owners[good], minlength=len(table))[kept]
    codes = [codes.get(int(row), b"") for row in np.flatnonzero(kept)]
    outlines = Outlines(
        points=numbers.reshape(-1, 2),
        point_starts=starts(lengths[good] // 2),
        ring_starts=starts(ring_counts),
        codes=b"".join(codes),
        code_starts=starts(np.fromiter(map(len, codes), np.int64, len(codes))),
    )
    return outlines, dropped_rings


def starts(lengths: np.ndarray) -> np.ndarray:
    """[n + 1] int64: where pieces of these lengths start in a row, and the end."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _split(table: Table, sizes: np.ndarray, drops: Drops) -> tuple[list[array], np.ndarray, dict[int, bytes]]:
    """All rings, the row of each, and the sound codes by row."""
    rings: list[array] = []
    counts = np.zeros(len(table), np.int64)
    codes = {}
    for row, segmentation in enumerate(table.column("segmentation")):
        if type(segmentation) is list and segmentation:
            if set(map(type, segmentation)) != {array}:
                raise _malformed(table, row)
            rings += segmentation
            counts[row] = len(segmentation)
        elif type(segmentation) is dict:
            code = _read_code(segmentation, (int(sizes[row, 0]), int(sizes[row, 1])))
            if isinstance(code, Reason):
                drops.add(row, code)
            else:
                codes[row] = code
        elif segmentation is None or segmentation == []:
            drops.add(row, Reason.NO_SEGMENTATION)
        else:
            raise _malformed(table, row)
    return rings, np.repeat(np.arange(len(table)), counts), codes


def _read_code(segmentation: dict[str, Any], size: tuple[int, int]) -> bytes | Reason:
    """The compressed code of an RLE object, or why it cannot be used."""
    if segmentation.get("size") != list(size):
        return Reason.OTHER_SIZE
    counts = segmentation.get("counts")
    try:
        lengths = rle.read_counts(counts)
    except ValueError:
        return Reason.DAMAGED_RLE
    # pycocotools writes as far as the lengths say, also behind the end of the mask.
    pixels = size[0] * size[1]
    if (lengths < 0).any() or (lengths > pixels).any() or lengths.sum() != pixels:
        return Reason.DAMAGED_RLE
    if not lengths[1::2].any():
        return Reason.EMPTY_RLE
    return counts.encode("ascii") if type(counts) is str else rle.compress(lengths.tolist(), size)


def judge_rings(numbers: np.ndarray, lengths: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Why each ring cannot be used, [rings] int8 of `Reason`; 0 if it can.

    Args:
        numbers: float64, the coordinates x1, y1, x2, y2, ... of all rings.
        lengths: [rings] int64, how many of them belong to each.
        sizes: [rings, 2] height and width of the image of each; NaN where unknown.
    """
    reasons = np.zeros(len(lengths), np.int8)
    reasons[lengths % 2 == 1] = Reason.ODD_COORDINATES
    reasons[lengths < 6] = Reason.FEW_POINTS
    whole = np.flatnonzero(reasons == 0)
    if len(whole) > 0:
        # Rasterising takes time and memory in proportion to a ring's extent, so it must stay near the image.
        points = numbers[np.repeat(reasons == 0, lengths)].reshape(-1, 2)
        first = starts(lengths[whole] // 2)[:-1]
        extents = sizes[whole, ::-1]
        far = np.minimum.reduceat(points, first) < -extents
        far |= np.maximum.reduceat(points, first) > 2 * extents
        reasons[whole[far.any(axis=1)]] = Reason.FAR_OUTSIDE
    return reasons


def _malformed(table: Table, row: int) -> DataError:
    return table.error(row, 'has a malformed "segmentation"', f"it must be {_POLYGON_FORM}")
