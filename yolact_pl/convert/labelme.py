"""labelme: one json file per image, with polygons, rectangles, circles and masks."""

import base64
import functools
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from yolact_pl.convert.files import find_files, locate
from yolact_pl.convert.json_files import MALFORMED, class_name, entry, number, read_object
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.outlines import ellipse, rectangle
from yolact_pl.convert.pictures import picture_size
from yolact_pl.data.annotations.annotations import DataError

WITHOUT_AREA = ("line", "linestrip", "point", "points")


def read_labelme(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """All json files of a folder and its folders.

    Shapes with the same label and group are one object. Lines and points have no area and are left out.

    Args:
        source: folder.
        images: folder of the images; otherwise they are where the json files say.
        classes: the labels, in the order of their numbers.

    Raises:
        DataError: no json file.
    """
    files = find_files(source, "**/*.json")
    if not files:
        raise DataError(f"{source} has no json files; give the folder that labelme saves to.")
    read = (attempt(functools.partial(_read, file, images)) for file in files)
    return LabeledSet([Split("", images or source, len(files), read)], classes)


def _read(file: Path, images: Path | None) -> LabeledImage:
    content = read_object(file)
    shapes = entry(content, "shapes", list, str(file))
    image = _image_file(content, file, images)
    size = _size(content, image, file)
    return LabeledImage(image, size, str(file), _objects(shapes, size, file))


def _image_file(content: dict[str, Any], file: Path, images: Path | None) -> Path:
    """Beside the json file or where it says."""
    name = entry(content, "imagePath", str, str(file))
    folder = images or file.parent
    image = locate(name, [folder])
    if image is None or not image.is_file():
        raise EntryError(
            "image that does not exist",
            f"{file}: its image {name!r} is not in {folder}; put it there or set task.images.",
        )
    return image


def _size(content: dict[str, Any], image: Path, file: Path) -> tuple[int, int]:
    """(height, width) of the image, which must be the stated one if there is one."""
    stated: tuple[Any, Any] = _side(content.get("imageHeight")), _side(content.get("imageWidth"))
    if None in stated:
        return picture_size(image)
    size = picture_size(image, stated)
    if stated != size:
        raise EntryError(
            "image of another size",
            f"{file} was made for an image of {stated[0]} x {stated[1]} (height x width), but its image is "
            f"{size[0]} x {size[1]}; give the image that was labeled.",
        )
    return size


def _side(value: Any) -> Any:
    """Some tools write numbers as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _objects(shapes: list[Any], size: tuple[int, int], file: Path) -> list[LabeledObject | EntryError]:
    """Shapes with the same label and group are merged."""
    grouped: dict[Any, list[LabeledObject]] = {}
    errors = []
    for position, shape in enumerate(shapes, 1):
        found = attempt(functools.partial(_object, shape, size, f"{file}, shape {position}"))
        if isinstance(found, EntryError):
            errors.append(found)
            continue
        group = shape.get("group_id")
        key = position if group is None else (found.label, str(group))
        grouped.setdefault(key, []).append(found)
    return [*(attempt(functools.partial(_merged, parts)) for parts in grouped.values()), *errors]


def _merged(parts: list[LabeledObject]) -> LabeledObject:
    if len(parts) == 1:
        return parts[0]
    if any(part.mask is not None for part in parts) and any(part.polygons for part in parts):
        raise EntryError(
            "group with masks and polygons",
            f"{parts[0].place} is in a group with masks and polygons; use one kind in a group.",
        )
    first = parts[0]
    if first.mask is not None:
        mask = np.logical_or.reduce([part.mask for part in parts if part.mask is not None])
        return LabeledObject(first.label, first.place, mask=mask)
    polygons = [polygon for part in parts for polygon in part.polygons or []]
    return LabeledObject(first.label, first.place, polygons=polygons)


def _object(shape: Any, size: tuple[int, int], place: str) -> LabeledObject:
    if not isinstance(shape, dict):
        raise EntryError(MALFORMED, f"{place} must be an object with label and points.")
    kind = shape.get("shape_type") or "polygon"
    if kind in WITHOUT_AREA:
        raise EntryError("line or point", f"{place} is a {kind}, which has no area.")
    label = class_name(shape.get("label"), '"label"', place)
    points = _points(shape, place)
    if kind == "mask":
        return LabeledObject(label, place, mask=_mask(shape, points, size, place))
    makers: dict[Any, tuple[int | None, Callable[[np.ndarray], np.ndarray]]] = {
        "polygon": (None, lambda points: points),
        "rectangle": (2, lambda points: rectangle(*points.ravel().tolist())),
        "circle": (2, _circle),
    }
    if not isinstance(kind, str) or kind not in makers:
        raise EntryError(
            "unknown shape",
            f"{place} is a {str(kind)[:30]}; known are {', '.join((*makers, 'mask', *WITHOUT_AREA))}.",
        )
    wanted, make = makers[kind]
    if wanted is not None and len(points) == 4 and kind == "rectangle":  # newer versions give all corners
        return LabeledObject(label, place, polygons=[points])
    if (wanted is None and len(points) < 3) or (wanted is not None and len(points) != wanted):
        raise EntryError(
            "shape with a wrong number of points",
            f"{place} is a {kind} of {len(points)} points; it must have {wanted or '3 or more'}.",
        )
    return LabeledObject(label, place, polygons=[make(points)])


def _circle(points: np.ndarray) -> np.ndarray:
    """From the center and a point on the edge."""
    (x, y), edge = points.tolist()
    radius = math.dist((x, y), edge)
    return ellipse(x, y, radius, radius)


def _points(shape: dict[str, Any], place: str) -> np.ndarray:
    """[points, 2]"""
    rows = []
    for point in entry(shape, "points", list, place):
        if not isinstance(point, list) or len(point) != 2:
            raise EntryError(MALFORMED, f'{place}: each of "points" must be [x, y].')
        rows.append([number(value, "points", place) for value in point])
    return np.array(rows, np.float64).reshape(-1, 2)


def _mask(shape: dict[str, Any], points: np.ndarray, size: tuple[int, int], place: str) -> np.ndarray:
    """A base64 PNG whose first point is its upper left corner; what lies outside of the image is cut off."""
    text = entry(shape, "mask", str, place)
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
            part = np.array(image.convert("L")) != 0
    except Exception as error:  # Pillow's parsers raise anything
        raise EntryError("damaged mask", f"{place} has a damaged mask ({error}).") from None
    if len(points) != 2:
        raise EntryError(
            "shape with a wrong number of points",
            f"{place} is a mask of {len(points)} points; it must have 2, its corners.",
        )
    left, top = points[0].round().clip(-1e9, 1e9).astype(int).tolist()
    mask = np.zeros(size, bool)
    part = part[max(-top, 0) :, max(-left, 0) :]
    place_of_part = mask[max(top, 0) :, max(left, 0) :][: part.shape[0], : part.shape[1]]
    place_of_part |= part[: place_of_part.shape[0], : place_of_part.shape[1]]
    return mask
