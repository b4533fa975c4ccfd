"""Descriptions of older checkpoints in today's terms."""

from collections.abc import Mapping
from typing import Any

PUBLISHED_DECODER = {"_target_": "yolact_pl.decoders.anchor_decoder.AnchorDecoder"}
"""Of released weights, and of checkpoints from before decoders were stored."""

MOVED = {
    "yolact_pl.data.transforms.": "yolact_pl.data.augmentation.transforms.",
    "yolact_pl.losses.classification.": "yolact_pl.losses.terms.classification.",
}
"""Modules by their old and their present name."""

TIMM = "yolact_pl.models.timm.TimmBackbone"
"""Its `pretrained`, true or false, became `weights`, as of every backbone."""


def todays_description(entry: Any) -> Any:
    """A description with today's class paths and config keys; what is not a description stays as it is."""
    entry = _moved(entry)
    if not isinstance(entry, dict):
        return entry
    entry.setdefault("decoder", dict(PUBLISHED_DECODER))
    config = _part(entry, "config")
    schedule, model = _part(config, "schedule"), _part(config, "model")
    if config is not None and schedule is not None and "optimizer" in schedule:
        config.setdefault("optimizer", schedule["optimizer"])
    if model is not None:
        model.setdefault("decoder", entry["decoder"])
        postprocess = _part(model, "postprocess")
        if postprocess is not None:
            postprocess.setdefault("decoder", entry["decoder"])
    return entry


def _part(node: Any, key: str) -> dict[str, Any] | None:
    found = node.get(key) if isinstance(node, dict) else None
    return found if isinstance(found, dict) else None


def _moved(node: Any) -> Any:
    """The same tree with the present paths of moved classes and `weights` of every backbone."""
    if isinstance(node, Mapping):
        moved = {
            key: _present_path(value) if key == "_target_" else _moved(value) for key, value in node.items()
        }
        if moved.get("_target_") == TIMM and "pretrained" in moved:
            moved["weights"] = "imagenet" if moved.pop("pretrained") else None
        return moved
    return [_moved(value) for value in node] if isinstance(node, list) else node


def _present_path(target: Any) -> Any:
    for old, new in MOVED.items():
        if isinstance(target, str) and target.startswith(old):
            return new + target.removeprefix(old)
    return target
