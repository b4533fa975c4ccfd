"""From pictures to detections, without Lightning or Hydra."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Detections


def resolve_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" is CUDA or MPS where one works, else the CPU."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class Predictor:
    """A network ready to look at pictures.

    Nothing is changed by a call, so several threads may share one predictor.

    Args:
        network: moved to the device and put into evaluation mode.
        postprocess: makes the choice among the network's predictions.
        class_names: one for each label.
        image_size: (height, width) of the network's input; every picture is stretched to it.
        device: "auto", or where to run.
        min_score: only detections with a higher score are given.

    Raises:
        ValueError: the network has another number of classes than there are names.
    """

    def __init__(
        self,
        network: Yolact,
        postprocess: Postprocess,
        *,
        class_names: Sequence[str],
        image_size: tuple[int, int],
        device: str | torch.device = "auto",
        min_score: float = 0.0,
    ) -> None:
        if len(class_names) != network.num_classes:
            raise ValueError(
                f"the network has {network.num_classes} classes but {len(class_names)} class names were "
                "given: take those of the dataset that it was trained on"
            )
        self.device = resolve_device(device)
        self.network = network.to(self.device).eval()
        self.postprocess = postprocess
        self.class_names = tuple(class_names)
        self.image_size = image_size
        self.min_score = min_score

    @torch.inference_mode()
    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """What is in each of the images, which run through the network as one batch.

        Args:
            images: uint8 [H, W, 3] RGB each, of any sizes.

        Returns:
            For each image its detections, in its own pixels, on the predictor's device.

        Raises:
            ValueError: an image of another shape or type.
        """
        if len(images) == 0:
            return []
        for index, image in enumerate(images):
            _check_image(index, image)
        batch = torch.cat([self._to_input(image) for image in images])
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        predictions = self.network(batch)
        return self.postprocess(predictions, sizes, self.network.mask_iou, min_score=self.min_score)

    def _to_input(self, image: NDArray[np.uint8]) -> Tensor:
        """uint8 [H, W, 3] to float32 [1, 3, *image_size] on the device, as the released weights expect it."""
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.device)
        pixels = pixels.permute(2, 0, 1)[None].float()
        return F.interpolate(pixels, self.image_size, mode="bilinear", align_corners=False, antialias=False)


def _check_image(index: int, image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image {index} is {image.dtype} of shape {tuple(image.shape)}: "
            "expected uint8 of shape (height, width, 3), channels RGB"
        )
