"""The Kalman filter of boxes against the textbook's matrices."""

import numpy as np

from yolact_pl.inference.tracking.motion import POSITION_STD, VELOCITY_STD, Motion


def noise(state: np.ndarray, std: float) -> np.ndarray:
    return (std * np.tile(state[2:4], 2)) ** 2


def test_predictions_and_corrections_are_those_of_an_8_x_8_filter() -> None:
    random = np.random.default_rng(0)
    box = np.array([10.0, 20.0, 50.0, 44.0])
    observe = np.eye(4, 8)
    advance = np.eye(8) + np.eye(8, k=4)
    mean = np.array([30.0, 32.0, 40.0, 24.0, 0, 0, 0, 0])
    covariance = np.diag(np.concatenate((noise(mean, 2 * POSITION_STD), noise(mean, 10 * VELOCITY_STD))))
    motion = Motion.starting(box[None])
    for _ in range(6):
        process = np.diag(np.concatenate((noise(mean, POSITION_STD), noise(mean, VELOCITY_STD))))
        mean, covariance = advance @ mean, advance @ covariance @ advance.T + process
        motion = motion.predicted()
        np.testing.assert_allclose(motion.mean[0].T.ravel(), mean)
        box = box + 3 + random.normal(0, 1, 4)
        seen = np.array([*(box[:2] + box[2:]) / 2, *(box[2:] - box[:2])])
        gain = (
            covariance
            @ observe.T
            @ np.linalg.inv(observe @ covariance @ observe.T + np.diag(noise(mean, POSITION_STD)))
        )
        mean, covariance = mean + gain @ (seen - observe @ mean), (np.eye(8) - gain @ observe) @ covariance
        motion = motion.corrected(np.array([0]), box[None])
        np.testing.assert_allclose(motion.mean[0].T.ravel(), mean)
        for axis in range(4):
            block = covariance[np.ix_([axis, axis + 4], [axis, axis + 4])]
            np.testing.assert_allclose(motion.covariance[0, axis], block)


def test_what_goes_behind_an_edge_comes_out_at_its_own_speed() -> None:
    """40 pixels wide, 4 pixels per frame to the right, behind an edge at x = 100."""
    motion = Motion.starting(np.array([[0.0, 50, 40, 90]]))
    for frame in range(1, 24):
        left = 4.0 * frame
        motion = motion.predicted()
        if left <= 90:
            motion = motion.corrected(np.array([0]), np.array([[left, 50, min(left + 40, 100), 90]]))
            last = frame
    motion_of_centre = motion.mean[0, 0, 1]
    assert motion_of_centre < 3  # only half of the box moved
    motion = motion.hidden(np.array([0]), np.array([[40.0, 40.0]]))
    assert last == 22
    assert abs(motion.mean[0, 0, 1] - 4) < 0.5
    assert motion.mean[0, 2:, 1].tolist() == [0, 0]
    np.testing.assert_allclose(motion.boxes[0, 2] - motion.boxes[0, 0], 40)
    for _ in range(20):
        motion = motion.predicted()
    assert abs(motion.boxes[0, 0] - 4 * 43) < 20


def test_a_box_that_kept_its_size_keeps_place_and_speed() -> None:
    motion = Motion.starting(np.array([[0.0, 50, 40, 90]])).predicted()
    motion = motion.corrected(np.array([0]), np.array([[4.0, 50, 44, 90]]))
    hidden = motion.hidden(np.array([0]), np.array([[41.0, 40.0]]))
    np.testing.assert_allclose(hidden.mean[0, :, 0], motion.mean[0, :, 0])
    np.testing.assert_allclose(hidden.mean[0, :2, 1], motion.mean[0, :2, 1])
