"""Reading and checking a COCO annotation file."""

import json
import logging
import math
from array import array
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from yolact_pl.data import rle
from yolact_pl.data.coco_index import CocoIndex, DataError, Strings

logger = logging.getLogger(__name__)

_MAX_ID = 2**63 - 1
_MAX_SIDE = 65_535


class Degenerate(Exception):
    """An annotation without anything to learn from; the text is the reason."""


def read_coco(path: str | Path, *, annotated: bool = True) -> CocoIndex:
    """Read a COCO instances file; degenerate annotations are left out and counted in one logged line.

    Args:
        path: the json.
        annotated: False for a file that lists images and categories only, as of a test split.

    Raises:
        DataError: the file is missing, no json, not COCO, or its annotations refer to what it does not contain.
    """
    content = _load_json(path)
    image_ids, file_names, sizes = _read_images(_table(content, "images", path), path)
    category_ids, classes = _read_categories(_table(content, "categories", path), path)
    rows = _table(content, "annotations", path) if annotated else []
    reader = AnnotationReader(path, image_ids, sizes, category_ids)
    reader.read(rows)
    index = CocoIndex(
        path=str(path),
        image_ids=np.array(image_ids, np.int64),
        file_names=Strings.pack(file_names),
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        classes=tuple(classes),
        category_ids=tuple(category_ids),
        num_annotations=len(rows),
        dropped=dict(reader.dropped),
        **reader.arrays(),
    )
    if rows and len(index.labels) == 0:
        raise DataError(
            f"{index.summary()}; no usable annotation is left, correct their boxes and segmentations."
        )
    if summary := index.summary():
        logger.warning(summary)
    return index


def _load_json(path: str | Path) -> dict[str, Any]:
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"annotation file {path} does not exist; check the path.") from None
    except OSError as error:
        raise DataError(f"annotation file {path} cannot be read: {error.strerror or error}.") from None
    if not text.strip():
        raise DataError(f"annotation file {path} is empty; write or download it again.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"annotation file {path} is not valid JSON: {error}.") from None
    if not isinstance(content, dict):
        raise DataError(
            f"{path} is not a COCO file: it holds a {type(content).__name__} instead of an object with the keys "
            "images, annotations and categories."
        )
    return content


def _table(content: dict[str, Any], key: str, path: str | Path) -> list[dict[str, Any]]:
    rows = content.get(key)
    if not isinstance(rows, list):
        found = "has no" if rows is None else "has no list under the"
        raise DataError(
            f"{path} is not a COCO file: it {found} key {key!r} (keys: {', '.join(map(repr, content))})."
        )
    if not rows and key != "annotations":
        raise DataError(f"{path} lists no {key}; a COCO file needs at least one.")
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path} is not a COCO file: entry {position} of {key!r} is not an object.")
    return rows


def _integer(row: dict[str, Any], key: str, name: str, path: str | Path, maximum: int = _MAX_ID) -> int:
    value = row.get(key)
    if type(value) is not int or abs(value) > maximum:
        raise DataError(f"{path}: {name} has {key}={value!r:.60}, expected a whole number.")
    return value


def _read_images(
    rows: list[dict[str, Any]], path: str | Path
) -> tuple[list[int], list[bytes], list[tuple[int, int]]]:
    ids, file_names, sizes = [], [], []
    for position, row in enumerate(rows):
        image_id = _integer(row, "id", f"entry {position} of 'images'", path)
        name = f"image {image_id}"
        file_name = row.get("file_name")
        if not isinstance(file_name, str) or not file_name:
            raise DataError(
                f"{path}: {name} has file_name={file_name!r:.60}, expected the name of a picture."
            )
        size = _integer(row, "height", name, path), _integer(row, "width", name, path)
        if not (0 < size[0] <= _MAX_SIDE and 0 < size[1] <= _MAX_SIDE):
            raise DataError(
                f"{path}: {name} has height {size[0]} and width {size[1]}, expected 1 to {_MAX_SIDE}."
            )
        ids.append(image_id)
        file_names.append(file_name.encode("utf-8", "surrogatepass"))
        sizes.append(size)
    _check_unique(ids, "image", path)
    return ids, file_names, sizes


def _read_categories(rows: list[dict[str, Any]], path: str | Path) -> tuple[list[int], list[str]]:
    names: list[tuple[int, str]] = []
    for position, row in enumerate(rows):
        category_id = _integer(row, "id", f"entry {position} of 'categories'", path)
        name = row.get("name")
        if not isinstance(name, str):
            raise DataError(f"{path}: category {category_id} has name={name!r:.60}, expected a text.")
        names.append((category_id, name))
    names.sort()
    _check_unique([category_id for category_id, _ in names], "category", path)
    return [category_id for category_id, _ in names], [name for _, name in names]


def _check_unique(ids: list[int], kind: str, path: str | Path) -> None:
    if len(set(ids)) != len(ids):
        twice, count = Counter(ids).most_common(1)[0]
        raise DataError(
            f"{path}: {kind} id {twice} is used {count} times; every {kind} needs an id of its own."
        )


class AnnotationReader:
    """Collects the usable annotations of one file in flat buffers."""

    def __init__(
        self, path: str | Path, image_ids: list[int], sizes: list[tuple[int, int]], category_ids: list[int]
    ) -> None:
        self.path = path
        self.positions = {image_id: position for position, image_id in enumerate(image_ids)}
        self.labels_by_id = {category_id: label for label, category_id in enumerate(category_ids)}
        self.sizes = sizes
        self.dropped: Counter[str] = Counter()
        self._images, self._labels, self._iscrowd = array("q"), array("q"), array("b")
        self._boxes, self._points = array("f"), array("f")
        self._polygon_lengths: list[
            list[int]
        ] = []  # values (two a point) of each polygon, one list an annotation
        self._codes: list[bytes] = []

    def read(self, rows: list[dict[str, Any]]) -> None:
        """Add annotations.

        Raises:
            DataError: one refers to an unknown image or category, or has a field of a wrong type.
        """
        for position, row in enumerate(rows):
            annotation_id = _integer(row, "id", f"entry {position} of 'annotations'", self.path)
            name = f"annotation {annotation_id}"
            image = self._look_up(row, "image_id", name, self.positions, "image")
            label = self._look_up(row, "category_id", name, self.labels_by_id, "category")
            iscrowd = row.get("iscrowd", 0)
            if iscrowd not in (0, 1):
                raise DataError(f"{self.path}: {name} has iscrowd={iscrowd!r:.60}, expected 0 or 1.")
            box = self._numbers(row.get("bbox"), "bbox", name)
            if len(box) != 4:
                raise DataError(
                    f"{self.path}: {name} has a bbox of {len(box)} numbers, expected [x, y, width, height]."
                )
            try:
                corners = _clip_box(box, self.sizes[image])
                polygons, code = self._segmentation(row.get("segmentation"), self.sizes[image], name)
            except Degenerate as reason:
                self.dropped[str(reason)] += 1
                continue
            self._images.append(image)
            self._labels.append(label)
            self._iscrowd.append(int(iscrowd))
            self._boxes.extend(corners)
            self._polygon_lengths.append([len(polygon) for polygon in polygons])
            for polygon in polygons:
                self._points.extend(polygon)
            self._codes.append(code)

    def _look_up(self, row: dict[str, Any], key: str, name: str, known: dict[int, int], kind: str) -> int:
        value = _integer(row, key, name, self.path)
        if value not in known:
            raise DataError(f"{self.path}: {name} refers to {kind} {value}, which the file does not list.")
        return known[value]

    def _numbers(self, values: Any, key: str, name: str) -> array:
        try:
            return array("f", values if isinstance(values, list) else None)  # type: ignore[arg-type]
        except (TypeError, OverflowError):
            raise DataError(
                f"{self.path}: {name} has {key}={values!r:.60}, expected a list of numbers."
            ) from None

    def _segmentation(self, value: Any, size: tuple[int, int], name: str) -> tuple[list[array], bytes]:
        """The polygons, or the compressed run-length code, of one mask."""
        if not value:
            raise Degenerate("with an empty segmentation")
        if isinstance(value, dict):
            return [], self._code(value, size, name)
        if not isinstance(value, list):
            raise DataError(
                f"{self.path}: {name} has segmentation={value!r:.60}, expected polygons or a run-length code."
            )
        polygons = [self._numbers(polygon, "a polygon", name) for polygon in value]
        usable = [polygon for polygon in polygons if len(polygon) >= 6 and len(polygon) % 2 == 0]
        if not usable:
            raise Degenerate("with a polygon of fewer than 3 points")
        limit = 10.0 * max(size)
        if any(
            min(polygon) < -limit or max(polygon) > limit or math.isnan(sum(polygon)) for polygon in usable
        ):
            raise Degenerate("with a polygon far outside of the image")
        return usable, b""

    def _code(self, value: dict[str, Any], size: tuple[int, int], name: str) -> bytes:
        counts = value.get("counts")
        if not isinstance(counts, str | list):
            raise DataError(f"{self.path}: {name} has an RLE without counts.")
        if value.get("size") != list(size):
            raise Degenerate("with an RLE of another size than its image")
        if isinstance(counts, str):
            code = counts.encode("utf-8", "surrogatepass")
            if not rle.fits(code, size):
                raise Degenerate("with a damaged RLE")
            return code
        sound = (
            all(type(count) is int and count >= 0 for count in counts) and sum(counts) == size[0] * size[1]
        )
        if not sound:
            raise Degenerate("with a damaged RLE")
        return rle.compress(counts, size)

    def arrays(self) -> dict[str, Any]:
        """The fields of `CocoIndex` that describe annotations, sorted by image."""
        order = np.argsort(np.array(self._images, np.int64), kind="stable")
        images = np.array(self._images, np.int64)[order]
        lengths = np.array(list(chain.from_iterable(self._polygon_lengths)), np.int64) // 2
        counts = np.array([len(polygons) for polygons in self._polygon_lengths], np.int64)
        polygon_order = _reorder_groups(counts, order)
        point_order = _reorder_groups(lengths, polygon_order)
        return {
            "ends": np.searchsorted(images, np.arange(len(self.sizes)), side="right"),
            "boxes": np.array(self._boxes, np.float32).reshape(-1, 4)[order],
            "labels": np.array(self._labels, np.int64)[order],
            "iscrowd": np.array(self._iscrowd, np.int8)[order].astype(bool),
            "codes": Strings.pack([self._codes[row] for row in order]),
            "polygon_ends": np.cumsum(counts[order]),
            "point_ends": np.cumsum(lengths[polygon_order]),
            "points": np.array(self._points, np.float32).reshape(-1, 2)[point_order],
        }


def _reorder_groups(counts: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Where the members of consecutive groups of these sizes go when the groups are put into another order."""
    starts = np.cumsum(counts) - counts
    counts, starts = counts[order], starts[order]
    shift = starts - (np.cumsum(counts) - counts)
    return np.arange(counts.sum()) + np.repeat(shift, counts)


def _clip_box(box: array, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """[x, y, width, height] to xyxy inside of the image."""
    x, y, width, height = box
    if not all(map(math.isfinite, box)) or width <= 0 or height <= 0:
        raise Degenerate("with a box of zero size")
    corners = max(x, 0.0), max(y, 0.0), min(x + width, float(size[1])), min(y + height, float(size[0]))
    if corners[0] >= corners[2] or corners[1] >= corners[3]:
        raise Degenerate("with a box outside of the image")
    return corners
