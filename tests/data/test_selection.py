"""Some classes of a set, and a part of its images to validate with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.data.annotations.annotations import DataError, read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.data.selection import select_classes, split_images

Write = Callable[..., tuple[Path, Path]]


def data_module(**options: Any) -> CocoDataModule:
    defaults: dict[str, Any] = {
        "image_size": 64,
        "batch_size": 2,
        "num_workers": 0,
        "augment": NoAugmentation(),
    }
    return CocoDataModule(**(defaults | options))


@pytest.mark.parametrize("names", [["dog"], ["cat"], ["cat", "dog"]])
def test_chosen_classes_equal_a_file_without_the_others(
    tiny_coco: Write, tmp_path: Path, names: list[str]
) -> None:
    path, folder = tiny_coco()
    content = json.loads(path.read_text())
    content["categories"] = [entry for entry in content["categories"] if entry["name"] in names]
    ids = {entry["id"] for entry in content["categories"]}
    content["annotations"] = [entry for entry in content["annotations"] if entry["category_id"] in ids]
    (tmp_path / "without.json").write_text(json.dumps(content))
    expected = read_annotations(tmp_path / "without.json", folder)

    chosen = select_classes(read_annotations(path, folder), names)
    assert (chosen.class_names, chosen.category_ids) == (expected.class_names, expected.category_ids)
    for name in ("image_ids", "row_starts", "ids", "image_indices", "labels", "boxes", "iscrowd", "area"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(expected, name), err_msg=name)
    for j in range(expected.num_annotations):
        np.testing.assert_array_equal(chosen.mask(j), expected.mask(j))
        assert (chosen.polygons(j) is None) == (expected.polygons(j) is None)


def test_labels_count_the_classes_in_the_order_asked_for(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    known = read_annotations(path, folder)
    chosen = select_classes(known, known.class_names[::-1])
    assert chosen.class_names == known.class_names[::-1]
    assert chosen.category_ids == known.category_ids[::-1]
    assert [chosen.category_ids[label] for label in chosen.labels] == [
        known.category_ids[label] for label in known.labels
    ]


def test_unknown_classes_are_told_with_near_ones(tiny_coco: Write) -> None:
    known = read_annotations(*tiny_coco())
    with pytest.raises(DataError, match=r"train\.json has no class 'Dogs'; did you mean 'dog'\?"):
        select_classes(known, ["cat", "Dogs"])
    with pytest.raises(DataError, match="has no class 'zebra'; it has cat, dog"):
        select_classes(known, ["zebra"])
    with pytest.raises(DataError, match="leaves nothing to learn"):
        select_classes(known, [])


def test_a_data_module_of_some_classes(tiny_coco: Write) -> None:
    train, val = tiny_coco(), tiny_coco("val", 3)
    data = data_module(
        train_json=train[0],
        train_images=train[1],
        val_json=val[0],
        val_images=val[1],
        classes=["dog"],
        keep_empty_images=False,
    )
    data.check("fit")
    assert (data.classes, data.category_ids, data.num_classes) == (("dog",), (7,), 1)
    # Images 20, 40 and 50 have dogs, image 10 a crowd of them; the validation looks at all images.
    assert (data.train_size, data.val_size) == (4, 3)
    _, targets = next(iter(data.train_dataloader()))
    assert (targets.labels == 0).all()
    one = data_module(train_json=train[0], train_images=train[1], classes="dog")
    assert one.classes == ("dog",)


def validated_images(data: CocoDataModule) -> list[int]:
    return [info["image_id"] for _, infos in data.val_dataloader() for info in infos]


def test_a_part_of_the_images_is_set_aside(tiny_coco: Write) -> None:
    path, folder = tiny_coco(count=40)
    data = data_module(train_json=path, train_images=folder, val_fraction=0.25, seed=3)
    data.check("fit")
    assert data.has_validation
    assert (data.train_size, data.val_size) == (30, 10)
    assert data.val_annotations.path == path
    val_ids = validated_images(data)
    dataset = data.train_dataloader().dataset
    assert isinstance(dataset, TrainDataset)
    train_ids = {dataset[(0, i)][1]["image_id"] for i in range(30)}
    assert len(set(val_ids)) == 10
    assert train_ids | set(val_ids) == {10 * (i + 1) for i in range(40)}
    assert not train_ids & set(val_ids)

    again = data_module(train_json=path, train_images=folder, val_fraction=0.25, seed=3)
    assert validated_images(again) == val_ids
    again.check("validate")
    other = data_module(train_json=path, train_images=folder, val_fraction=0.25, seed=4)
    assert validated_images(other) != val_ids
    few = data_module(train_json=path, train_images=folder, val_fraction=0.25, seed=3, max_images=4)
    assert (few.train_size, validated_images(few)) == (4, val_ids[:4])


@given(fraction=st.floats(0.05, 0.95), seed=st.integers(0, 100))
def test_the_parts_do_not_depend_on_the_order_of_the_file(fraction: float, seed: int) -> None:
    class Listed:
        path = Path("some.json")

        def __init__(self, ids: list[int]) -> None:
            self.image_ids = np.array(ids)
            self.num_images = len(ids)

    ids = [7, 3, 99, 4, 12, 5, 8, 1000, 2, 77, 6, 54, 31, 30, 29, 28, 27, 26, 25, 24]
    shuffled = np.random.default_rng(seed).permutation(ids).tolist()
    parts = [
        {*np.array(order)[split_images(Listed(order), fraction, seed)[1]].tolist()}  # type: ignore[arg-type]
        for order in (ids, shuffled)
    ]
    assert parts[0] == parts[1]
    assert len(parts[0]) == round(20 * fraction)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "half"])
def test_impossible_fractions(fraction: Any) -> None:
    with pytest.raises(ValueError, match=r"val_fraction=.* expected the part of the images"):
        data_module(train_json="a.json", train_images="b", val_fraction=fraction)


def test_a_part_of_too_few_images(tiny_coco: Write) -> None:
    path, folder = tiny_coco()
    with pytest.raises(DataError, match=r"val_fraction=0.01 of the 5 images .* are 0: both parts need"):
        data_module(train_json=path, train_images=folder, val_fraction=0.01).check("fit")


def test_a_data_set_by_its_folder(tiny_coco: Write, tmp_path: Path) -> None:
    tiny_coco("train", 5)
    tiny_coco("val", 3)
    data = data_module(root=tmp_path)
    data.check("fit")
    assert (data.train_size, data.val_size) == (5, 3)
    split = data_module(root=tmp_path, val_fraction=0.4)
    assert (split.train_size, split.val_size) == (3, 2)
    assert split.val_annotations.path == tmp_path / "train.json"
    # What is given beside the folder is taken instead of what is found in it.
    given = data_module(root=tmp_path, val_json=tmp_path / "train.json", val_images=tmp_path / "train")
    assert (given.train_size, given.val_size) == (5, 5)


def test_what_excludes_each_other() -> None:
    with pytest.raises(ValueError, match=r"root=a and train_json=b\.json are both given"):
        data_module(root="a", train_json="b.json")
    with pytest.raises(ValueError, match=r"val_fraction=0\.1 and val_json=b\.json are both given"):
        data_module(train_json="a.json", train_images="a", val_json="b.json", val_fraction=0.1)


def test_a_folder_without_a_set_is_told_when_it_is_needed(tmp_path: Path) -> None:
    data = data_module(root=tmp_path)
    with pytest.raises(DataError, match="has no annotation file where one was looked for"):
        data.check("fit")
