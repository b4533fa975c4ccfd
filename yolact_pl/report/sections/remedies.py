"""What helps against the failure of each part."""

from collections.abc import Sequence
from dataclasses import dataclass

from yolact_pl.evaluation.analysis.tide import Errors
from yolact_pl.evaluation.parts.shares import PartShares


@dataclass(frozen=True)
class Setting:
    """How the network was made and trained, as far as it decides what helps."""

    class_names: Sequence[str]
    image_size: tuple[int, int]
    """(height, width) of the network's input."""
    has_stride_option: bool = False
    """Whether `model.network.prototype_stride` exists."""
    soft_masks: bool | None = None
    """Whether partly covered pixels were learned; None: unknown."""
    iou_threshold: float | None = None
    """Of the suppression of overlapping boxes."""


AGAINST = {
    "classification": "more images of the classes that are mixed up (see the confusion matrix)",
    "localisation": "a longer schedule, a higher model.loss.terms.box.weight, or a larger image_size",
    "both": "a longer schedule, or more training images",
    "duplicate": "a lower model.postprocess.iou_threshold",
    "background": "images without objects in training, and a look at the suspect annotations",
    "missed": "more training images of what is missed, or a larger image_size for small objects",
}
"""What helps against each kind of error."""
MANY = 0.05
"""Share of the objects from which on missing them is the matter."""


def remedy(part: str, shares: PartShares, setting: Setting, errors: Errors) -> str:
    """A sentence for the user.

    Args:
        part: one of `PARTS`.
        shares: of all parts.
        setting: of the network.
        errors: of the masks, by kind.
    """
    if part == "class/score":
        return _class_score(shares, setting, errors)
    sentences = {
        "coefficients": _coefficients,
        "box": _box,
        "prototypes": _prototypes,
        "resolution": _resolution,
    }
    return sentences[part](shares, setting)


def _coefficients(shares: PartShares, setting: Setting) -> str:
    return (
        "The prototypes could make better masks than the predicted coefficients do: a longer schedule, "
        "a higher model.loss.terms.mask.weight, or more training images."
    )


def _box(shares: PartShares, setting: Setting) -> str:
    return (
        "Boxes cut masks off or let neighbours in: a higher model.loss.terms.box.weight or a longer schedule"
        + (f"; most in {size} objects." if (size := _worst_size(shares, "box")) else ".")
    )


def _prototypes(shares: PartShares, setting: Setting) -> str:
    soft = "dataset.soft_masks=true, " if setting.soft_masks is False else ""
    return (
        "No coefficients make the outlines out of these prototypes: "
        f"{soft}model.network.num_prototypes={2 * shares.num_prototypes} or a longer schedule."
    )


def _resolution(shares: PartShares, setting: Setting) -> str:
    height, width = shares.map_size
    larger = [round(1.5 * side / 32) * 32 for side in setting.image_size]
    size = str(larger[0]) if larger[0] == larger[1] else f"[{larger[0]},{larger[1]}]"
    finer = setting.has_stride_option and 3 * height < setting.image_size[0]
    stride = "model.network.prototype_stride=2 or " if finer else ""
    return (
        f"Masks are made on a grid of {width} x {height} cells, too coarse for these objects: "
        f"{stride}image_size={size}, or task=predict tile=... for small objects in large images."
    )


def _class_score(shares: PartShares, setting: Setting, errors: Errors) -> str:
    missed, objects = shares.sizes["all"].missed, shares.sizes["all"].objects
    crowded_missed, crowded = shares.crowded
    if crowded_missed > 0.5 * missed and crowded_missed >= 3:
        limit = "" if setting.iou_threshold is None else f" (now {setting.iou_threshold:g})"
        return (
            f"{crowded_missed:,} of {crowded:,} objects that overlap another one of their class by more than "
            f"half are missed: a higher model.postprocess.iou_threshold{limit}; task=check_data tells "
            "whether they are annotated twice."
        )
    if missed > MANY * objects:
        if shares.taken_for_another > 0.5 * missed:
            many = f"{shares.taken_for_another:,} objects are taken for another class"
            return f"{many}: {AGAINST['classification']}."
        worst = max(shares.class_missed, key=lambda label: shares.class_missed[label][0])
        lost, count = shares.class_missed[worst]
        several = len(shares.class_missed) > 1
        return f"{missed:,} of {objects:,} objects are missed: a longer schedule, or more training images" + (
            f", first of {setting.class_names[worst]!r} ({lost:,} of {count:,})." if several else "."
        )
    kinds = [cost for cost in errors.costs if cost.name not in ("localisation", "missed")]
    first = max(kinds, key=lambda cost: cost.gain).name
    return (
        f"Objects are found, but ranked below false detections, mostly of the kind {first}: {AGAINST[first]}."
    )


def _worst_size(shares: PartShares, part: str) -> str:
    """The size that loses most, where one clearly does."""
    gains = {n: s.gains[part] for n, s in shares.sizes.items() if n != "all" and s.objects >= 10}
    if len(gains) < 2:
        return ""
    worst = max(gains, key=lambda name: gains[name])
    return worst if gains[worst] > 1.5 * max(g for n, g in gains.items() if n != worst) else ""
