"""A COCO json file read into checked columns: what is wrong is said with the file, the id and the key."""

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np


class DataError(ValueError):
    """A data set that cannot be used; the message is one sentence that names the file and what to correct."""


def load_json(path: Path) -> dict[str, Any]:
    """The content of a json file whose top level is an object.

    Raises:
        DataError: the file is missing, empty, no JSON, or JSON of another kind.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path of the annotation file.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); give the path of a COCO json file.") from None
    if not text.strip():
        raise DataError(f"{path} is empty; replace it by a COCO json file.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); write or copy it again.") from None
    if not isinstance(content, dict):
        raise DataError(
            f'{path} is not a COCO file: its top level must be an object with "images", "annotations" '
            f'and "categories" but is a {json_type(content)}.'
        )
    return content


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
        return DataError(f"{self.path}: {self.noun} {name} {problem}; {advice}.")

    def column(self, key: str, default: Any = None) -> list[Any]:
        """The values of a key, as they are; the default where it is missing or null."""
        return [default if (value := row.get(key)) is None else value for row in self.rows]

    def strings(self, key: str) -> list[str]:
        """The values of a key that must be text with at least one character, and encodable."""
        values = self.column(key)
        for i in _others(values, {str}):
            raise self._wrong(i, key, "text")
        for i, value in enumerate(values):
            if not value or "\0" in value or not _is_encodable(value):
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
        return self.flat_numbers(values, np.arange(len(values)), key, meaning).reshape(-1, 4)

    def flat_numbers(self, lists: list[list[Any]], rows: np.ndarray, key: str, meaning: str) -> np.ndarray:
        """The finite numbers of many lists, one after the other, float64; `rows` says whose each list is."""
        try:
            if set(map(type, chain.from_iterable(lists))) <= {int, float}:
                numbers = np.fromiter(chain.from_iterable(lists), np.float64)
                if np.isfinite(numbers).all():
                    return numbers
        except OverflowError:  # whole numbers of hundreds of digits
            pass
        for row, values in zip(rows, lists, strict=True):
            for value in values:
                if type(value) not in (int, float) or not abs(value) < float("inf") or abs(value) > 1e308:
                    raise self._wrong(int(row), key, meaning)
        raise AssertionError("one of the numbers was not finite")

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


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
