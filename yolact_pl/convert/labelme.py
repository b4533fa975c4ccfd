"""labelme: a json file an image, with polygons, rectangles, circles and masks."""

import base64
import binascii
import io
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from yolact_pl.convert.json_files import entry, number, read_object
from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.outlines import ellipse, rectangle
from yolact_pl.convert.pictures import picture_size
from yolact_pl.data.annotations.annotations import DataError

logger = logging.getLogger(__name__)

WITHOUT_AREA = ("line", "linestrip", "point", "points")


def read_labelme(source: Path, *, images: Path | None = None, classes: list[str] | None = None) -> LabeledSet:
    """All json files of a folder and its folders.

    Shapes of one label and group are one object. Lines and points have no area and are left out.

    Args:
        source: folder.
        images: folder of the images; otherwise they are where the json files say.
        classes: the labels, in the order of their numbers.

    Raises:
        DataError: no json file, or one that is not as labelme writes them.
    """
    files = sorted(source.rglob("*.json"))
    if not files:
        raise DataError(f"{source} has no json files; give the folder that labelme saves to.")
    return LabeledSet([Split("", images or source, len(files), _read(files, images))], classes)


def _read(files: list[Path], images: Path | None) -> Iterator[LabeledImage]:
    left_out: list[str] = []
    for file in files:
        content = read_object(file)
        shapes = entry(content, "shapes", list, str(file))
        image = _image_file(content, file, images)
        size = _size(content, image, file)
        yield LabeledImage(image, size, str(file), _objects(shapes, size, file, left_out))
    if left_out:
        logger.warning("%d lines and points are left out, the first is %s", len(left_out), left_out[0])


def _image_file(content: dict[str, Any], file: Path, images: Path | None) -> Path:
    """Beside the json file or where it says, also if it was written on Windows."""
    name = entry(content, "imagePath", str, str(file)).replace("\\", "/")
    places = [file.parent / name, file.parent / Path(name).name]
    if images is not None:
        places = [images / name, images / Path(name).name]
    for place in places:
        try:
            if place.is_file():
                return Path(place.resolve()) if ".." in place.parts else place
        except (OSError, ValueError):  # a name that no file system takes
            break
    raise DataError(
        f"{file}: its image {name!r} is not in {places[-1].parent}; put it there or set task.images."
    )


def _size(content: dict[str, Any], image: Path, file: Path) -> tuple[int, int]:
    """(height, width) of the image, which must be the stated one if there is one."""
    stated: tuple[Any, Any] = _side(content.get("imageHeight")), _side(content.get("imageWidth"))
    if None in stated:
        return picture_size(image)
    size = picture_size(image, stated)
    if stated != size:
        raise DataError(
            f"{file} was made for an image of {stated[0]} x {stated[1]} (height x width), but its image is "
            f"{size[0]} x {size[1]}; give the image that was labeled."
        )
    return size


def _side(value: Any) -> Any:
    """Some tools write numbers as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _objects(
    shapes: list[Any], size: tuple[int, int], file: Path, left_out: list[str]
) -> list[LabeledObject]:
    """Shapes of the same label and group are put together."""
    grouped: dict[Any, list[LabeledObject]] = {}
    for position, shape in enumerate(shapes, 1):
        place = f"{file}, shape {position}"
        if not isinstance(shape, dict):
            raise DataError(f"{place} must be an object with label and points.")
        kind = shape.get("shape_type") or "polygon"
        if kind in WITHOUT_AREA:
            left_out.append(place)
            continue
        label, group = entry(shape, "label", str, place), shape.get("group_id")
        found = _object(label, kind, shape, size, place)
        key = position if group is None else (label, str(group))
        grouped.setdefault(key, []).append(found)
    return [_merged(parts, size) for parts in grouped.values()]


def _merged(parts: list[LabeledObject], size: tuple[int, int]) -> LabeledObject:
    if len(parts) == 1:
        return parts[0]
    if any(part.mask is not None for part in parts) and any(part.polygons for part in parts):
        raise DataError(f"{parts[0].place} is in a group with masks and polygons; use one kind in a group.")
    first = parts[0]
    if first.mask is not None:
        mask = np.logical_or.reduce([part.mask for part in parts if part.mask is not None])
        return LabeledObject(first.class_name, first.place, mask=mask)
    polygons = [polygon for part in parts for polygon in part.polygons or []]
    return LabeledObject(first.class_name, first.place, polygons=polygons)


def _object(label: str, kind: Any, shape: dict[str, Any], size: tuple[int, int], place: str) -> LabeledObject:
    points = _points(shape, place)
    if kind == "mask":
        return LabeledObject(label, place, mask=_mask(shape, points, size, place))
    makers: dict[Any, tuple[int | None, Callable[[np.ndarray], np.ndarray]]] = {
        "polygon": (None, lambda points: points),
        "rectangle": (2, lambda points: rectangle(*points.ravel().tolist())),
        "circle": (2, _circle),
    }
    if not isinstance(kind, str) or kind not in makers:
        raise DataError(
            f"{place} is a {str(kind)[:30]}; known are {', '.join((*makers, 'mask', *WITHOUT_AREA))}."
        )
    wanted, make = makers[kind]
    if wanted is not None and len(points) == 4 and kind == "rectangle":  # newer versions give all corners
        return LabeledObject(label, place, polygons=[points])
    if (wanted is None and len(points) < 3) or (wanted is not None and len(points) != wanted):
        raise DataError(f"{place} is a {kind} of {len(points)} points; it must have {wanted or '3 or more'}.")
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
            raise DataError(f'{place}: each of "points" must be [x, y].')
        rows.append([number(value, "points", place) for value in point])
    return np.array(rows, np.float64).reshape(-1, 2)


def _mask(shape: dict[str, Any], points: np.ndarray, size: tuple[int, int], place: str) -> np.ndarray:
    """A small PNG in text form, put where the first point says."""
    try:
        with Image.open(
            io.BytesIO(base64.b64decode(entry(shape, "mask", str, place), validate=True))
        ) as image:
            part = np.array(image.convert("L")) != 0
    except DataError:
        raise
    except (binascii.Error, Exception) as error:  # Pillow's parsers raise anything
        raise DataError(f"{place} has a damaged mask ({error}).") from None
    if len(points) != 2:
        raise DataError(f"{place} is a mask of {len(points)} points; it must have 2, its corners.")
    left, top = points[0].round().astype(int).tolist()
    height, width = part.shape
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        raise DataError(
            f"{place} has a mask of {height} x {width} at ({left}, {top}), which leads out of the image."
        )
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = part
    return mask
