"""Checked columns of a COCO json file; errors name the file, the id and the key."""

import gc
import json
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

INT64 = {"low": -(2**63), "high": 2**63 - 1}
CHECK_DATA = "task=check_data lists all mistakes, with fix=true it writes a corrected copy."


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence that names the file and what to correct."""


def load_json(path: Path) -> dict[str, Any]:
    """The content of a json file whose top level is an object; see `pack_polygons` for segmentations.

    Raises:
        DataError: the file is missing, empty, no JSON, or JSON of another kind.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path of the annotation file.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not valid JSON ({error}); write or copy it again.") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file system takes
        raise DataError(f"{path} cannot be read ({error}); give the path of a COCO json file.") from None
    if not text.strip():
        raise DataError(f"{path} is empty; replace it by a COCO json file.")
    try:
        content = json.loads(text, object_hook=pack_polygons)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); write or copy it again.") from None
    if not isinstance(content, dict):
        raise DataError(
            f'{path} is not a COCO file: its top level must be an object with "images", "annotations" '
            f'and "categories" but is a {json_type(content)}.'
        )
    return content


def pack_polygons(item: dict[str, Any]) -> dict[str, Any]:
    """Turn the polygons of an annotation into arrays while the file is parsed: it takes half the memory.

    Polygons that are not lists of numbers stay as they are, to be reported with the annotation's id.
    """
    polygons = item.get("segmentation")
    if type(polygons) is list and set(map(type, polygons)) == {list}:
        with suppress(TypeError, OverflowError):
            item["segmentation"] = [array("d", polygon) for polygon in polygons]
    return item


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Reading makes millions of objects and no cycles: looking for some takes longer than the reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def json_type(value: Any) -> str:
    """The name that JSON gives to the type of a value."""
    names = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


class Table:
    """One of a COCO file's lists of objects, read by column; `noun` is what error messages call a row."""

    def __init__(self, content: dict[str, Any], key: str, *, noun: str, path: Path) -> None:
        self.path = path
        self.noun = noun
        rows = content.get(key)
        if not isinstance(rows, list):
            problem = f"is a {json_type(rows)}" if key in content else "is missing"
            raise DataError(f'{path} is not a COCO file: "{key}" must be a list of objects but {problem}.')
        self.rows: list[dict[str, Any]] = rows
        for i in _others(rows, {dict}):
            raise DataError(f'{path}: entry {i} of "{key}" must be an object but is a {json_type(rows[i])}.')

    def __len__(self) -> int:
        return len(self.rows)

    def error(self, row: int, problem: str, advice: str) -> DataError:
        """The error that a row has a problem."""
        name = self.rows[row].get("id")
        name = name if type(name) in (int, str) else f"at position {row} of the list"
        return DataError(f"{self.path}: {self.noun} {name} {problem}; {advice}. {CHECK_DATA}")

    def column(self, key: str, default: Any = None) -> list[Any]:
        """The values of a key, as they are; the default where it is missing or null."""
        return [default if (value := row.get(key)) is None else value for row in self.rows]

    def strings(self, key: str) -> list[str]:
        """The values of a key that must be text with at least one character, and encodable."""
        values = self.column(key)
        for i in _others(values, {str}):
            raise self._wrong(i, key, "text")
        for i, value in enumerate(values):
            if not is_usable_text(value):
                raise self._wrong(i, key, "text that is not empty and has no broken characters")
        return values

    def whole_numbers(self, key: str, default: int | None = None, *, low: int, high: int) -> np.ndarray:
        """The values of a key as int64, all within low..high."""
        values = self.column(key, default)
        for i in _others(values, {int}):
            if type(values[i]) is not float or not values[i].is_integer():
                raise self._wrong(i, key, "a whole number")
            values[i] = int(values[i])
        for i, value in enumerate(values):
            if not low <= value <= high:
                raise self._wrong(i, key, f"a whole number from {low} to {high}")
        return np.array(values, np.int64)

    def unique_ids(self) -> np.ndarray:
        """The values of "id" as int64, each only once."""
        ids = self.whole_numbers("id", **INT64)
        values, counts = np.unique(ids, return_counts=True)
        if counts.max() > 1:
            raise DataError(
                f"{self.path}: {counts.max()} entries have the {self.noun} id {values[counts.argmax()]}; "
                f"give each its own id. {CHECK_DATA}"
            )
        return ids

    def numbers(self, key: str, default: float, *, low: float, high: float) -> np.ndarray:
        """The values of a key as float64, all within low..high or the default where the key is missing."""
        values = self.column(key, default)
        for i, value in enumerate(values):
            if type(value) not in (int, float) or not (low <= value <= high or value is default):
                raise self._wrong(i, key, f"a number from {low:g} to {high:g}")
        return np.array(values, np.float64)

    def flags(self, key: str) -> np.ndarray:
        """The values of a key that are 0 or 1, true or false, or missing, as bool."""
        values = self.column(key, 0)
        for i, value in enumerate(values):
            if type(value) not in (int, float, bool) or value not in (0, 1):
                raise self._wrong(i, key, "0 or 1")
        return np.array(values, bool)

    def boxes(self, key: str) -> np.ndarray:
        """The values of a key that are lists of four numbers, as float64 [N, 4]."""
        values = self.column(key)
        meaning = "a list of 4 numbers, [x, y, width, height]"
        for i, value in enumerate(values):
            if type(value) is not list or len(value) != 4:
                raise self._wrong(i, key, meaning)
        if set(map(type, chain.from_iterable(values))) <= {int, float}:
            try:
                boxes = np.array(values, np.float64).reshape(-1, 4)
            except OverflowError:  # a whole number of hundreds of digits
                boxes = np.array([[_to_float(number) for number in value] for value in values])
            for i in np.flatnonzero(~np.isfinite(boxes).all(1))[:1]:
                raise self._wrong(int(i), key, f"{meaning} that are finite")
            return boxes
        for i, value in enumerate(values):
            if not set(map(type, value)) <= {int, float}:
                raise self._wrong(i, key, meaning)
        raise AssertionError("one of the values was not a number")

    def _wrong(self, row: int, key: str, meaning: str) -> DataError:
        value = self.rows[row].get(key)
        if value is None:
            return self.error(row, f'has no "{key}"', f"it must be {meaning}")
        shown = value if isinstance(value, int | float | str) else f"a {json_type(value)}"
        text = f"{shown!r}" if isinstance(shown, str) and shown is value else str(shown)
        text = text if len(text) <= 40 else text[:37] + "..."
        return self.error(row, f'has the "{key}" {text}', f"it must be {meaning}")


def _others(values: list[Any], types: set[type]) -> list[int]:
    """Where values are of none of the types; quick if there is no such value."""
    if set(map(type, values)) <= types:
        return []
    return [i for i, value in enumerate(values) if type(value) not in types]


def is_usable_text(value: Any) -> bool:
    """Whether a name is text with at least one character, all of them such as a file can hold."""
    if type(value) is not str or not value or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")
