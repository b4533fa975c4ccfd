"""Text tables that compare configured and proposed anchors."""

import torch

from yolact_pl.anchor_search.coverage import RECALL_IOU, Coverage, Objects
from yolact_pl.models.anchors import Anchors
from yolact_pl.text_table import text_table


def size_table(objects: Objects, before: Coverage, after: Coverage) -> str:
    """Mean best IoU and recall of all objects and per COCO size.

    Args:
        objects: of a data set.
        before: coverage by the configured anchors.
        after: coverage by the proposed anchors.
    """
    rows = [["objects", "number", "best IoU", "-> proposed", f"recall at {RECALL_IOU}", "-> proposed"]]
    everything = {"all": torch.ones(len(objects), dtype=torch.bool)}
    for name, chosen in (everything | objects.by_size()).items():
        old, new = before.of(chosen), after.of(chosen)
        rows.append([name, f"{int(chosen.sum()):,}", *_iou(old, new), *_recall(old, new)])
    return text_table(rows)


def level_table(before: tuple[Anchors, Coverage], after: tuple[Anchors, Coverage]) -> str:
    """The same per level of the best anchor; an object may change its level."""
    rows = [["level", "scales", "-> proposed", "number", "->", "best IoU", "->", "recall", "->"]]
    for level in range(len(before[0].scales)):
        old, new = (coverage.of(coverage.level == level) for _, coverage in (before, after))
        scales = [
            " ".join(f"{scale:.4g}" for scale in anchors.scales[level]) for anchors, _ in (before, after)
        ]
        numbers = [f"{len(coverage.iou):,}" for coverage in (old, new)]
        rows.append([f"P{3 + level}", *scales, *numbers, *_iou(old, new), *_recall(old, new)])
    return text_table(rows)


def describe_forms(anchors: Anchors) -> str:
    """Aspect ratios, or side lengths of square anchors."""
    if anchors.square:
        return "squares of " + ", ".join(f"{ratio**0.5:.3g}" for ratio in anchors.ratios) + " times the scale"
    return "width / height " + ", ".join(f"{ratio:.3g}" for ratio in anchors.ratios)


def _iou(*coverages: Coverage) -> list[str]:
    return [f"{coverage.mean_iou:.3f}" if len(coverage.iou) else "-" for coverage in coverages]


def _recall(*coverages: Coverage) -> list[str]:
    return [f"{100 * coverage.recall:.1f} %" if len(coverage.iou) else "-" for coverage in coverages]
