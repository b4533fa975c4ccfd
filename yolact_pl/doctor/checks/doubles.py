"""Objects annotated twice."""

from collections.abc import Callable, Iterator

import numpy as np

from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.kinds import Kind


def check_doubles(coco_set: CocoSet) -> Iterator[Finding]:
    """Annotations of one image and class with the same box and the same mask."""
    rows = coco_set.annotations

    def same(one: int, other: int) -> bool:
        return rows[one].get("segmentation") == rows[other].get("segmentation")

    known = np.flatnonzero(coco_set.image_of >= 0)
    boxes = coco_set.boxes.view(np.int64)
    keys = np.column_stack((coco_set.image_of, coco_set.category_of, boxes))[known]
    repeated = repeated_rows(keys, lambda one, other: same(known[one], known[other]))
    for row, first in repeated.items():
        detail = f"it is the same as annotation {shown(rows[known[first]].get('id'))}"
        yield Finding(Kind.ANNOTATION_DOUBLE, coco_set.split, detail, annotation=int(known[row]))


def repeated_rows(keys: np.ndarray, same: Callable[[int, int], bool]) -> dict[int, int]:
    """Rows whose key [N, K] has come before in a row that is the same, and that row."""
    order = np.lexsort(keys.T)
    equal = (keys[order[1:]] == keys[order[:-1]]).all(axis=1)
    candidates = np.unique(np.concatenate((order[1:][equal], order[:-1][equal])))
    seen: dict[tuple[int, ...], list[int]] = {}
    repeated = {}
    for row in candidates.tolist():
        earlier = seen.setdefault(tuple(keys[row].tolist()), [])
        first = next((other for other in earlier if same(row, other)), None)
        if first is None:
            earlier.append(row)
        else:
            repeated[row] = first
    return repeated
