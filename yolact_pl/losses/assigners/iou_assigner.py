"""The published assignment: anchors by IoU."""

from yolact_pl.losses.assigners.anchor_groups import group_anchors
from yolact_pl.losses.assigners.assigner import Assignment
from yolact_pl.losses.assigners.iou_matching import match_anchors
from yolact_pl.losses.assigners.known_anchors import KnownAnchors
from yolact_pl.structures import Predictions, Targets


class IouAssigner:
    """Assigns each anchor an object, the background, or nothing to learn (SSD, section 2.2).

    An anchor is positive if its best IoU reaches `positive_iou`, background below `negative_iou`, neutral
    between; of equal IoUs the first object counts. Besides, every object keeps one anchor of its own,
    whatever the IoU.

    That depends on anchors and targets alone, not on what the network predicts. So it is computed on the CPU,
    where the targets are, while a GPU is busy with the network.

    Args:
        positive_iou: see above.
        negative_iou: see above.
        crowd_iou: an anchor that is not positive is neutral if a crowd region covers a larger share of it.
    """

    def __init__(
        self, *, positive_iou: float = 0.5, negative_iou: float = 0.4, crowd_iou: float = 0.7
    ) -> None:
        self.positive_iou = positive_iou
        self.negative_iou = negative_iou
        self.crowd_iou = crowd_iou
        self.groups = KnownAnchors(group_anchors)

    def __call__(self, predictions: Predictions, targets: Targets) -> Assignment:
        """See `Assigner`. A GPU is waited for only with anchors that were not seen before."""
        assignment = match_anchors(
            self.groups(predictions.anchors),
            targets,
            positive_iou=self.positive_iou,
            negative_iou=self.negative_iou,
            crowd_iou=self.crowd_iou,
        )
        return assignment.to(predictions.class_logits.device)
