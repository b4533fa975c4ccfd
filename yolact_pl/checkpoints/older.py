"""Descriptions of older checkpoints in today's terms."""

from collections.abc import Mapping
from typing import Any

PUBLISHED_DECODER = {"_target_": "yolact_pl.decoders.anchor_decoder.AnchorDecoder"}
"""Of released weights, and of checkpoints from before decoders were stored."""

MOVED = {
    "yolact_pl.data.transforms.": "yolact_pl.data.augmentation.transforms.",
    "yolact_pl.losses.classification.": "yolact_pl.losses.terms.classification.",
    "yolact_pl.models.darknet.": "yolact_pl.models.backbones.darknet.",
    "yolact_pl.models.resnet.": "yolact_pl.models.backbones.resnet.",
    "yolact_pl.models.timm.": "yolact_pl.models.backbones.timm.",
    "yolact_pl.schedule.Schedule": "yolact_pl.schedules.step_decay.StepDecay",
}
"""Modules and classes by their old and their present name."""

TIMM = "yolact_pl.models.backbones.timm.TimmBackbone"
"""Its `pretrained`, true or false, became `weights`, as of every backbone."""

_TERMS = "yolact_pl.losses.terms."
_ASSIGNER = {"_target_": "yolact_pl.losses.assigners.iou_assigner.IouAssigner"}
_LOSS_TERMS = {
    "box": {"_target_": f"{_TERMS}box.SmoothL1BoxLoss"},
    "class": {"_target_": f"{_TERMS}classification.HardNegativeCrossEntropy"},
    "mask": {"_target_": f"{_TERMS}mask.MaskLoss"},
    "semantic": {"_target_": f"{_TERMS}semantic.SemanticLoss"},
    "mask_iou": {"_target_": f"{_TERMS}mask_iou.MaskIouLoss"},
}
_LOSS_KEYS = {
    "box_weight": ("terms.box.weight",),
    "class_weight": ("terms.class.weight",),
    "mask_weight": ("terms.mask.weight",),
    "semantic_weight": ("terms.semantic.weight",),
    "mask_iou_weight": ("terms.mask_iou.weight",),
    "positive_iou": ("assigner.positive_iou",),
    "negative_iou": ("assigner.negative_iou",),
    "crowd_iou": ("assigner.crowd_iou",),
    "max_masks": ("terms.mask.max_masks", "terms.mask_iou.max_masks"),
    "min_mask_area": ("terms.mask_iou.min_area",),
}
"""Arguments of the loss before its terms were objects, and where they are now."""


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
        loss = _part(model, "loss")
        if loss is not None and "terms" not in loss:
            loss = model["loss"] = _loss_of_terms(loss, entry["decoder"])
        if config is not None and loss is not None and "assigner" in loss:
            config.setdefault("assigner", loss["assigner"])
    return entry


def _loss_of_terms(loss: dict[str, Any], decoder: Any) -> dict[str, Any]:
    """The loss's constructor call from the arguments that it once took itself."""
    tree: dict[str, Any] = {
        "_target_": "yolact_pl.losses.yolact_loss.YolactLoss",
        "decoder": decoder,
        "assigner": dict(_ASSIGNER),
        "terms": {name: dict(call) for name, call in _LOSS_TERMS.items()},
    }
    classification = _part(loss, "classification")
    if classification is not None:
        tree["terms"]["class"] = dict(classification)
    for old, places in _LOSS_KEYS.items():
        for place in places if old in loss else ():
            *path, key = place.split(".")
            node = tree
            for part in path:
                node = node[part]
            node[key] = loss[old]
    return tree


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
