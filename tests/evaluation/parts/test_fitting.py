"""Fits against a general optimiser, and where prototypes can make the target."""

import numpy as np
import pytest
import torch

from yolact_pl.evaluation.parts.fitting import RIDGE, fit_coefficients
from yolact_pl.evaluation.parts.image_parts import find_partners
from yolact_pl.evaluation.parts.rebuilding import Canvas, patch_iou
from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import Patch

EMPTY = np.zeros((0, 1), np.float32), np.zeros((0, 4), np.float32)


def test_equals_a_general_optimiser() -> None:
    random = np.random.default_rng(0)
    prototypes = random.gamma(1.0, 2.0, (6, 20, 15)).astype(np.float32)
    target = random.random((20, 15)).astype(np.float32)
    found = fit_coefficients(prototypes, target)
    x, y = torch.tensor(prototypes.reshape(6, -1)).double(), torch.tensor(target.reshape(-1)).double()
    power = x.square().mean(1).sqrt()
    c = torch.zeros(6, dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([c], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(c @ (x / power[:, None]), y)
        value = value + 0.5 * RIDGE * c.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    np.testing.assert_allclose(found, (c.detach() / power).numpy(), rtol=1e-3, atol=1e-4)


def test_a_mask_that_prototypes_can_make_is_made() -> None:
    """Sub-pixel maps, of which each prototype fills one phase of a 2 x 2 grid, in a window of many pixels."""
    random = np.random.default_rng(1)
    wanted = np.zeros((160, 160), np.float32)
    wanted[40:120, 30:100] = 1
    prototypes = np.zeros((8, 160, 160), np.float32)
    for k in range(4):
        phase = (slice(k // 2, None, 2), slice(k % 2, None, 2))
        prototypes[k][phase] = 2 * wanted[phase] - 1
    prototypes[4:] = random.normal(0, 0.1, (4, 160, 160))
    logits = np.tensordot(fit_coefficients(prototypes, wanted), prototypes, axes=1)
    assert ((logits > 0) == (wanted > 0.5)).mean() > 0.99


@pytest.mark.parametrize("shape", [(3, 0, 5), (3, 1, 1)])
def test_small_windows(shape: tuple[int, int, int]) -> None:
    found = fit_coefficients(np.ones(shape, np.float32), np.ones(shape[1:], np.float32))
    assert np.isfinite(found).all()


def test_covered_share_is_the_mean_of_each_cell() -> None:
    random = np.random.default_rng(2)
    mask = random.random((24, 30)) < 0.5
    mask[:5] = False
    parts = MaskParts(np.zeros((1, 8, 10), np.float32), *EMPTY, (0, 0, 1, 1))
    covered = Canvas(parts, (24, 30)).covered(Patch.trimmed(mask))
    np.testing.assert_allclose(covered, mask.reshape(8, 3, 10, 3).mean(axis=(1, 3)), atol=1e-6)


def test_patch_iou_is_that_of_whole_masks() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        masks = [np.zeros((12, 12), bool) for _ in range(2)]
        for mask in masks:
            y, x = random.integers(0, 9, 2)
            mask[y : y + 5, x : x + 4] = random.random((min(5, 12 - y), min(4, 12 - x))) < 0.7
        one, other = masks
        expected = (one & other).sum() / max((one | other).sum(), 1)
        assert patch_iou(Patch.trimmed(one), Patch.trimmed(other)) == pytest.approx(expected)


def test_partner_is_the_best_scored_detection_nearest_to_an_object() -> None:
    overlap = np.array([[0.6, 0.2], [0.9, 0.0], [0.3, 0.5], [0.05, 0.0]])
    scores = np.array([0.9, 0.8, 0.3, 1.0], np.float32)
    assert find_partners(overlap, scores).tolist() == [0, 2]
    assert find_partners(np.zeros((0, 2)), np.zeros(0, np.float32)).tolist() == [-1, -1]
