"""Polygons: usability, bounds and areas."""

from array import array
from dataclasses import dataclass

import numpy as np

from yolact_pl.data.annotations.drops import Reason
from yolact_pl.data.annotations.segmentations import judge_rings, starts
from yolact_pl.doctor.kinds import Kind

_CHUNK = 1_000_000  # coordinates measured at once: enough for numpy, and little memory
NOT_FINITE, FLAT = len(Reason) + 1, len(Reason) + 2
"""What is wrong with a polygon beside what training leaves it out for."""
PROBLEMS: dict[int, Kind] = {
    Reason.ODD_COORDINATES: Kind.POLYGON_ODD,
    Reason.FEW_POINTS: Kind.POLYGON_FEW_POINTS,
    Reason.FAR_OUTSIDE: Kind.POLYGON_FAR,
    NOT_FINITE: Kind.NOT_FINITE,
    FLAT: Kind.POLYGON_FLAT,
}


@dataclass(frozen=True, eq=False, repr=False)
class Rings:
    """What is known of R polygons."""

    problems: np.ndarray
    """[R] int8, keys of `PROBLEMS`; 0 for none."""
    bounds: np.ndarray
    """[R, 4] float64 xyxy, NaN where there is none."""
    areas: np.ndarray
    """[R] float64 square pixels by the surveyor's formula, NaN where there is none."""


def measure_rings(rings: list[array], sizes: np.ndarray) -> Rings:
    """Measure polygons [x1, y1, x2, y2, ...] in images of `sizes` [R, 2] (height, width), NaN if unknown."""
    count = len(rings)
    lengths = np.fromiter(map(len, rings), np.int64, count)
    measured = Rings(np.zeros(count, np.int8), np.full((count, 4), np.nan), np.full(count, np.nan))
    ends = np.cumsum(lengths)
    cuts = np.searchsorted(ends, np.arange(_CHUNK, ends[-1] if count else 0, _CHUNK))
    for chosen in np.split(np.arange(count), np.unique(cuts)):
        if len(chosen):
            numbers = np.frombuffer(b"".join(rings[chosen[0] : chosen[-1] + 1]), np.float64)
            measured.problems[chosen] = judge_rings(numbers, lengths[chosen], sizes[chosen])
            _measure(numbers, lengths[chosen], chosen, measured)
    with np.errstate(invalid="ignore", over="ignore"):
        tiny = measured.areas <= 1e-9 * np.prod(measured.bounds[:, 2:] - measured.bounds[:, :2] + 1, axis=1)
    for ring in np.flatnonzero(tiny & (measured.problems == 0)).tolist():
        if _is_flat(np.array(rings[ring]).reshape(-1, 2)):
            measured.problems[ring] = FLAT
    return measured


def _measure(numbers: np.ndarray, lengths: np.ndarray, places: np.ndarray, measured: Rings) -> None:
    """Bounds and areas of the polygons, of so many numbers each, that consist of points."""
    whole = (measured.problems[places] == 0) | (measured.problems[places] == Reason.FAR_OUTSIDE)
    points = numbers[np.repeat(whole, lengths)].reshape(-1, 2)
    if len(points) == 0:
        return
    lengths, places = lengths[whole] // 2, places[whole]
    first = starts(lengths)[:-1]
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    measured.bounds[places] = np.concatenate((low, high), axis=1)
    finite = np.isfinite(measured.bounds[places]).all(axis=1)
    measured.problems[places[~finite]] = NOT_FINITE
    following = np.arange(1, len(points) + 1)
    following[first + lengths - 1] = first
    with np.errstate(invalid="ignore", over="ignore"):
        relative = points - np.repeat(points[first], lengths, axis=0)  # small numbers round less
        after = relative[following]
        twice = np.add.reduceat(relative[:, 0] * after[:, 1] - relative[:, 1] * after[:, 0], first)
    measured.areas[places] = np.abs(twice) / 2


def _is_flat(points: np.ndarray) -> bool:
    """Whether all points lie on one line: a figure of eight has no area by the formula either."""
    with np.errstate(invalid="ignore", over="ignore"):
        x, y = (points - points[0]).T
        reach = np.hypot(x, y)
        farthest = reach.argmax()
        off_line = np.abs(x * y[farthest] - y * x[farthest])
        return bool((off_line <= 1e-6 * reach[farthest]).all())
