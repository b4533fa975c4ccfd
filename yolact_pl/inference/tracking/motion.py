"""Constant-velocity motion of boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSITION_STD, VELOCITY_STD = 1 / 20, 1 / 160
"""Noise of positions and of velocities per frame, in parts of a box's side (DeepSORT, Wojke et al. 2017)."""
HIDDEN_PART = 0.2
"""A box that shrank by more before it was lost went behind something."""


@dataclass(frozen=True)
class Motion:
    """A Kalman filter for each of N boxes (SORT, Bewley et al. 2016, section 3.2).

    The state is centre x, centre y, width and height with a velocity each. As all noise is independent, the
    8 x 8 covariance consists of four 2 x 2 blocks, one of a position and its velocity.
    """

    mean: NDArray[np.float64]
    """[N, 4, 2]: position and velocity, in pixels and pixels per frame."""
    covariance: NDArray[np.float64]
    """[N, 4, 2, 2]."""

    @classmethod
    def starting(cls, boxes: NDArray[np.float64]) -> "Motion":
        """Boxes [N, 4] xyxy, seen once."""
        positions = _centres(boxes)
        position_variance, velocity_variance = _variance(positions)
        covariance = np.zeros((len(boxes), 4, 2, 2))
        covariance[..., 0, 0] = 4 * position_variance
        covariance[..., 1, 1] = 100 * velocity_variance
        return cls(np.stack((positions, np.zeros_like(positions)), axis=-1), covariance)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """[N, 4] xyxy."""
        centre, size = self.mean[:, :2, 0], np.maximum(self.mean[:, 2:, 0], 1.0)
        return np.concatenate((centre - size / 2, centre + size / 2), axis=1)

    def rows(self, index: NDArray[np.int64]) -> "Motion":
        """Of these boxes, in this order."""
        return Motion(self.mean[index], self.covariance[index])

    def joined(self, other: "Motion") -> "Motion":
        """These boxes, then the other ones."""
        return Motion(
            np.concatenate((self.mean, other.mean)), np.concatenate((self.covariance, other.covariance))
        )

    def predicted(self) -> "Motion":
        """One frame later."""
        position, velocity = self.mean[..., 0], self.mean[..., 1]
        position_variance, velocity_variance = _variance(position)
        old, new = self.covariance, np.empty_like(self.covariance)
        new[..., 0, 0] = old[..., 0, 0] + 2 * old[..., 0, 1] + old[..., 1, 1] + position_variance
        new[..., 0, 1] = new[..., 1, 0] = old[..., 0, 1] + old[..., 1, 1]
        new[..., 1, 1] = old[..., 1, 1] + velocity_variance
        return Motion(np.stack((position + velocity, velocity), axis=-1), new)

    def corrected(self, index: NDArray[np.int64], boxes: NDArray[np.float64]) -> "Motion":
        """With the boxes [M, 4] xyxy that were seen of M of the N."""
        mean, covariance = self.mean[index], self.covariance[index]
        noise, _ = _variance(mean[..., 0])
        gain = covariance[..., 0] / (covariance[..., 0, 0] + noise)[..., None]
        surprise = _centres(boxes) - mean[..., 0]
        result = Motion(self.mean.copy(), self.covariance.copy())
        result.mean[index] = mean + gain * surprise[..., None]
        result.covariance[index] = covariance - gain[..., :, None] * covariance[..., None, 0, :]
        return result

    def hidden(self, index: NDArray[np.int64], sizes: NDArray[np.float64]) -> "Motion":
        """Without detections of M of the N from now on: their sizes stay as they are.

        The leading side of what goes behind an edge stops there, so that its box shrinks and its centre slows
        down. Such a box gets its size back, and the speed of the side that is still seen.

        Args:
            index: [M].
            sizes: [M, 2] width and height when they were last seen whole.
        """
        position, velocity = self.mean[index, :, 0], self.mean[index, :, 1]
        centre, size = position[:, :2], position[:, 2:]
        first_velocity = velocity[:, :2] - velocity[:, 2:] / 2
        last_velocity = velocity[:, :2] + velocity[:, 2:] / 2
        first_moves = np.abs(first_velocity) > np.abs(last_velocity)
        grown = np.where(first_moves, centre - size / 2 + sizes / 2, centre + size / 2 - sizes / 2)
        shrank = size < (1 - HIDDEN_PART) * sizes
        result = Motion(self.mean.copy(), self.covariance)
        result.mean[index, :2, 0] = np.where(shrank, grown, centre)
        result.mean[index, :2, 1] = np.where(
            shrank, np.where(first_moves, first_velocity, last_velocity), velocity[:, :2]
        )
        result.mean[index, 2:, 0] = np.where(shrank, sizes, size)
        result.mean[index, 2:, 1] = 0
        return result


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """xyxy to centre x, centre y, width, height."""
    return np.concatenate(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), axis=1)


def _variance(positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of positions and of velocities, [N, 4] each, from centres and sizes [N, 4]."""
    size = np.tile(np.maximum(positions[:, 2:], 1.0), 2)
    return (POSITION_STD * size) ** 2, (VELOCITY_STD * size) ** 2
