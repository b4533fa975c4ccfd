"""Values of a json file as arrays; NaN where unusable."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

INT64 = (-(2**63), 2**63 - 1)


def column(rows: Sequence[dict[str, Any]], key: str) -> list[Any]:
    """The values of a key as they are, None where it is missing."""
    return [row.get(key) for row in rows]


def rows_not_whole(values: Sequence[Any], low: int, high: int) -> list[int]:
    """Where values are not whole numbers from low to high; quick if all are."""
    if set(map(type, values)) <= {int} and values and low <= min(values) and max(values) <= high:
        return []
    return [row for row, value in enumerate(values) if not _is_whole(value, low, high)]


def _is_whole(value: Any, low: int, high: int) -> bool:
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return whole and low <= value <= high


def rows_repeated(values: Sequence[Any]) -> dict[int, int]:
    """Rows whose number or text has come before, and where it came first."""
    first: dict[Any, int] = {}
    repeated = {}
    for row, value in enumerate(values):
        if type(value) in (int, float, str) and first.setdefault(value, row) != row:
            repeated[row] = first[value]
    return repeated


def look_up(values: Sequence[Any], known: Sequence[Any]) -> np.ndarray:
    """Where each value comes first among the known ones, int64 [values]; -1 where it does not."""
    places: dict[Any, int] = {}
    for place, value in enumerate(known):
        if type(value) in (int, float, str):
            places.setdefault(value, place)
    if set(map(type, values)) <= {int, float, str}:
        return np.fromiter((places.get(value, -1) for value in values), np.int64, len(values))
    usable = [value if type(value) in (int, float, str) else None for value in values]
    return np.fromiter((places.get(value, -1) for value in usable), np.int64, len(values))


def finite_numbers(values: Sequence[Any]) -> np.ndarray:
    """Numbers as float64 [values], NaN where a value is no finite number."""
    if set(map(type, values)) <= {float}:
        numbers = np.array(values, np.float64)
    else:
        numbers = np.array([_to_float(value) for value in values], np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def finite_boxes(values: Sequence[Any]) -> np.ndarray:
    """Lists of four numbers as float64 [values, 4], NaN where a value is anything else."""
    same = set(map(type, values)) <= {list} and set(map(len, values)) <= {4}
    if not (same and set(map(type, chain.from_iterable(values))) <= {float}):
        values = [_four_floats(value) for value in values]
    boxes = np.array(values, np.float64).reshape(-1, 4)
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    return boxes


def is_not_finite(value: Any) -> bool:
    """Whether a value has numbers only, and among them NaN, infinity or one too large for a float."""
    numbers = value if type(value) is list else [value]
    plain = all(type(number) in (int, float) for number in numbers)
    return plain and any(math.isnan(_to_float(number)) or math.isinf(_to_float(number)) for number in numbers)


def _to_float(value: Any) -> float:
    if type(value) not in (int, float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _four_floats(value: Any) -> list[float]:
    if type(value) is not list or len(value) != 4:
        return [math.nan] * 4
    return [_to_float(number) for number in value]
