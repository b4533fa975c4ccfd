"""Categories of a COCO file."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from yolact_pl.data.annotations.coco_json import DataError, Table


def unused_roots(names: Sequence[Any], supercategories: Sequence[Any], counts: np.ndarray) -> list[int]:
    """Categories that only stand above the others, as labelling tools write them, and are no classes.

    Args:
        names: of the categories.
        supercategories: of the categories, None or "none" at the top.
        counts: annotations of each.
    """
    parents = {parent for parent in supercategories if type(parent) is str}
    tops = [label for label, parent in enumerate(supercategories) if parent in (None, "", "none")]
    return [
        label
        for label in tops
        if counts[label] == 0 and type(names[label]) is str and names[label] in parents
    ]


def read_categories(table: Table) -> tuple[list[int], list[str], list[Any]]:
    """Ids, names and supercategories, sorted by id.

    Raises:
        DataError: there is none, or an entry is not as the COCO format says.
    """
    if len(table) == 0:
        raise DataError(f'{table.path} has no categories; list at least one under "categories".')
    ids = table.unique_ids()
    names = table.strings("name")
    order = np.argsort(ids)
    parents = table.column("supercategory")
    return ids[order].tolist(), [names[k] for k in order], [parents[k] for k in order]
