"""AP of resampled sets is that of sets with repeated images."""

import copy
from typing import Any

import numpy as np
import pytest

from tests.evaluation.matching.matched import matched, recorded
from yolact_pl.evaluation.analysis.bootstrap import (
    WeightedPrecision,
    bootstrap,
    interval,
    ranked_set,
)
from yolact_pl.evaluation.analysis.image_scores import image_precision
from yolact_pl.evaluation.matching.precision import precision_table
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.results.encoding import ImageResults


def ap_of(matches: SetMatches, kind: Kind) -> np.ndarray:
    return np.nanmean(precision_table(rank_detections(matches, kind)), axis=(1, 2))


def repeated(
    content: dict[str, Any], rows: list[ImageResults], times: np.ndarray
) -> tuple[dict[str, Any], list[ImageResults]]:
    """Each image as often as it says, under a new id each time."""
    images, annotations, results = [], [], []
    for row, count in zip(sorted(rows, key=lambda row: row.image_id), times.tolist(), strict=True):
        (image,) = (image for image in content["images"] if image["id"] == row.image_id)
        for _ in range(count):
            number = len(images) + 1
            images.append(image | {"id": number})
            results.append(row._replace(image_id=number))
            annotations += [
                copy.copy(obj) | {"image_id": number}
                for obj in content["annotations"]
                if obj["image_id"] == row.image_id
            ]
    for number, obj in enumerate(annotations):
        obj["id"] = number
    return content | {"images": images, "annotations": annotations}, results


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_weights_are_repeated_images(kind: Kind) -> None:
    content, rows = recorded()
    matches = matched(content, rows)
    precision = WeightedPrecision(ranked_set(matches, rank_detections(matches, kind)))
    np.testing.assert_allclose(precision(np.ones(len(rows), np.int64)), ap_of(matches, kind), atol=1e-9)
    random = np.random.default_rng(0)
    for _ in range(3):
        times = np.bincount(random.integers(len(rows), size=len(rows)), minlength=len(rows))
        same = matched(*repeated(content, rows, times))
        np.testing.assert_allclose(precision(times), ap_of(same, kind), atol=1e-4)  # ties of repeated images
    assert np.isnan(precision(np.zeros(len(rows), np.int64))).all()


def test_intervals_hold_the_value_and_paired_runs_differ_less() -> None:
    content, rows = recorded()
    matches = matched(content, rows)
    worse = [row._replace(mask_scores=[1 - score for score in row.mask_scores]) for row in rows]
    others = matched(content, worse)
    sets = [ranked_set(m, rank_detections(m, "mask")) for m in (matches, others)]
    seen = []
    aps = bootstrap(sets, len(rows), resamples=200, on_resample=lambda: seen.append(1))
    assert len(seen) == 200
    low, high = interval(aps[:, 0].mean(axis=1))
    assert low < ap_of(matches, "mask").mean() < high
    assert interval((aps[:, 0] - aps[:, 1]).mean(axis=1))[0] > 0
    np.testing.assert_array_equal(aps, bootstrap(sets, len(rows), resamples=200))
    assert (bootstrap(sets[:1] * 2, len(rows), resamples=5) == aps[:5, :1]).all()


def test_interval_by_hand() -> None:
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_an_image_by_itself_is_a_set_of_one_image() -> None:
    """Of one class, since AP of an image takes its classes together."""
    content, rows = recorded()
    category = content["categories"][0]["id"]
    content["annotations"] = [obj | {"category_id": category} for obj in content["annotations"]]
    rows = [row._replace(category_ids=[category] * len(row.scores)) for row in rows]
    of_images = image_precision(matched(content, rows), "mask")
    for row, ap in zip(sorted(rows, key=lambda row: row.image_id)[:10], of_images, strict=False):
        alone = matched(content, [row])
        if alone.num_truths.sum():
            assert ap == pytest.approx(ap_of(alone, "mask").mean(), abs=1e-9)
        else:
            assert np.isnan(ap)
