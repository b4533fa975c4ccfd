"""The data that was trained on and measured with, and where they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.report.html import escape, text_table
from yolact_pl.report.plots import histogram, plots

FEW = 10
"""Objects of a class that are too few to compare."""
MOST_CLASSES = 40
_SIDES = np.geomspace(4, 1024, 17)


@dataclass(frozen=True)
class SetData:
    """Images and objects of a set; crowd regions are not counted."""

    images: int
    sides: NDArray[np.float64]
    """[N] square roots of the areas, in pixels."""
    per_image: NDArray[np.int64]
    """[images] objects."""
    per_class: NDArray[np.int64]
    """[C] objects."""

    @classmethod
    def of(cls, known: Annotations, images: NDArray[np.int64]) -> "SetData":
        """Count.

        Args:
            known: the annotations.
            images: positions of the set's images in them.
        """
        counted = ~known.iscrowd & np.isin(known.image_indices, images)
        per_image = np.bincount(known.image_indices[counted], minlength=known.num_images)[images]
        return cls(
            images=len(images),
            sides=np.sqrt(known.area[counted].clip(min=0)),
            per_image=per_image,
            per_class=np.bincount(known.labels[counted], minlength=len(known.class_names)),
        )


def data(sets: Mapping[str, SetData], class_names: Sequence[str]) -> str:
    """Numbers, histograms and class counts of "train" and "val", and where they differ."""
    rows = [["", *sets]]
    for name, value in (
        ("images", lambda one: f"{one.images:,}"),
        ("objects", lambda one: f"{len(one.sides):,}"),
        ("objects per image", lambda one: f"{one.per_image.mean():.1f}" if one.images else "-"),
        ("images without objects", lambda one: f"{int((one.per_image == 0).sum()):,}"),
        ("median side", lambda one: f"{np.median(one.sides):.0f} px" if len(one.sides) else "-"),
        ("small / medium / large", lambda one: _sizes(one.sides)),
    ):
        rows.append([name, *(value(one) for one in sets.values())])
    differing = differences(sets, class_names)
    notes = "".join(f"<li>{escape(line)}</li>" for line in differing)
    return "".join(
        [
            text_table(rows, "numbers"),
            f"<h4>Where they differ</h4><ul>{notes}</ul>" if notes else "",
            plots(_histograms(sets)),
            _classes(sets, class_names),
        ]
    )


def differences(sets: Mapping[str, SetData], class_names: Sequence[str]) -> list[str]:
    """Sentences on classes, sizes and objects per image that are not alike in train and val."""
    if len(sets) < 2 or any(len(one.sides) == 0 for one in sets.values()):
        return []
    train, val = sets["train"], sets["val"]
    lines = []
    for found, other, which in ((train, val, "val"), (val, train, "train")):
        absent = np.flatnonzero((found.per_class > 0) & (other.per_class == 0))
        only = [class_names[label] for label in map(int, absent)]
        if only:
            more = f" and {len(only) - 5} more" if len(only) > 5 else ""
            lines.append(f"no object in {which}: {', '.join(only[:5])}{more}")
    shares = [one.per_class / one.per_class.sum() for one in (train, val)]
    enough = (train.per_class >= FEW) & (val.per_class >= FEW)
    ratio = np.where(enough, shares[1] / np.maximum(shares[0], 1e-9), 1)
    for label in np.argsort(-np.abs(np.log(ratio)))[:5].tolist():
        if abs(np.log(ratio[label])) > np.log(2):
            lines.append(
                f"{class_names[label]}: {100 * shares[0][label]:.1f} % of the objects in train, "
                f"{100 * shares[1][label]:.1f} % in val"
            )
    sides = [float(np.median(one.sides)) for one in (train, val)]
    if max(sides) > 1.5 * min(sides):
        lines.append(f"median side of an object: {sides[0]:.0f} px in train, {sides[1]:.0f} px in val")
    means = [float(one.per_image.mean()) for one in (train, val)]
    if max(means) > 1.5 * min(means):
        lines.append(f"objects per image: {means[0]:.1f} in train, {means[1]:.1f} in val")
    return lines


def _histograms(sets: Mapping[str, SetData]) -> list[str]:
    """Sizes and objects per image, each in percent of its set."""
    names = list(sets)
    sizes = [np.histogram(one.sides.clip(_SIDES[0], _SIDES[-1]), _SIDES)[0] for one in sets.values()]
    most = max((int(one.per_image.max(initial=0)) for one in sets.values()), default=0)
    bins = np.linspace(0, max(most + 1, 2), min(most + 2, 21))
    counts = [np.histogram(one.per_image, bins)[0] for one in sets.values()]
    span = np.log2(_SIDES[[0, -1]])
    ticks = [(float(np.log2(side)), str(side)) for side in (4, 8, 16, 32, 64, 128, 256, 512)]
    return [
        histogram(
            "Side of an object (square root of its area), percent",
            names,
            [_percent(one) for one in sizes],
            x_range=(float(span[0]), float(span[1])),
            x_label="pixels of the image",
            ticks=ticks,
        ),
        histogram(
            "Objects per image, percent of the images",
            names,
            [_percent(one) for one in counts],
            x_range=(0.0, float(bins[-1])),
            x_label="objects",
        ),
    ]


def _classes(sets: Mapping[str, SetData], class_names: Sequence[str]) -> str:
    first = next(iter(sets.values()))
    order = np.argsort(-first.per_class, kind="stable").tolist()
    rows = [["class", *(f"{name} objects" for name in sets)]]
    rows += [[class_names[label], *(f"{one.per_class[label]:,}" for one in sets.values())] for label in order]
    table = text_table(rows, "numbers sortable")
    return f"<details><summary>objects of {len(class_names):,} classes</summary>{table}</details>"


def _percent(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return 100 * counts / max(counts.sum(), 1)


def _sizes(sides: NDArray[np.float64]) -> str:
    small, large = int((sides < 32).sum()), int((sides >= 96).sum())
    return f"{small:,} / {len(sides) - small - large:,} / {large:,}"
