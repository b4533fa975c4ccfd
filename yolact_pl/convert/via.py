"""VGG Image Annotator: one json file for all images, with regions and user-defined attributes."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.convert.files import find_files, locate
from yolact_pl.convert.json_files import MALFORMED, class_name, entry, number, read_object
from yolact_pl.convert.labeled import EntryError, LabeledImage, LabeledObject, LabeledSet, Split, attempt
from yolact_pl.convert.outlines import ellipse, rectangle
from yolact_pl.convert.pictures import picture_size
from yolact_pl.data.annotations.annotations import DataError

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
        DataError: it is no such file, or several attributes may name the class.
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
    regions = [region for value in files.values() for region in _regions(value)]
    attribute = class_attribute or _class_attribute(path, regions)
    folder = images or path.parent
    read = (
        attempt(functools.partial(_read, value, place, folder, attribute)) for place, value in files.items()
    )
    return LabeledSet([Split("", folder, len(files), read)], classes)


def _json_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = find_files(source, "*.json")
    if len(found) != 1:
        raise DataError(f"{source} has {len(found)} json files; give that of VIA: source=FILE.")
    return found[0]


def _class_attribute(path: Path, regions: list[Any]) -> str | None:
    """The attribute that names the class; None if no region has attributes."""
    names = sorted({name for region in regions for name in _attributes(region)})
    if not names or USUAL_ATTRIBUTE in names:
        return USUAL_ATTRIBUTE if names else None
    if len(names) > 1:
        raise DataError(
            f"{path}: regions have the attributes {', '.join(names)}; say which names the class: "
            f"task.class_attribute={names[0]}."
        )
    return names[0]


def _read(value: dict[str, Any], place: str, folder: Path, attribute: str | None) -> LabeledImage:
    name = entry(value, "filename", str, place)
    image = locate(name, [folder])
    if image is None:
        raise EntryError(
            "image that does not exist",
            f"{place}: its image {folder / name} does not exist; set task.images.",
        )
    size = picture_size(image)
    if not isinstance(value["regions"], list | dict):
        raise EntryError(MALFORMED, f'{place}: "regions" must be a list.')
    objects = [
        attempt(functools.partial(_object, region, attribute, f"{place}, region {position}"))
        for position, region in enumerate(_regions(value), 1)
    ]
    return LabeledImage(image, size, place, objects)


def _regions(value: dict[str, Any]) -> list[Any]:
    """A list, or in version 1 a mapping from numbers."""
    regions = value["regions"]
    if isinstance(regions, dict):
        return list(regions.values())
    return regions if isinstance(regions, list) else []


def _attributes(region: Any) -> dict[str, Any]:
    attributes = region.get("region_attributes") if isinstance(region, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _object(region: Any, attribute: str | None, place: str) -> LabeledObject:
    if not isinstance(region, dict):
        raise EntryError(MALFORMED, f"{place} must be an object with shape_attributes.")
    shape = entry(region, "shape_attributes", dict, place)
    if shape.get("name") in WITHOUT_AREA:
        raise EntryError("line or point", f"{place} is a {shape['name']}, which has no area.")
    name = ONLY_CLASS if attribute is None else _class_name(region, attribute, place)
    return LabeledObject(name, place, polygons=[_outline(shape, place)])


def _class_name(region: dict[str, Any], attribute: str, place: str) -> str:
    """Text, or the only checkbox that is set."""
    value = _attributes(region).get(attribute)
    if isinstance(value, dict):
        chosen = [name for name, is_set in value.items() if is_set]
        value = chosen[0] if len(chosen) == 1 else None
    return class_name(value, f"attribute {attribute!r}", place)


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
            raise EntryError(
                "shape with a wrong number of points",
                f"{place} has {len(xs)} x and {len(ys)} y; a polygon needs as many of both, 3 or more.",
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
    raise EntryError("unknown shape", f"{place} is a {str(kind)[:30]}; known are {known}.")
