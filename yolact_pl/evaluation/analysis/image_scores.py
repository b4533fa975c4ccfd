"""How good the detections of each single image are."""

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.precision import class_precision
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches


def image_precision(matches: SetMatches, kind: Kind) -> NDArray[np.float64]:
    """[I] AP (0..1, mean over IoU 0.50, 0.55 ... 0.95) of each image by itself, its classes taken together.

    Nan for images without objects.
    """
    ranking = rank_detections(matches, kind)
    images = matches.images[ranking.detections]
    order = np.lexsort((-ranking.scores, images))
    num_truths = np.bincount(matches.true_images[~matches.iscrowd], minlength=len(matches.image_ids))
    tables = [
        class_precision(images[order], right[order], ignored[order], num_truths).mean(axis=0)
        for right, ignored in zip(ranking.right, ranking.ignored, strict=True)
    ]
    return np.mean(tables, axis=0)
