"""The objects of a COCO annotation file in the form that the counting needs."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pycocotools.mask

logger = logging.getLogger(__name__)

Annotations = dict[str, Any]

mask_api: Any = pycocotools.mask  # its own annotations are narrower than what it takes


def read_annotations(source: Path | str | Annotations) -> Annotations:
    """The content of an annotation file, or what was given if it is read already.

    Raises:
        ValueError: the file is missing or not JSON, or it has no images or categories.
    """
    if isinstance(source, dict):
        name, content = "the annotations", source
    else:
        name = str(source)
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise ValueError(f"{name}: there is no such annotation file") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{name} is not a COCO annotation file: it is not JSON ({error})") from None
    if not isinstance(content, dict) or not all(key in content for key in ("images", "categories")):
        raise ValueError(f'{name}: a COCO annotation file has the keys "images" and "categories"')
    return content


def select(
    content: Annotations,
    category_ids: Iterable[int],
    *,
    image_ids: Iterable[int] | None = None,
    rows: Iterable[int] | None = None,
) -> Annotations:
    """What a file says of some categories and images; `content` is not changed.

    Args:
        content: of the file.
        category_ids: of the objects.
        image_ids: of the images; None: all.
        rows: the only annotations to look at, by their place in the list; None: all.
    """
    categories, selected = set(category_ids), dict(content)
    wanted = {image["id"] for image in content["images"]} if image_ids is None else set(image_ids)
    selected["images"] = [image for image in content["images"] if image["id"] in wanted]
    if "annotations" in content:
        listed = content["annotations"]
        selected["annotations"] = [
            annotation
            for annotation in (listed if rows is None else (listed[row] for row in rows))
            if annotation["image_id"] in wanted and annotation["category_id"] in categories
        ]
    return selected


def prepare_objects(content: Annotations) -> list[dict[str, Any]]:
    """The annotations with masks as run lengths, ready for either counting library; `content` is not changed.

    Objects are numbered anew from 1, since the libraries take the number 0 for "not matched". An
    area that is missing is counted from the mask. Objects without a usable outline are left out, which is
    reported in one line.
    """
    sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in content["images"]}
    objects = []
    for annotation in content["annotations"]:
        segmentation = _run_lengths(annotation.get("segmentation"), *sizes[annotation["image_id"]])
        if segmentation is None:
            continue
        area = annotation.get("area")
        objects.append(
            {
                "id": len(objects) + 1,
                "image_id": annotation["image_id"],
                "category_id": annotation["category_id"],
                "bbox": annotation["bbox"],
                "area": float(mask_api.area(segmentation)) if area is None else area,
                "iscrowd": int(annotation.get("iscrowd") or 0),
                "segmentation": segmentation,
            }
        )
    dropped = len(content["annotations"]) - len(objects)
    if dropped:
        logger.warning(
            "%d of %d annotations have no usable outline and are not evaluated",
            dropped,
            len(content["annotations"]),
        )
    return objects


def _run_lengths(segmentation: Any, height: int, width: int) -> dict[str, Any] | None:
    """Polygons or run lengths of any kind as compressed run lengths; None if there is no outline."""
    if isinstance(segmentation, dict):
        if isinstance(segmentation["counts"], list):
            segmentation = mask_api.frPyObjects(segmentation, height, width)
        return dict(segmentation)
    polygons = [polygon for polygon in segmentation or [] if len(polygon) >= 6]
    if not polygons:
        return None
    return mask_api.merge(mask_api.frPyObjects(polygons, height, width))
