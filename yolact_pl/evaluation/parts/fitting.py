"""The best mask that prototypes can make."""

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 4096
"""Pixels that a fit looks at; of larger windows so many are drawn."""
RIDGE = 1e-3
"""Weight of the squared coefficients beside the mean cross-entropy, for prototypes of unit power."""
STEPS = 10


def fit_coefficients(prototypes: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
    """The coefficients c whose mask sigmoid(c . prototypes) is nearest to a target.

    Minimises the mean cross-entropy by Newton's method (logistic regression without an intercept, which masks
    have none of), with a small ridge: prototypes that separate the target completely would have infinite
    coefficients. A mask's outline is where c . prototypes = 0, so that bounded coefficients (tanh) can make
    the same outlines as unbounded ones.

    Args:
        prototypes: [K, h, w] of the window that is fitted.
        target: [h, w] in 0..1, the covered share of each pixel.

    Returns:
        [K].
    """
    count = len(prototypes)
    x, y = prototypes.reshape(count, -1), target.reshape(-1)
    if (
        len(y) > MAX_PIXELS
    ):  # at random: every other pixel is of one phase where prototypes are sub-pixel maps
        chosen = np.random.default_rng(0).choice(len(y), MAX_PIXELS, replace=False)
        x, y = x[:, chosen], y[chosen]
    x, y = x.astype(np.float64), y.astype(np.float64)
    if x.size == 0:
        return np.zeros(count, np.float32)
    power = np.sqrt((x**2).mean(axis=1))
    power[power == 0] = 1
    x /= power[:, None]
    ridge = RIDGE * np.eye(count)
    c, loss = np.zeros(count), np.log(2)
    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (c @ x)))
        gradient = x @ (p - y) / len(y) + RIDGE * c
        curvature = (x * (p * (1 - p))) @ x.T / len(y) + ridge
        move = np.linalg.solve(curvature, gradient)
        for _ in range(8):  # halved where the quadratic is a bad picture of the loss
            moved = _loss(c - move, x, y)
            if moved <= loss:
                break
            move /= 2
        else:
            break
        c, gained, loss = c - move, loss - moved, moved
        if gained < 1e-5 * loss:
            break
    return (c / power).astype(np.float32)


def _loss(c: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    logits = c @ x
    return float((np.logaddexp(0, logits) - y * logits).mean() + 0.5 * RIDGE * c @ c)
