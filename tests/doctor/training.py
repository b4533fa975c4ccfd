"""What a training says of a data set."""

from collections.abc import Sequence

from yolact_pl.data.augmentation.transforms import SsdAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.doctor.coco_set import SetPaths


def complaint(sets: Sequence[SetPaths]) -> str | None:
    """What stops a training that reads all images of these sets once; None if nothing does."""
    files = {}
    for paths in sets:
        files |= {f"{paths.split}_json": paths.json, f"{paths.split}_images": paths.images}
    data = CocoDataModule(**files, image_size=32, batch_size=1, num_workers=0, augment=SsdAugmentation())
    try:
        data.check("fit")
        for loader in (data.train_dataloader(), data.val_dataloader()):
            for _ in loader:
                pass
    except ValueError as error:
        return str(error)
    return None
