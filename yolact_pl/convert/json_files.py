"""Values of json files of labeling tools, checked as they are taken out."""

import json
import math
from pathlib import Path
from typing import Any

from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.annotations.coco_json import json_type

_NAMES = {dict: "an object", list: "a list", str: "text"}


def read_object(path: Path) -> dict[str, Any]:
    """The content of a json file.

    Raises:
        DataError: it cannot be read, is no JSON, or no object.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); write or copy it again.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} must be a JSON object but is a {json_type(content)}.")
    return content


def entry(item: dict[str, Any], key: str, kind: type, place: str) -> Any:
    """The value of a key that must be an object, a list or text.

    Raises:
        DataError: it is missing, or of another type.
    """
    value = item.get(key)
    if not isinstance(value, kind) or value == "":
        found = "is empty" if value == "" else f"is a {json_type(value)}" if key in item else "is missing"
        raise DataError(f'{place}: "{key}" must be {_NAMES[kind]} but {found}.')
    return value


def number(value: Any, name: str, place: str) -> float:
    """A finite number.

    Raises:
        DataError: it is something else.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        pass
    raise DataError(f'{place}: "{name}" must be a finite number.')
