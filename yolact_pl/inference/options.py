"""Options of a prediction, for any engine."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Literal, TypeGuard

from typing_extensions import TypedDict

NAMES_SHOWN = 12
AUTO = "auto"


class Options(TypedDict, total=False):
    """Options that are left out stay as they are."""

    min_score: float | Literal["auto"]
    """Only detections with a higher score are given, 0 <= min_score < 1; "auto": as measured by class."""
    classes: Sequence[str] | None
    """Only these classes, by name; None: all."""
    top_k: int | None
    """Of each image at most so many, the best; None: as many as the engine keeps."""
    nms: str
    """How overlapping boxes are suppressed: fast, cross_class or exact, see `Postprocess`."""
    iou_threshold: float
    """A box that overlaps a better one by more is dropped, 0 to 1."""


@dataclass(frozen=True)
class Request:
    """All options of a prediction, as an engine gets them."""

    nms: str
    """How overlapping boxes are suppressed: "fast", "cross_class" or "exact"."""
    iou_threshold: float
    """A box that overlaps a better one by more is dropped."""
    min_score: float | None = None
    """Only detections with a higher score, also below the engine's own threshold; None: by that alone."""
    class_min_scores: tuple[float, ...] | None = None
    """The `min_score` of each class, of which `min_score` is the lowest then; None: the same for all. Engines
    need not look at it: the predictor does."""
    labels: frozenset[int] | None = None
    """Only these classes; None: all."""
    top_k: int | None = None
    """Of each image at most so many, the best; None: as many as the engine keeps."""
    parts: bool = False
    """Whether detections get their `parts`."""

    def changed(
        self,
        options: Options,
        class_names: Sequence[str],
        class_thresholds: Sequence[float] | None = None,
    ) -> "Request":
        """The request with these options.

        Args:
            options: see `Options`.
            class_names: of the network.
            class_thresholds: what `min_score="auto"` is for each class, where known.

        Raises:
            ValueError: no such option or class, a number out of its range, or "auto" where that is not known.
        """
        check_options(options)
        changes = {name: value for name, value in options.items() if name != "classes"}
        if "min_score" in options:
            changes |= _min_scores(options["min_score"], class_thresholds)
        if "classes" in options:
            changes["labels"] = labels_of(options["classes"], class_names)
        return replace(self, **changes)


def check_options(options: Options) -> None:
    """Check names and ranges.

    Raises:
        ValueError: one is not.
    """
    known = tuple(Options.__annotations__)
    for name in options:
        if name not in known:
            raise ValueError(f"there is no option {name!r}; {nearest(name, known)}")
    min_score, iou_threshold = options.get("min_score", 0.0), options.get("iou_threshold", 0.5)
    top_k = options.get("top_k")
    if min_score != AUTO and not (is_number(min_score) and 0 <= min_score < 1):
        raise ValueError(f"min_score={min_score!r}: expected a number of at least 0 and below 1, or auto")
    if not (is_number(iou_threshold) and 0 <= iou_threshold <= 1):
        raise ValueError(f"iou_threshold={iou_threshold!r}: expected a number from 0 to 1")
    if top_k is not None and not is_count(top_k):
        raise ValueError(f"top_k={top_k!r}: expected how many detections to keep, at least 1")


def _min_scores(
    min_score: float | Literal["auto"], class_thresholds: Sequence[float] | None
) -> dict[str, object]:
    if min_score != AUTO:
        return {"min_score": min_score, "class_min_scores": None}
    if class_thresholds is None:
        raise ValueError(
            "min_score=auto: this network does not say the best score of each class; "
            "python run.py task=eval checkpoint=FILE save_thresholds=true writes a checkpoint that does"
        )
    return {"min_score": min(class_thresholds), "class_min_scores": tuple(class_thresholds)}


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a real number; true and false are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_count(value: object) -> TypeGuard[int]:
    """Whether it is a whole number of at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def labels_of(classes: Sequence[str] | str | None, class_names: Sequence[str]) -> frozenset[int] | None:
    """The labels of classes by name, None for all.

    Raises:
        ValueError: none at all, or a name that is not among the network's; says the nearest.
    """
    if classes is None:
        return None
    if not isinstance(classes, Iterable):
        raise ValueError(f"classes={classes!r}: expected names of classes, such as {list(class_names[:2])}")
    wanted = [classes] if isinstance(classes, str) else list(classes)
    if not wanted:
        raise ValueError("classes is empty: give some names, or None for all classes")
    for name in wanted:
        if name not in class_names:
            raise ValueError(f"classes: this network has no class {name!r}; {nearest(name, class_names)}")
    return frozenset(label for label, name in enumerate(class_names) if name in wanted)


def nearest(name: str, known: Sequence[str]) -> str:
    """The known name that is closest, or all of them, as a hint."""
    by_form = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).casefold(), by_form, n=1)
    if near:
        return f"did you mean {by_form[near[0]]!r}?"
    more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
    return f"there are {', '.join(known[:NAMES_SHOWN])}{more}"
