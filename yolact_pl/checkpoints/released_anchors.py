"""Anchors of weights in the published layout, which hold none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from yolact_pl.models.weight_files import CheckpointError

REFERENCE_SIZE = 550
"""Image size that the scales belong to; all released weights but `im400` and `im700` were trained at it."""
_COCO_SCALES = [24, 48, 96, 192, 384]
_RATIOS = [1.0, 0.5, 2.0]
PUBLISHED_ANCHORS: dict[str, dict[str, Any]] = {
    "coco": {"scales": _COCO_SCALES, "ratios": _RATIOS, "octaves": 1, "square": True},
    "pascal": {"scales": [32, 64, 128, 256, 512], "ratios": _RATIOS, "octaves": 1, "square": False},
    "plus": {"scales": _COCO_SCALES, "ratios": _RATIOS, "octaves": 3, "square": False},
}
"""Arguments of `Anchors` in the published configs: YOLACT on COCO, on Pascal SBD, and YOLACT++."""
_LEVELS = 5

AnchorChoice: TypeAlias = str | Mapping[str, Any]
"""A name of `PUBLISHED_ANCHORS`, or arguments of `Anchors` that take the place of the recognised ones."""


def recognised_anchors(anchors_per_cell: int, source: str | Path) -> str:
    """The name of the published anchors that weights were most likely trained with.

    Nine per cell are those of YOLACT++. Three are Pascal's if the file's name says so, since training names
    its files after its config; COCO's otherwise, which the configs of own data sets start from.
    """
    if anchors_per_cell == PUBLISHED_ANCHORS["plus"]["octaves"] * len(_RATIOS):
        return "plus"
    return "pascal" if "pascal" in Path(source).name.lower() else "coco"


def describe_anchors(
    anchors_per_cell: int,
    *,
    source: str | Path,
    image_size: int | Sequence[int],
    anchors: AnchorChoice | None = None,
) -> dict[str, Any]:
    """The constructor call of the anchors.

    Args:
        anchors_per_cell: of the weights.
        source: their file.
        image_size: side of the images they were trained on, or [height, width]; anchors grow with it.
        anchors: what is known of them; None: see `recognised_anchors`.

    Raises:
        CheckpointError: they are not known, or of another number per cell.
    """
    if anchors is None and anchors_per_cell not in (3, 9):
        raise CheckpointError(
            f"{source}: has {anchors_per_cell} anchors a cell; released weights have 3, or 9 "
            "(YOLACT++), so say which anchors it was trained with"
        )
    if isinstance(anchors, str):
        if anchors not in PUBLISHED_ANCHORS:
            raise CheckpointError(f"anchors={anchors}: expected {', '.join(PUBLISHED_ANCHORS)}, or arguments")
        arguments = PUBLISHED_ANCHORS[anchors]
    else:
        arguments = {**PUBLISHED_ANCHORS[recognised_anchors(anchors_per_cell, source)], **(anchors or {})}
    call = {"reference_size": REFERENCE_SIZE, **arguments}
    _check(call, anchors_per_cell, source)
    return {"_target_": "yolact_pl.models.anchors.Anchors", **call, "image_size": image_size}


def _check(call: Mapping[str, Any], anchors_per_cell: int, source: str | Path) -> None:
    known = [*PUBLISHED_ANCHORS["coco"], "reference_size"]
    unknown = [key for key in call if key not in known]
    if unknown:
        raise CheckpointError(f"anchors: unknown key {unknown[0]!r}; there are {', '.join(known)}")
    for key in ("scales", "ratios"):
        numbers = call[key]
        if not isinstance(numbers, Sequence) or not all(
            isinstance(number, int | float) and number > 0 for number in numbers
        ):
            raise CheckpointError(f"anchors: {key} is {numbers!r}, expected a list of numbers above 0")
    if len(call["scales"]) != _LEVELS:
        raise CheckpointError(f"anchors: {len(call['scales'])} scales, expected {_LEVELS}, for P3 to P7")
    if not isinstance(call["octaves"], int) or call["octaves"] * len(call["ratios"]) != anchors_per_cell:
        raise CheckpointError(
            f"{source}: has {anchors_per_cell} anchors a cell, but anchors= gives {call['octaves']} octaves "
            f"of {len(call['ratios'])} ratios"
        )
