"""Files, images and classes of the training and validation set, read when first needed."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from yolact_pl.data.annotations.annotations import Annotations, DataError, read_annotations
from yolact_pl.data.layout import find_files
from yolact_pl.data.selection import check_fraction, select_classes, split_images

AUTO = "auto"
AUTO_FRACTION = 0.1


class Sources:
    """The two sets of a data module; each file is read once.

    Args:
        train_json, train_images, val_json, val_images, root, val_fraction, classes: see `CocoDataModule`.
        seed: of the split by `val_fraction`.
    """

    def __init__(
        self,
        *,
        train_json: str | Path | None,
        train_images: str | Path | None,
        val_json: str | Path | None,
        val_images: str | Path | None,
        root: str | Path | None,
        val_fraction: float | str | None,
        classes: Sequence[str] | str | None,
        seed: int,
    ) -> None:
        if val_fraction != AUTO:
            check_fraction(val_fraction)
        if root is not None and train_json is not None:
            raise ValueError(
                f"root={root} and train_json={train_json} are both given; set one of them to null."
            )
        if val_fraction not in (None, AUTO) and val_json is not None:
            raise ValueError(
                f"val_fraction={val_fraction} and val_json={val_json} are both given; set one to null."
            )
        self.root = root
        self.wanted_fraction = val_fraction
        self.wanted_classes = [classes] if isinstance(classes, str) else classes
        self.seed = seed
        self._given = {"train": (train_json, train_images), "val": (val_json, val_images)}
        self._annotations: dict[str, Annotations] = {}

    @cached_property
    def files(self) -> dict[str, tuple[Path, Path | None]]:
        """Annotation file and images folder of "train" and "val", as given or found in the root.

        Raises:
            DataError: the root has no known layout.
        """
        files: dict[str, tuple[Path, Path | None]] = {
            split: (Path(path), None if images is None else Path(images))
            for split, (path, images) in self._given.items()
            if path is not None
        }
        if self.root is not None:
            found = find_files(self.root)
            if self.wanted_fraction not in (None, AUTO):
                found.pop("val", None)
            files = {**found, **files}
        return files

    @property
    def val_fraction(self) -> float | None:
        """Of the training images, to validate with; None: their own file lists them, or there are none."""
        if not isinstance(self.wanted_fraction, str):
            return self.wanted_fraction
        return None if "val" in self.files else AUTO_FRACTION

    @property
    def has_validation(self) -> bool:
        """Whether there are validation images."""
        return self.val_fraction is not None or "val" in self.files

    def folder(self, split: str) -> Path:
        """Of the images of a set."""
        folder = self.files[self._file_of(split)][1]
        if folder is None:
            raise DataError(f"{split}_images is not set; give the folder with the images of {split}_json.")
        return folder

    def annotations(self, split: str) -> Annotations:
        """Annotations of the wanted classes in the file of a set; see `images` for the images of the set.

        Raises:
            DataError: the file or its images are not as they must be.
        """
        split = self._file_of(split)
        if split not in self._annotations:
            others = [number for other in self._annotations.values() for number in other.category_ids]
            known = read_annotations(self.files[split][0], self.folder(split), category_ids_kept=others)
            if self.wanted_classes is not None:
                known = select_classes(known, self.wanted_classes)
            self._annotations[split] = known
        return self._annotations[split]

    def images(self, split: str) -> np.ndarray:
        """[images] int64: positions in the file of the images of a set."""
        known = self.annotations(split)
        if self.val_fraction is None:
            return np.arange(known.num_images)
        return split_images(known, self.val_fraction, self.seed)[split == "val"]

    def any_annotations(self) -> Annotations:
        """Annotations that list the categories, preferably a file already read."""
        for known in self._annotations.values():
            return known
        return self.annotations("train" if "train" in self.files else "val")

    def check_same_categories(self) -> None:
        """Check that both files, if read, list the same classes.

        Raises:
            DataError: they differ; names the first difference.
        """
        if len(self._annotations) == 2:
            _check_same_categories(self._annotations["train"], self._annotations["val"])

    def _file_of(self, split: str) -> str:
        """The split whose file lists the images of a split."""
        holder = "train" if self.val_fraction is not None else split
        if holder not in self.files:
            raise DataError(
                f"{holder}_json is not set; give the annotation file, or the folder of a whole set as root."
            )
        return holder


def _check_same_categories(train: Annotations, val: Annotations) -> None:
    if (train.category_ids, train.class_names) == (val.category_ids, val.class_names):
        return
    categories = [set(zip(known.category_ids, known.class_names, strict=True)) for known in (train, val)]
    different = min(categories[0] ^ categories[1])
    where = train.path if different in categories[0] else val.path
    raise DataError(
        f"{train.path} and {val.path} have different categories (category {different[0]}, "
        f"{different[1]!r}, is only in {where}); give both the same list."
    )
