"""VGG Image Annotator: one json file for all images, with regions and free attributes."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.json_files import entry, number, read_object
from yolact_pl.convert.labeled import LabeledImage, LabeledObject, LabeledSet, Split
from yolact_pl.convert.outlines import ellipse, rectangle
from yolact_pl.convert.pictures import picture_size
from yolact_pl.data.annotations.annotations import DataError

logger = logging.getLogger(__name__)

WITHOUT_AREA = ("polyline", "line", "point")
USUAL_ATTRIBUTE = "class"
ONLY_CLASS = "object"
"""Of regions without attributes."""


def read_via(
    source: Path,
    *,
    images: Path | None = None,
    classes: list[str] | None = None,
    class_attribute: str | None = None,
) -> LabeledSet:
    """A project or an export of annotations of version 1 or 2. Lines and points are left out.

    Args:
        source: the json file, or a folder with one.
        images: folder of the images; otherwise they are beside the json file.
        classes: the names, in the order of their numbers.
        class_attribute: the region attribute that names the class; otherwise `class`, or the only one.

    Raises:
        DataError: it is no such file, or a region has no class.
    """
    path = _json_file(source)
    content = read_object(path)
    if "_via_img_metadata" in content:
        content = entry(content, "_via_img_metadata", dict, str(path))
    elif "project" in content and "metadata" in content:
        raise DataError(f"{path} is a project of VIA 3; export it as COCO or with VIA 2.")
    files: dict[str, dict[str, Any]] = {}
    for key, value in content.items():
        if not isinstance(value, dict) or "regions" not in value:
            raise DataError(f'{path}: {key[:60]!r} has no "regions", so it is no file of VIA 1 or 2.')
        files[f"{path}, {key[:60]!r}"] = value
    regions = [pair for place, value in files.items() for pair in _regions(value, place)]
    attribute = class_attribute or _class_attribute(path, regions)
    folder = images or path.parent
    return LabeledSet([Split("", folder, len(files), _read(files, folder, attribute))], classes)


def _json_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = sorted(source.glob("*.json"))
    if len(found) != 1:
        raise DataError(f"{source} has {len(found)} json files; give that of VIA: source=FILE.")
    return found[0]


def _class_attribute(path: Path, regions: list[tuple[str, dict[str, Any]]]) -> str | None:
    """The attribute that names the class; None if regions have no attributes at all."""
    names = sorted({name for place, region in regions for name in _attributes(region, place)})
    if not names or USUAL_ATTRIBUTE in names:
        return USUAL_ATTRIBUTE if names else None
    if len(names) > 1:
        raise DataError(
            f"{path}: regions have the attributes {', '.join(names)}; say which names the class: "
            f"task.class_attribute={names[0]}."
        )
    return names[0]


def _read(files: dict[str, dict[str, Any]], folder: Path, attribute: str | None) -> Iterator[LabeledImage]:
    left_out: list[str] = []
    for place, value in files.items():
        image = folder / entry(value, "filename", str, place)
        size = picture_size(image)
        objects = []
        for where, region in _regions(value, place):
            shape = entry(region, "shape_attributes", dict, where)
            if shape.get("name") in WITHOUT_AREA:
                left_out.append(where)
                continue
            name = ONLY_CLASS if attribute is None else _class_name(region, attribute, where)
            objects.append(LabeledObject(name, where, polygons=[_outline(shape, where)]))
        yield LabeledImage(image, size, place, objects)
    if left_out:
        logger.warning("%d lines and points are left out, the first is %s", len(left_out), left_out[0])


def _regions(value: dict[str, Any], place: str) -> list[tuple[str, dict[str, Any]]]:
    """A list, or in version 1 a mapping from numbers."""
    regions = value["regions"]
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    if not isinstance(regions, list):
        raise DataError(f'{place}: "regions" must be a list.')
    pairs = []
    for position, region in enumerate(regions, 1):
        if not isinstance(region, dict):
            raise DataError(f"{place}, region {position} must be an object with shape_attributes.")
        pairs.append((f"{place}, region {position}", region))
    return pairs


def _attributes(region: dict[str, Any], place: str) -> dict[str, Any]:
    return entry(region, "region_attributes", dict, place) if "region_attributes" in region else {}


def _class_name(region: dict[str, Any], attribute: str, place: str) -> str:
    """Text, or of checkboxes the only one that is set."""
    value = _attributes(region, place).get(attribute)
    if isinstance(value, dict):
        chosen = [name for name, is_set in value.items() if is_set]
        value = chosen[0] if len(chosen) == 1 else None
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place} has no class: its attribute {attribute!r} must be text or one choice.")
    return value.strip()


def _outline(shape: dict[str, Any], place: str) -> np.ndarray:
    """[points, 2] in pixels."""

    def values(*names: str) -> list[float]:
        return [number(shape.get(name), name, place) for name in names]

    kind = shape.get("name")
    if kind == "polygon":
        xs, ys = (
            [number(value, key, place) for value in entry(shape, key, list, place)]
            for key in ("all_points_x", "all_points_y")
        )
        if len(xs) != len(ys) or len(xs) < 3:
            raise DataError(
                f"{place} has {len(xs)} x and {len(ys)} y; a polygon needs as many of both, 3 or more."
            )
        return np.array([xs, ys], np.float64).T
    if kind == "rect":
        x, y, width, height = values("x", "y", "width", "height")
        return rectangle(x, y, x + width, y + height)
    if kind == "circle":
        x, y, radius = values("cx", "cy", "r")
        return ellipse(x, y, radius, radius)
    if kind == "ellipse":
        x, y, radius_x, radius_y = values("cx", "cy", "rx", "ry")
        return ellipse(x, y, radius_x, radius_y, values("theta")[0] if "theta" in shape else 0.0)
    known = ", ".join(("polygon", "rect", "circle", "ellipse", *WITHOUT_AREA))
    raise DataError(f"{place} is a {str(kind)[:30]}; known are {known}.")
