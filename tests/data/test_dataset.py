from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import FlipAugmentation, NoAugmentation, SsdAugmentation
from yolact_pl.data.dataset import EvaluationDataset, TrainDataset
from yolact_pl.images.image_file import ImageError

Write = Callable[..., tuple[Path, Path]]


def train_set(tiny_coco: Write, **options: Any) -> TrainDataset:
    path, folder = tiny_coco()
    options = {"image_size": (64, 96), "augment": NoAugmentation(), **options}
    return TrainDataset(read_annotations(path, folder), folder, **options)


def test_sample_without_augmentation(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco)
    pixels, target = dataset[(0, 0)]
    source = cv2.imread(str(dataset.folder / "0.png"))
    assert source is not None
    expected = cv2.resize(source[..., ::-1], (96, 64))
    np.testing.assert_array_equal(pixels.permute(1, 2, 0).numpy(), expected)
    # Image 40 x 60 to 64 x 96 is 1.6 times as large; box [2, 4, 30, 20] and the crowd [30, 0, 30, 20].
    np.testing.assert_allclose(target["boxes"], [[3.2, 6.4, 51.2, 38.4], [48, 0, 96, 32]], rtol=1e-6)
    assert target["labels"].tolist() == [0, 1]  # categories 3 and 7
    assert target["iscrowd"].tolist() == [False, True]
    assert (target["image_id"], target["size"]) == (10, (40, 60))
    # P3 of 64 x 96 is 8 x 12. The box is x 0.8 .. 12.8 of 24 and y 1.6 .. 9.6 of 16 prototype pixels.
    masks, semantic_masks = target["masks"], target.get("semantic_masks")
    assert semantic_masks is not None
    assert masks.shape == (2, 16, 24)
    assert semantic_masks.shape == (2, 8, 12)
    expected_mask = torch.zeros(16, 24, dtype=torch.bool)
    expected_mask[2:10, 1:13] = True
    assert torch.equal(masks[0], expected_mask)
    assert masks[1].sum() == 8 * 12
    assert semantic_masks[1].sum() == 4 * 6


def test_types(tiny_coco: Write) -> None:
    pixels, target = train_set(tiny_coco)[(0, 1)]
    assert (pixels.dtype, target["boxes"].dtype) == (torch.uint8, torch.float32)
    assert (target["labels"].dtype, target["masks"].dtype) == (torch.int64, torch.bool)


def test_soft_masks_know_partly_covered_pixels(tiny_coco: Write) -> None:
    _, target = train_set(tiny_coco, soft_masks=True)[(0, 0)]
    # A prototype pixel is 4 x 4, its quarters have their centres at odd numbers. x 3.2 .. 51.2 covers
    # those of columns 1 to 12 (5 .. 51); y 6.4 .. 38.4 covers 7 .. 37, in rows 1 and 9 one centre of two.
    expected = torch.zeros(16, 24)
    expected[1:10, 1:13] = 1
    expected[1] /= 2
    expected[9] /= 2
    torch.testing.assert_close(target["masks"][0], expected)
    assert target.get("semantic_masks", torch.zeros(0)).dtype == torch.bool


@pytest.mark.parametrize("soft", [False, True])
def test_masks_at_half_the_stride_are_twice_as_fine(soft: bool, tiny_coco: Write) -> None:
    _, target = train_set(tiny_coco, soft_masks=soft, mask_stride=2)[(0, 0)]
    # Pixels of 2 x 2: x 3.2 .. 51.2 covers the centres 5 .. 51, y 6.4 .. 38.4 covers 7 .. 37.
    hard = torch.zeros(32, 48)
    hard[3:19, 2:26] = 1
    if soft:  # in quarters: 3.5 is covered of the pixel 2 .. 4, 6.5 of 6 .. 8, 50.5 and not 51.5 of 50 .. 52
        hard[:, 1] = hard[:, 2] / 2
        hard[:, 25] /= 2
        hard[3:19, :] = hard[3, :]
    torch.testing.assert_close(target["masks"][0].float(), hard)
    assert target["semantic_masks"].shape[1:] == (8, 12)


def test_image_without_objects(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, augment=SsdAugmentation())
    for epoch in range(10):
        _, target = dataset[(epoch, 2)]
        assert target["boxes"].shape == (0, 4)
        assert target["masks"].shape == (0, 16, 24)


def test_images_without_objects_can_be_left_out(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, keep_empty_images=False)
    assert [dataset[(0, i)][1]["image_id"] for i in range(len(dataset))] == [10, 20, 40, 50]


def test_samples_depend_on_seed_epoch_and_index_only(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    known = read_annotations(path, folder)
    sets = [
        TrainDataset(known, folder, image_size=(64, 64), augment=SsdAugmentation(), seed=seed)
        for seed in (0, 0, 1)
    ]
    np.random.seed(5)  # noqa: NPY002 - the global generator must not matter
    a, b = sets[0][(3, 1)], sets[1][(3, 1)]
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1]["boxes"], b[1]["boxes"])
    assert not torch.equal(a[0], sets[2][(3, 1)][0])
    assert not torch.equal(a[0], sets[0][(4, 1)][0])


def test_small_and_lost_objects_are_dropped(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    dataset = TrainDataset(
        read_annotations(path, folder),
        folder,
        image_size=(64, 64),
        augment=SsdAugmentation(photometric=False),
    )
    counts = set()
    for epoch in range(60):
        _, target = dataset[(epoch, 4)]
        boxes = target["boxes"]
        counts.add(len(boxes))
        assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()
        assert ((boxes >= 0) & (boxes <= 64)).all()
        assert len(target["labels"]) == len(target["masks"]) == len(boxes)
    assert min(counts) < 5 == max(counts)


def test_flip_mirrors_everything(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    known = read_annotations(path, folder)
    plain = TrainDataset(known, folder, image_size=(64, 96), augment=NoAugmentation())[(0, 0)]
    flipped_set = TrainDataset(known, folder, image_size=(64, 96), augment=FlipAugmentation())
    samples = [flipped_set[(epoch, 0)] for epoch in range(12)]
    mirrored = [s for s in samples if not torch.equal(s[0], plain[0])]
    assert 0 < len(mirrored) < 12
    pixels, target = mirrored[0]
    assert torch.equal(pixels, plain[0].flip(-1))
    assert torch.equal(target["masks"], plain[1]["masks"].flip(-1))
    x1, y1, x2, y2 = plain[1]["boxes"].unbind(1)
    torch.testing.assert_close(target["boxes"], torch.stack((96 - x2, y1, 96 - x1, y2), 1))


def test_plain_index_is_the_first_epoch(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco, augment=SsdAugmentation())
    assert torch.equal(dataset[1][0], dataset[(0, 1)][0])


def test_evaluation_sample_is_only_resized(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    dataset = EvaluationDataset(read_annotations(path, folder), folder, image_size=(48, 80))
    pixels, info = dataset[1]
    source = cv2.imread(str(folder / "1.png"))
    assert source is not None
    expected = cv2.resize(source[..., ::-1].astype(np.float32), (80, 48))
    np.testing.assert_allclose(pixels.permute(1, 2, 0).numpy(), expected, atol=1e-4)
    assert info == {"image_id": 20, "size": (50, 30)}


def test_evaluation_target_is_in_original_pixels(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    target = EvaluationDataset(read_annotations(path, folder), folder, image_size=(48, 48)).target(10)
    assert target["boxes"].tolist() == [[2, 4, 32, 24], [30, 0, 60, 20]]
    expected = torch.zeros(2, 40, 60, dtype=torch.bool)
    expected[0, 4:24, 2:32] = True
    expected[1, :20, 30:] = True
    assert torch.equal(target["masks"], expected)


def test_unreadable_image_is_named(tiny_coco: Write) -> None:
    dataset = train_set(tiny_coco)
    (dataset.folder / "1.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"1\.png"):
        dataset[(0, 1)]
