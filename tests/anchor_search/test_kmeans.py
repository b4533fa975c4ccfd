import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from yolact_pl.anchor_search.kmeans import centred_iou, kmeans, typical_ratios, typical_sides


def clusters(centres: list[tuple[float, float]], count: int, seed: int = 0) -> np.ndarray:
    """So many sizes around each centre, within a tenth of it."""
    rng = np.random.default_rng(seed)
    return np.concatenate([np.array(centre) * rng.uniform(0.9, 1.1, (count, 2)) for centre in centres])


def test_iou_of_centred_boxes() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 50, (7, 2)), rng.uniform(1, 50, (4, 2))
    boxes = [torch.from_numpy(np.concatenate((-sizes / 2, sizes / 2), axis=1)) for sizes in (a, b)]
    np.testing.assert_allclose(centred_iou(a, b), box_iou(*boxes).numpy())


def test_separate_clusters_are_found() -> None:
    centres = [(10.0, 10.0), (40.0, 20.0), (100.0, 300.0)]
    found = kmeans(clusters(centres, 50), np.array([(12.0, 8.0), (30.0, 30.0), (300.0, 200.0)]))
    np.testing.assert_allclose(found, centres, rtol=0.05)


def test_result_is_a_fixed_point() -> None:
    """Every centre is the mean of the sizes that it suits best."""
    sizes = np.random.default_rng(1).uniform(2, 60, (200, 2))
    centres = kmeans(sizes, np.stack((np.linspace(5, 50, 4),) * 2, axis=1))
    for k in range(4):
        own = [size for size in sizes if centred_iou(size[None], centres)[0].argmax() == k]
        np.testing.assert_allclose(centres[k], np.mean(own, axis=0))


def test_centre_that_nobody_wants_stays() -> None:
    centres = np.array([(10.0, 10.0), (1000.0, 1000.0)])
    found = kmeans(clusters([(11.0, 11.0)], 20), centres)
    assert found[1].tolist() == [1000, 1000]
    assert centres[0].tolist() == [10, 10]  # the argument is not changed


def test_typical_sides_and_ratios() -> None:
    sizes = clusters([(8.0, 8.0), (32.0, 32.0), (64.0, 256.0)], 40)
    assert typical_sides(sizes, 3) == pytest.approx([8, 32, 128], rel=0.05)
    sizes = clusters([(20.0, 10.0), (200.0, 100.0), (10.0, 40.0)], 40)
    assert typical_ratios(sizes, 2) == pytest.approx([0.25, 2], rel=0.05)


def test_one_object_is_enough() -> None:
    sizes = np.array([(12.0, 3.0)])
    assert typical_sides(sizes, 5) == pytest.approx([6] * 5)
    assert typical_ratios(sizes, 3) == pytest.approx([4] * 3)
