"""Checked values of the json files of labeling tools."""

import json
import math
from pathlib import Path
from typing import Any

from yolact_pl.convert.labeled import EntryError
from yolact_pl.data.annotations.coco_json import is_usable_text, json_type

MALFORMED = "malformed entry"
_NAMES = {dict: "an object", list: "a list", str: "text"}


def read_object(path: Path) -> dict[str, Any]:
    """The content of a json file.

    Raises:
        EntryError: it cannot be read, is no JSON, or no object.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise EntryError(
            "file that is no JSON", f"{path} is not valid JSON ({error}); write or copy it again."
        ) from None
    if not isinstance(content, dict):
        raise EntryError(MALFORMED, f"{path} must be a JSON object but is a {json_type(content)}.")
    return content


def entry(item: dict[str, Any], key: str, kind: type, place: str) -> Any:
    """The value of a key that must be an object, a list or text.

    Raises:
        EntryError: it is missing, or of another type.
    """
    value = item.get(key)
    if not isinstance(value, kind) or value == "":
        found = "is empty" if value == "" else f"is a {json_type(value)}" if key in item else "is missing"
        raise EntryError(MALFORMED, f'{place}: "{key}" must be {_NAMES[kind]} but {found}.')
    return value


def class_name(value: Any, key: str, place: str) -> str:
    """The name of a class without the spaces around it; a number counts as text.

    Raises:
        EntryError: there is no name.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not is_usable_text(value.strip()):
        raise EntryError("object without a class", f"{place} has no class: its {key} must be text.")
    return value.strip()


def number(value: Any, name: str, place: str) -> float:
    """A finite number.

    Raises:
        EntryError: it is something else.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise EntryError(MALFORMED, f'{place}: "{name}" must be a finite number.')
