"""Keys of the config under their former names."""

from collections.abc import Mapping

RENAMED_KEYS = {
    "backbone.pretrained": "backbone.weights",
    "schedule.optimizer": "optimizer",
    "model.loss.classification": "model.loss.terms.class",
    "model.loss.class_weight": "model.loss.terms.class.weight",
    "model.loss.box_weight": "model.loss.terms.box.weight",
    "model.loss.mask_weight": "model.loss.terms.mask.weight",
    "model.loss.max_masks": "model.loss.terms.mask.max_masks",
    "model.loss.semantic_weight": "model.loss.terms.semantic.weight",
    "model.loss.mask_iou_weight": "model.loss.terms.mask_iou.weight",
    "model.loss.min_mask_area": "model.loss.terms.mask_iou.min_area",
    "model.loss.assigner": "assigner",
    "model.loss.positive_iou": "assigner.positive_iou",
    "model.loss.negative_iou": "assigner.negative_iou",
    "model.loss.crowd_iou": "assigner.crowd_iou",
}
"""Former dotted key to present one; a key stands for all that is below it."""


def present_key(key: str, renamed: Mapping[str, str] = RENAMED_KEYS) -> str:
    """The present name of a dotted key, which is the key itself where it was never renamed."""
    for former, present in renamed.items():
        if key == former or key.startswith(f"{former}."):
            return present + key.removeprefix(former)
    return key
