"""Metadata inside an exported model: all that a predictor needs beside the graph."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from math import isfinite
from typing import Any

from yolact_pl.images.placement import MODES
from yolact_pl.inference.options import is_count, is_number

KEY = "yolact_pl"
"""Of the JSON in ONNX's `metadata_props` and OpenVINO's `rt_info`."""
FORMAT_VERSION = 1
CHOICES = {
    "layout": ("detections", "coefficients", "raw"),
    "input": ("uint8", "float32"),
    "channel_order": ("RGB",),
    "value_range": ("0..255",),
    "decoder": ("anchor", "point"),
    "nms": ("fast", "cross_class", "exact"),
    "resize": MODES,
    "precision": ("float32", "float16", "int8"),
}
"""Values of the keys that are one word."""
OUTPUTS = {
    "detections": ("boxes", "scores", "mask_scores", "labels", "masks"),
    "coefficients": ("boxes", "scores", "mask_scores", "labels", "coefficients", "prototypes"),
    "raw": ("class_logits", "box_deltas", "coefficients", "prototypes", "anchors"),
}
"""Names of the graph's outputs by layout, in order."""


class ExportError(ValueError):
    """A file that is no usable export of this project."""


@dataclass(frozen=True, kw_only=True)
class ExportMetadata:
    """What an exported model says of itself.

    The thresholds and the NMS are inside the graph, but for `layout="raw"`: there they are those that the
    network was measured with.

    Raises:
        ExportError: a value of the wrong kind or out of its range; names the key.
    """

    format_version: int = FORMAT_VERSION
    layout: str
    """Which outputs the graph has, see `OUTPUTS`."""
    input: str
    """Type of the input `images` [N, H, W, 3]: "uint8" or "float32"."""
    channel_order: str = "RGB"
    value_range: str = "0..255"
    image_size: tuple[int, int]
    """(height, width) of the input; with `dynamic_size` of what the network was trained on."""
    dynamic_size: bool = False
    """Whether the input may have any height and width that are multiples of 32."""
    resize: str
    """How images are placed on the input, see `Resize`."""
    image_value_range: tuple[float, float] | None = None
    """The values of images with more than 8 bits that become 0 and 255, see `read_image`; None: by image."""
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    """The annotation file's id of each class."""
    decoder: str
    """Meaning of the raw class logits and box deltas: "anchor" or "point", see `yolact_pl.decoders`."""
    nms: str
    """"fast", "cross_class" or "exact", see `Postprocess`."""
    iou_threshold: float
    score_threshold: float
    """Before suppression; nothing below is ever found."""
    class_thresholds: tuple[float, ...] | None = None
    """The score of each class above which a detection is shown, where known."""
    max_candidates: int
    """Boxes that NMS looks at: in each class for "fast", of all classes for the others."""
    max_detections: int
    """D: rows of the outputs of each image."""
    whole_pixel_boxes: bool
    """Whether the corners of boxes are cut down to whole pixels of the image, as published."""
    mask_confidence: bool = False
    """Whether `mask_scores` count how sure the pixels are, see `Postprocess`."""
    refine_boxes: bool = False
    """Whether boxes are to be averaged with the rectangles around their masks, see `Postprocess`."""
    num_prototypes: int
    prototype_size: tuple[int, int]
    """(height, width) of prototypes and masks at `image_size`."""
    precision: str
    """Of the weights: "float32", "float16" or "int8"."""
    checkpoint: Mapping[str, str]
    """`name` and `sha256` of the file that was exported."""
    versions: Mapping[str, str]
    """Of the packages that wrote the file."""
    licence: str | None = None
    """Of the weights, as the user stated it."""
    ap: Mapping[str, Mapping[str, float]] | None = None
    """`torch` and `exported`: "box" and "mask" AP (0..1) on a validation set, where measured."""

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise ExportError(
                f"format_version={self.format_version!r}: this program reads version {FORMAT_VERSION}; "
                "export the checkpoint again, or update yolact-pl"
            )
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ExportError(f"{key}={getattr(self, key)!r}: expected {' or '.join(choices)}")
        for key in ("image_size", "prototype_size"):
            _require(key, getattr(self, key), _is_size, "(height, width) in pixels")
        for key in ("dynamic_size", "whole_pixel_boxes", "mask_confidence", "refine_boxes"):
            _require(key, getattr(self, key), lambda value: isinstance(value, bool), "true or false")
        for key in ("max_candidates", "max_detections", "num_prototypes"):
            _require(key, getattr(self, key), is_count, "a whole number of at least 1")
        for key in ("iou_threshold", "score_threshold"):
            _require(key, getattr(self, key), _is_share, "a number from 0 to 1")
        _require("class_names", self.class_names, _are_names, "names, one or more")
        _require(
            "licence", self.licence, lambda value: value is None or isinstance(value, str), "text or null"
        )
        _require("category_ids", self.category_ids, _are_ids, "a whole number of each class")
        self._check_per_class("category_ids", self.category_ids)
        if self.class_thresholds is not None:
            _require(
                "class_thresholds", self.class_thresholds, _are_shares, "a number from 0 to 1 of each class"
            )
            self._check_per_class("class_thresholds", self.class_thresholds)
        if self.image_value_range is not None:
            _require(
                "image_value_range", self.image_value_range, _is_range, "two numbers, the lower one first"
            )
        for key in ("checkpoint", "versions"):
            _require(key, getattr(self, key), _is_texts, "an object of texts")
        if self.ap is not None:
            _require("ap", self.ap, _is_ap, '{"torch": {...}, "exported": {...}} of numbers')

    def _check_per_class(self, key: str, values: tuple[Any, ...]) -> None:
        if len(values) != len(self.class_names):
            raise ExportError(f"{key} has {len(values)} values for {len(self.class_names)} class_names")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the graph's outputs, in order."""
        return OUTPUTS[self.layout]

    def to_json(self) -> str:
        """As text of one line, for the inside of a model file."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, origin: str = "metadata") -> "ExportMetadata":
        """The inverse of `to_json`; keys that this version doesn't know are ignored.

        Args:
            text: the JSON.
            origin: the file, for messages.

        Raises:
            ExportError: no JSON object, or a key is missing or wrong.
        """
        try:
            values = json.loads(text)
        except ValueError as error:  # also bytes that are no UTF-8
            raise ExportError(f"{origin}: the metadata is no JSON: {error}") from None
        if not isinstance(values, dict):
            raise ExportError(f"{origin}: the metadata is no JSON object")
        if "format_version" not in values:
            raise ExportError(
                f"{origin}: the metadata has no format_version: it was not exported by yolact-pl"
            )
        known = {field.name: field for field in fields(cls)}
        values = {key: _frozen(value) for key, value in values.items() if key in known}
        try:
            return cls(**values)
        except TypeError:
            missing = [name for name, field in known.items() if name not in values and _is_required(field)]
            raise ExportError(f"{origin}: the metadata lacks {', '.join(missing)}") from None
        except ExportError as error:
            raise ExportError(f"{origin}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING


def _require(key: str, value: Any, accepts: Any, expected: str) -> None:
    if not accepts(value):
        raise ExportError(f"{key}={value!r}: expected {expected}")


def _is_size(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(is_count(side) for side in value)


def _is_share(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def _are_shares(value: Any) -> bool:
    return isinstance(value, tuple) and all(_is_share(one) for one in value)


def _are_names(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 0 and all(isinstance(name, str) for name in value)


def _are_ids(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(one) is int for one in value)


def _is_range(value: Any) -> bool:
    is_pair = isinstance(value, tuple) and len(value) == 2 and all(is_number(end) for end in value)
    return is_pair and all(isfinite(end) for end in value) and value[0] < value[1]


def _is_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())


def _is_ap(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and {*value} == {"torch", "exported"}
        and all(isinstance(one, Mapping) and all(map(is_number, one.values())) for one in value.values())
    )
