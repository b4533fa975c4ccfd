"""Samples and batches that keep the aspect ratio, and the way back to the original images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import FlipAugmentation, NoAugmentation, SsdAugmentation
from yolact_pl.data.dataset import EvaluationDataset, TrainDataset
from yolact_pl.data.loader import evaluation_batch, training_batch
from yolact_pl.images.placement import LETTERBOX, SHORTEST_EDGE
from yolact_pl.images.resize import PADDING
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Predictions, Target, Targets

Write = Callable[..., tuple[Path, Path]]


def train_set(tiny_coco: Write, **options: Any) -> TrainDataset:
    path, folder = tiny_coco()
    defaults: dict[str, Any] = {"image_size": (96, 96), "augment": NoAugmentation()}
    return TrainDataset(read_annotations(path, folder), folder, **(defaults | options))


def original(dataset: TrainDataset, index: int) -> np.ndarray:
    pixels = cv2.imread(str(dataset.folder / f"{index}.png"))
    assert pixels is not None
    return pixels[..., ::-1]


def test_letterboxed_training_sample(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, resize=LETTERBOX)
    pixels, target = dataset[(0, 0)]
    # 40 x 60 to 64 x 96, in the middle of 96 x 96: 16 rows of padding above and below.
    shown = pixels.permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(shown[16:80], cv2.resize(original(dataset, 0), (96, 64)))
    assert (shown[:16] == PADDING).all()
    assert (shown[80:] == PADDING).all()
    # Box [2, 4, 30, 20] and the crowd [30, 0, 30, 20] are 1.6 times as large, and 16 lower.
    np.testing.assert_allclose(target["boxes"], [[3.2, 22.4, 51.2, 54.4], [48, 16, 96, 48]], rtol=1e-6)
    crowd = torch.zeros(24, 24, dtype=torch.bool)
    crowd[4:12, 12:] = True
    assert torch.equal(target["masks"][1], crowd)


def test_sample_with_its_shortest_edge(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, resize=SHORTEST_EDGE, image_size=(60, 60))
    pixels, target = dataset[(0, 0)]
    # 40 x 60 to 60 x 90, filled up to 64 x 96.
    assert pixels.shape == (3, 64, 96)
    shown = pixels.permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(shown[:60, :90], cv2.resize(original(dataset, 0), (90, 60)))
    assert (shown[60:] == PADDING).all()
    assert (shown[:, 90:] == PADDING).all()
    np.testing.assert_allclose(target["boxes"], [[3, 6, 48, 36], [45, 0, 90, 30]], rtol=1e-6)
    assert target["masks"].shape == (2, 16, 24)
    assert not target["masks"][:, 15:].any()
    assert not target["masks"][:, :, 23:].any()  # of column 22, half shows the picture, and its centre does


@pytest.mark.parametrize("mode", [LETTERBOX, SHORTEST_EDGE])
def test_what_the_published_augmentation_shows_stays_on_its_place(tiny_coco: Write, mode: str) -> None:
    dataset = train_set(tiny_coco, resize=mode, augment=SsdAugmentation(), soft_masks=True)
    for epoch in range(12):
        for index in range(5):
            pixels, target = dataset[(epoch, index)]
            height, width = pixels.shape[1:]
            boxes = target["boxes"]
            assert (boxes >= 0).all()
            assert (boxes <= torch.tensor([width, height] * 2)).all()
            assert target["masks"].shape[1:] == (height // 4, width // 4)
            check_masks_fill_their_boxes(target, 4)


def check_masks_fill_their_boxes(target: Target, scale: int) -> None:
    """The objects of `tiny_coco` are rectangles: box and mask, mapped apart, agree to a pixel of the mask."""
    for box, mask in zip(target["boxes"], target["masks"], strict=True):
        rows, columns = torch.nonzero(mask, as_tuple=True)
        if len(rows) == 0:
            continue
        x1, y1, x2, y2 = (box / scale).tolist()
        assert columns.min() > x1 - 1
        assert columns.max() + 1 < x2 + 1
        assert rows.min() > y1 - 1
        assert rows.max() + 1 < y2 + 1


def test_a_mirrored_letterbox_is_the_mirror_of_what_is_shown(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    known = read_annotations(path, folder)
    plain, flipped = (
        TrainDataset(known, folder, image_size=(96, 96), augment=augment, resize=LETTERBOX)
        for augment in (NoAugmentation(), FlipAugmentation())
    )
    straight = plain[(0, 1)]
    samples = [flipped[(epoch, 1)] for epoch in range(12)]
    mirrored = [s for s in samples if not torch.equal(s[0], straight[0])]
    assert 0 < len(mirrored) < 12
    pixels, target = mirrored[0]
    # 50 x 30 to 96 x 58: 19 columns on either side.
    assert torch.equal(pixels, straight[0].flip(-1))
    assert torch.equal(target["masks"], straight[1]["masks"].flip(-1))


def test_batches_are_filled_up_to_the_largest(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, resize=SHORTEST_EDGE, image_size=(60, 60))
    samples = [dataset[(0, i)] for i in range(4)]
    images, targets = training_batch(samples, fill=(1, 2, 3))
    assert [tuple(s[0].shape[1:]) for s in samples] == [(64, 96), (128, 64), (64, 64), (96, 64)]
    assert images.shape == (4, 3, 128, 96)
    for index, ((own, known), image) in enumerate(zip(samples, images, strict=True)):
        rows = targets.image == index
        height, width = own.shape[1:]
        assert torch.equal(image[:, :height, :width], own)
        filled = image.clone()
        filled[:, :height, :width] = torch.tensor([1, 2, 3])[:, None, None]
        assert (filled == torch.tensor([1, 2, 3])[:, None, None]).all()
        assert torch.equal(targets.boxes[rows], known["boxes"])
        for name, scale in (("masks", 4), ("semantic_masks", 8)):
            maps: Tensor = getattr(targets, name)[rows]
            assert maps.shape[1:] == (128 // scale, 96 // scale)
            assert torch.equal(maps[:, : height // scale, : width // scale], known[name])  # type: ignore[literal-required]
            assert maps.sum() == known[name].sum()  # type: ignore[literal-required]


def test_stretched_evaluation_samples_say_nothing_of_places(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    dataset = EvaluationDataset(read_annotations(path, folder), folder, image_size=(64, 96))
    assert evaluation_batch([dataset[0], dataset[1]])[1] == [
        {"image_id": 10, "size": (40, 60)},
        {"image_id": 20, "size": (50, 30)},
    ]


@pytest.mark.parametrize("mode", [LETTERBOX, SHORTEST_EDGE])
def test_evaluation_leads_back_to_the_original_image(tiny_coco: Write, mode: str) -> None:
    """A network that says the truth about its input is right about the original image."""
    path, folder = tiny_coco()
    known = read_annotations(path, folder)
    evaluation = EvaluationDataset(known, folder, image_size=(96, 128), resize=mode)
    training = TrainDataset(known, folder, image_size=(96, 128), resize=mode, augment=NoAugmentation())
    images, infos = evaluation_batch([evaluation[i] for i in range(5)])
    _, targets = training_batch([training[(0, i)] for i in range(5)])
    for index, (image, info) in enumerate(zip(images, infos, strict=True)):
        placement = info.get("placement")
        assert placement is not None
        assert placement.canvas == image.shape[1:]
        rows, columns = (
            slice(placement.top, placement.top + placement.height),
            slice(placement.left, placement.left + placement.width),
        )
        np.testing.assert_allclose(
            image[:, rows, columns].permute(1, 2, 0).numpy(),
            cv2.resize(original(training, index).astype(np.float32), (placement.width, placement.height)),
            atol=1e-3,
        )
        found = Postprocess(whole_pixel_boxes=False, iou_threshold=1.0)(
            truthful(targets, index, (image.shape[1], image.shape[2])),
            [info["size"]],
            placements=[placement],
        )[0]
        order = np.argsort(found.scores)  # first comes the last object, see `truthful`
        truth = evaluation.target(info["image_id"])
        assert len(order) == len(truth["labels"])
        np.testing.assert_allclose(found.boxes[order], truth["boxes"], atol=1e-3)
        for mask, expected in zip(found.masks[order], truth["masks"].numpy(), strict=True):
            assert mask.shape == expected.shape
            assert (mask & expected).sum() / (mask | expected).sum() > 0.85  # prototypes are coarser


def truthful(targets: Targets, index: int, image_size: tuple[int, int]) -> Predictions:
    """Predictions of just an image's objects: an anchor and a prototype each, the later the surer."""
    rows = targets.image == index
    count = int(rows.sum())
    prototypes = targets.masks[rows].float()[None] * 20 - 10
    return Predictions(
        class_logits=torch.stack((torch.zeros(count), 1 + 0.1 * torch.arange(count)), 1)[None],
        box_deltas=torch.zeros(1, count, 4),
        coefficients=torch.eye(count)[None],
        prototypes=prototypes,
        anchors=targets.boxes[rows],
        semantic_logits=None,
        image_size=image_size,
    )
