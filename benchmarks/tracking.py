"""Tracks of moving shapes: time beside the network's, scores beside ByteTrack's, stability of coefficients.

    python benchmarks/tracking.py CHECKPOINT [--frames 300] [--clips 3] [--size 320]

The checkpoint is one of `experiment=quickstart`. Each clip has 20 shapes that pass above and below each other
and behind pillars, leave, and are replaced; shapes of which less than a quarter is visible do not count.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from track_scores import boxes_alone, byte_track_scores, mask_ious, own_scores, without_coefficients

import yolact_pl
from yolact_pl.data.moving_shapes import TruthFrame, moving_shapes
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.similarity import cosine
from yolact_pl.inference.tracking.start import start_tracking
from yolact_pl.results.detections import Detections

MIN_SCORE = 0.3
VISIBLE = 0.25
LAGS = (1, 5, 10, 30)


def countable(clip: Sequence[TruthFrame]) -> list[TruthFrame]:
    """The frames with the objects of which enough is visible; whole is the most that is seen of one."""
    whole: dict[int, int] = {}
    for frame in clip:
        for number, area in zip(frame.ids.tolist(), frame.masks.sum(axis=(1, 2)).tolist(), strict=True):
            whole[number] = max(whole.get(number, 0), area)
    kept = []
    for frame in clip:
        least = np.array([VISIBLE * whole[number] for number in frame.ids.tolist()])
        rows = frame.masks.sum(axis=(1, 2)) >= least
        kept.append(replace(frame, ids=frame.ids[rows], labels=frame.labels[rows], masks=frame.masks[rows]))
    return kept


def measured(
    predictor: Predictor, clip: Sequence[TruthFrame]
) -> tuple[list[Detections], list[float], list[float]]:
    """Detections, and of each frame the milliseconds of the network and of the tracker."""
    detecting, tracker = start_tracking(predictor)
    found, network, tracking = [], [], []
    for frame in clip:
        inputs = detecting.prepare([frame.pixels])
        start = time.perf_counter()
        outputs = detecting.forward([inputs])
        network.append(1000 * (time.perf_counter() - start))
        detections = detecting.detect(outputs, 0, frame.pixels.shape[:2])
        start = time.perf_counter()
        tracker.update(detections)
        tracking.append(1000 * (time.perf_counter() - start))
        found.append(detections)
    return found, network, tracking


def coefficients_of(
    clip: Sequence[TruthFrame], found: Sequence[Detections]
) -> list[dict[int, tuple[int, np.ndarray]]]:
    """Of each frame, label and coefficients of the objects that were detected, by their true number."""
    result = []
    for frame, detections in zip(clip, found, strict=True):
        known: dict[int, tuple[int, np.ndarray]] = {}
        if len(detections) and detections.parts is not None:
            overlaps = mask_ious(frame.masks, detections.masks)
            for row, number in enumerate(frame.ids.tolist()):
                best = int(overlaps[row].argmax())
                if overlaps[row, best] > 0.5:
                    known[number] = int(frame.labels[row]), detections.parts.coefficients[best]
        result.append(known)
    return result


def stability(frames: Sequence[dict[int, tuple[int, np.ndarray]]], lag: int) -> dict[str, list[float]]:
    """Cosines of coefficients `lag` frames apart: same object, another of its class, any other."""
    cosines: dict[str, list[float]] = {"same object": [], "same class": [], "another": []}
    for earlier, later in zip(frames, frames[lag:], strict=False):
        if not earlier or not later:
            continue
        values = cosine(
            np.stack([one for _, one in earlier.values()]), np.stack([one for _, one in later.values()])
        )
        for i, (number, (label, _)) in enumerate(earlier.items()):
            for j, (other, (other_label, _)) in enumerate(later.items()):
                kind = "same class" if label == other_label else "another"
                kind = "same object" if number == other else kind
                cosines[kind].append(float(values[i, j]))
    return cosines


def print_stability(clips: Sequence[Sequence[dict[int, tuple[int, np.ndarray]]]]) -> None:
    print("| frames apart | cosine of | median | 10 % are below |\n|---|---|---|---|")
    for lag in LAGS:
        joined: dict[str, list[float]] = {}
        for frames in clips:
            for kind, values in stability(frames, lag).items():
                joined.setdefault(kind, []).extend(values)
        for kind, values in joined.items():
            print(f"| {lag} | {kind} | {np.median(values):.2f} | {np.percentile(values, 10):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--size", type=int, default=320, help="of the frames and of the network's input")
    options = parser.parse_args()
    model = yolact_pl.load(options.checkpoint, image_size=options.size, min_score=MIN_SCORE)
    network, tracking, coefficients = [], [], []
    scores: dict[str, list[dict[str, float]]] = {}
    for seed in range(options.clips):
        drawn = moving_shapes(np.random.default_rng(seed), size=options.size, num_frames=options.frames)
        clip = countable(list(drawn))
        found, network_times, tracking_times = measured(model.predictor, clip)
        network += network_times
        tracking += tracking_times
        coefficients.append(coefficients_of(clip, found))
        for name, result in (
            ("ByteTrack (trackers)", byte_track_scores(clip, found, MIN_SCORE)),
            ("boxes alone, none coasts", own_scores(clip, boxes_alone(found), MIN_SCORE, coasting=False)),
            ("and masks", own_scores(clip, without_coefficients(found), MIN_SCORE, coasting=False)),
            ("and coefficients", own_scores(clip, found, MIN_SCORE, coasting=False)),
            ("and coasting", own_scores(clip, found, MIN_SCORE)),
        ):
            scores.setdefault(name, []).append(result)
    print("| tracker | HOTA | IDF1 | MOTA | id switches per clip |\n|---|---|---|---|---|")
    for name, results in scores.items():
        hota, idf1, mota, switches = (
            statistics.mean(one[key] for one in results) for key in ("HOTA", "IDF1", "MOTA", "IDSW")
        )
        print(f"| {name} | {100 * hota:.1f} | {100 * idf1:.1f} | {100 * mota:.1f} | {switches:.1f} |")
    print_stability(coefficients)
    times = statistics.median(network), statistics.median(tracking)
    print(f"network {times[0]:.1f} ms per frame, tracker {times[1]:.2f}: {times[0] / times[1]:.0f} : 1")


if __name__ == "__main__":
    main()
