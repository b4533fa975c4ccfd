"""What a report adds to an evaluation: time and memory of matching, of all sections, and of a comparison.

    python benchmarks/evaluation_report.py [--images 5000]

The images and detections of `benchmarks/evaluation.py`: 7 objects of 80 classes and 100 detections an image.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from evaluation import CATEGORIES, MADE, make_image, repeated

from yolact_pl.evaluation.analysis.bootstrap import bootstrap, ranked_set
from yolact_pl.evaluation.analysis.curves import precision_recall_curves
from yolact_pl.evaluation.analysis.tide import count_errors
from yolact_pl.evaluation.confusion_matrix import confusion_matrix
from yolact_pl.evaluation.matching.average_precision import average_precision
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.report.numbers import report_numbers
from yolact_pl.results.encoding import encode_detections
from yolact_pl.text_table import text_table

RESAMPLES = 20
"""Of which the time of 1,000 is told."""


def peak_memory() -> float:
    """MiB of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    images = parser.parse_args().images
    table = [["", "seconds", "peak MiB"]]

    def timed(name: str, work: Callable[[], Any], *, times: float = 1) -> Any:
        start = time.process_time()
        result = work()
        table.append([name, f"{times * (time.process_time() - start):.1f}", f"{peak_memory():,.0f}"])
        return result

    rng = np.random.default_rng(0)
    made = [
        (annotations, encode_detections(0, found, CATEGORIES))
        for annotations, found in (make_image(rng) for _ in range(min(MADE, images)))
    ]
    known, rows = timed("make the set (not part of an evaluation)", lambda: repeated(made, images))
    metric = DetectionMatches(known)
    timed("prepare the objects", lambda: [metric.ground_truth.objects(i) for i in range(images)])
    timed("measure overlaps", lambda: metric.update(rows))
    with_boundaries = DetectionMatches(known, ground_truth=metric.ground_truth, boundary=True)
    timed("measure overlaps with boundaries", lambda: with_boundaries.update(rows))
    matches = timed("join", with_boundaries.compute)
    boundary = timed("boundary AP", lambda: average_precision(matches, "boundary"))
    precision = {"box": average_precision(matches, "box"), "mask": average_precision(matches, "mask")}
    timed("curves of masks", lambda: precision_recall_curves(matches, "mask"))
    timed("confusion matrix", lambda: confusion_matrix(matches))
    timed("errors of masks", lambda: count_errors(matches, "mask"))
    timed(
        "report.json",
        lambda: report_numbers(
            measured={},
            matches=matches,
            precision=precision | {"boundary": boundary},
            file_names=[""] * images,
        ),
    )
    ranked = ranked_set(matches, rank_detections(matches, "mask"))
    timed(
        "compare two runs, 1,000 resamples of boxes and masks",
        lambda: bootstrap([ranked, ranked], images, resamples=RESAMPLES),
        times=2 * 1000 / RESAMPLES,
    )
    print(f"{images:,} images with 100 detections, {len(ranked.images):,} of which AP depends on\n")
    print(text_table(table))


if __name__ == "__main__":
    main()
