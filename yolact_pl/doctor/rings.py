"""Polygons measured: which can be used, where they reach, how large they are."""

from array import array
from dataclasses import dataclass

import numpy as np

from yolact_pl.doctor.kinds import Kind

_CHUNK = 1_000_000  # coordinates measured at once: enough for numpy, and little memory
PROBLEMS = (
    None,
    Kind.POLYGON_ODD,
    Kind.POLYGON_FEW_POINTS,
    Kind.NOT_FINITE,
    Kind.POLYGON_FAR,
    Kind.POLYGON_FLAT,
)
ODD, FEW, NOT_FINITE, FAR, FLAT = range(1, len(PROBLEMS))


@dataclass(frozen=True, eq=False, repr=False)
class Rings:
    """What is known of R polygons."""

    problems: np.ndarray
    """[R] int8 into `PROBLEMS`."""
    bounds: np.ndarray
    """[R, 4] float64 xyxy, NaN where there is none."""
    areas: np.ndarray
    """[R] float64 square pixels by the surveyor's formula, NaN where there is none."""


def measure_rings(rings: list[array], sizes: np.ndarray) -> Rings:
    """Measure polygons [x1, y1, x2, y2, ...] in images of `sizes` [R, 2] (height, width), NaN if unknown."""
    count = len(rings)
    lengths = np.fromiter(map(len, rings), np.int64, count)
    measured = Rings(np.zeros(count, np.int8), np.full((count, 4), np.nan), np.full(count, np.nan))
    measured.problems[lengths % 2 == 1] = ODD
    measured.problems[lengths < 6] = FEW
    whole = np.flatnonzero(measured.problems == 0)
    ends = np.cumsum(lengths[whole])
    cuts = np.searchsorted(ends, np.arange(_CHUNK, ends[-1] if len(ends) else 0, _CHUNK))
    for chosen in np.split(whole, np.unique(cuts)):
        if len(chosen):
            _measure([rings[r] for r in chosen.tolist()], chosen, lengths[chosen] // 2, measured)
    with np.errstate(invalid="ignore"):
        # As in training: rasterising takes time and memory in proportion to a polygon's extent.
        far = (measured.bounds[:, :2] < -sizes[:, ::-1]) | (measured.bounds[:, 2:] > 2 * sizes[:, ::-1])
        measured.problems[far.any(axis=1) & (measured.problems == 0)] = FAR
        tiny = measured.areas <= 1e-9 * np.prod(measured.bounds[:, 2:] - measured.bounds[:, :2] + 1, axis=1)
    for ring in np.flatnonzero(tiny & (measured.problems == 0)).tolist():
        if _is_flat(np.array(rings[ring]).reshape(-1, 2)):
            measured.problems[ring] = FLAT
    return measured


def _measure(rings: list[array], places: np.ndarray, lengths: np.ndarray, measured: Rings) -> None:
    """Bounds and areas of rings of so many points each."""
    points = np.frombuffer(b"".join(rings), np.float64).reshape(-1, 2)
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    low, high = np.minimum.reduceat(points, first), np.maximum.reduceat(points, first)
    finite = np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1)
    measured.problems[places[~finite]] = NOT_FINITE
    measured.bounds[places] = np.concatenate((low, high), axis=1)
    following = np.arange(1, len(points) + 1)
    following[first + lengths - 1] = first
    with np.errstate(invalid="ignore", over="ignore"):
        relative = points - np.repeat(points[first], lengths, axis=0)  # small numbers round less
        after = relative[following]
        twice = np.add.reduceat(relative[:, 0] * after[:, 1] - relative[:, 1] * after[:, 0], first)
    measured.areas[places] = np.abs(twice) / 2


def _is_flat(points: np.ndarray) -> bool:
    """Whether all points lie on one line: a figure of eight has no area by the formula either."""
    return bool(np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[1] < 1e-6)
