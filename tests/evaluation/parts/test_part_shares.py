"""Images in which one known part of the network fails, and that part is told."""

from typing import NamedTuple

import numpy as np
import pytest

from tests.evaluation.reading import read_content
from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.coco_ap import CocoAveragePrecision
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.parts.metric import FailedParts
from yolact_pl.evaluation.parts.shares import PartShares
from yolact_pl.images.placement import Placement
from yolact_pl.results.input_detections import InputDetections

SIDE, GRID = 128, 64
CENTRES = [(36, 40), (90, 34), (60, 94)]
RADII = [18, 22, 25]


def discs(side: int) -> np.ndarray:
    """[3, side, side] signed distances to the outlines of three discs, positive inside, in pixels of SIDE."""
    y, x = (np.mgrid[:side, :side] + 0.5) * (SIDE / side)
    return np.stack([r - np.hypot(x - a, y - b) for (a, b), r in zip(CENTRES, RADII, strict=True)])


def annotations() -> Annotations:
    objects = []
    for number, mask in enumerate(discs(SIDE) > 0, start=1):
        code = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
        objects.append(
            {
                "id": number,
                "image_id": 7,
                "category_id": 1,
                "bbox": mask_api.toBbox(code).tolist(),
                "area": int(mask.sum()),
                "iscrowd": 0,
                "segmentation": {"size": [SIDE, SIDE], "counts": code["counts"].decode()},
            }
        )
    categories = [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    images = [{"id": 7, "width": SIDE, "height": SIDE, "file_name": "7.png"}]
    return read_content({"images": images, "categories": categories, "annotations": objects})


class Network(NamedTuple):
    """What a perfect network says of the image; a test breaks one of these."""

    prototypes: np.ndarray
    coefficients: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def shares(self, *, place: Placement | None = None) -> tuple[PartShares, float]:
        """The shares, and mask AP by the counting library."""
        known = annotations()
        logits = np.tensordot(self.coefficients, self.prototypes, axes=1)
        found = InputDetections(
            boxes=self.boxes.astype(np.float32),
            scores=self.scores.astype(np.float32),
            mask_scores=self.scores.astype(np.float32),
            labels=self.labels,
            masks=(1 / (1 + np.exp(-logits))).astype(np.float32),
            input_size=(SIDE, SIDE),
            prototypes=self.prototypes.astype(np.float32),
            coefficients=self.coefficients.astype(np.float32),
        ).in_image((SIDE, SIDE), place, whole_pixels=False)
        ap, matches = CocoAveragePrecision(known), DetectionMatches(known)
        ap.update([7], [found])
        matches.update(ap.rows)
        parts = FailedParts(known, num_images=1, num_objects=3)
        parts.update(matches.rows, [found])
        return parts.compute(), ap.compute().mask.all


def perfect() -> Network:
    """One prototype per disc: its outline is where the prototype is 0."""
    centres, radii = np.array(CENTRES), np.array(RADII)[:, None]
    return Network(
        prototypes=np.clip(discs(GRID), -4, 4),
        coefficients=np.eye(3),
        boxes=np.concatenate((centres - radii, centres + radii), axis=1).astype(float),
        labels=np.zeros(3, np.int64),
        scores=np.array([0.9, 0.8, 0.7]),
    )


def failing(part: str) -> Network:
    network = perfect()
    if part == "coefficients":  # masks grow over the outlines
        others = np.ones((1, GRID, GRID))
        grown = np.concatenate((np.eye(3), np.full((3, 1), 3.5)), axis=1)
        return network._replace(prototypes=np.concatenate((network.prototypes, others)), coefficients=grown)
    if part == "box":  # the right third is cut off
        boxes = network.boxes.copy()
        boxes[:, 2] -= (boxes[:, 2] - boxes[:, 0]) / 3
        return network._replace(boxes=boxes)
    if part == "prototypes":  # planes: outlines are straight lines
        y, x = np.mgrid[:GRID, :GRID] / GRID - 0.5
        planes = np.stack((x, y, np.full((GRID, GRID), 0.1)))
        return network._replace(prototypes=planes, coefficients=np.tile([0.0, 0.0, 4.0], (3, 1)))
    if part == "resolution":  # cells of 32 pixels
        cells = discs(SIDE).reshape(3, 4, 32, 4, 32)
        share = (cells > 0).mean(axis=(2, 4)).clip(1e-3, 1 - 1e-3)
        return network._replace(prototypes=np.log(share / (1 - share)))
    if part == "class":
        return network._replace(labels=np.ones(3, np.int64))
    assert part == "score"  # each disc has a better-scored detection that is nowhere near one
    nowhere = np.array([[2.0, 100, 14, 112]])
    return Network(
        prototypes=np.concatenate((network.prototypes, np.ones((1, GRID, GRID)))),
        coefficients=np.concatenate((np.eye(3, 4), [[0, 0, 0, 1]])),
        boxes=np.concatenate((network.boxes, nowhere)),
        labels=np.zeros(4, np.int64),
        scores=np.array([0.5, 0.4, 0.3, 0.9]),
    )


@pytest.mark.parametrize("part", ["coefficients", "box", "prototypes", "resolution", "class", "score"])
def test_the_failing_part_is_told(part: str) -> None:
    shares, ap = failing(part).shares()
    of_all = shares.sizes["all"]
    assert of_all.ap == pytest.approx(ap, abs=1e-6)
    assert sum(of_all.gains.values()) == pytest.approx(1 - ap)
    lost = {"class": "class/score", "score": "class/score"}.get(part, part)
    assert of_all.gains[lost] > 0.2
    assert of_all.gains[lost] > 0.85 * sum(of_all.gains.values()), of_all.gains
    assert shares.taken_for_another == (3 if part == "class" else 0)


def test_nothing_fails() -> None:
    shares, ap = perfect().shares()
    assert ap == pytest.approx(1)
    assert all(abs(gain) < 1e-6 for gain in shares.sizes["all"].gains.values())
    assert min(shares.sizes["all"].iou.values()) > 0.95


def test_activations_of_released_models_and_letterbox() -> None:
    """Prototypes that are not negative need two to make an outline; the image covers a part of the input."""
    network = perfect()
    place = Placement((SIDE, SIDE), 32, 0, 64, 128)
    squeezed = np.zeros((3, GRID, GRID))
    squeezed[:, GRID // 4 : 3 * GRID // 4] = network.prototypes.reshape(3, GRID // 2, 2, GRID).mean(axis=2)
    positive = np.concatenate((squeezed.clip(min=0), (-squeezed).clip(min=0)))
    boxes = network.boxes / [1, 2, 1, 2] + [0, 32, 0, 32]
    made = Network(
        positive, np.concatenate((np.eye(3), -np.eye(3)), axis=1), boxes, network.labels, network.scores
    )
    shares, _ = made.shares(place=place)
    assert min(shares.sizes["all"].iou.values()) > 0.94
    wrong = made._replace(coefficients=made.coefficients * 0 + np.tanh(1))
    of_all = wrong.shares(place=place)[0].sizes["all"]
    assert of_all.gains["coefficients"] > 0.85 * sum(of_all.gains.values())


def test_an_image_of_a_large_set_is_skipped() -> None:
    assert FailedParts(annotations(), num_images=1, num_objects=2001).every == 2
    assert FailedParts(annotations(), num_images=1, num_objects=0).every == 1
