"""From arrays of pixels to detections, without Lightning or Hydra."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Unpack

from yolact_pl.data.resize import fill_up, resize_images
from yolact_pl.images.placement import STRETCH, Placement, Resize
from yolact_pl.inference.options import (
    Options,
    asked_postprocess,
    changed_postprocess,
    check_options,
    labels_of,
)
from yolact_pl.inference.tiling.tiles import predict_tiled
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.yolact import Yolact
from yolact_pl.postprocess import Chosen, Postprocess
from yolact_pl.results.detections import Detections
from yolact_pl.structures import Predictions

UNLIMITED = 1_000_000
"""More detections than any image has."""
MAX_OF_TILES = 1000


def resolve_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" is CUDA or MPS where one works, else the CPU.

    Raises:
        ValueError: no such device, or it is not there.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(f"device={device!r} is not known: give auto, cpu, cuda, cuda:1 or mps") from None
    devices = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}.get(found.type)
    if devices is not None and devices() <= (found.index or 0):
        raise ValueError(f"device={device}: torch finds no such device here; give device=cpu or auto")
    return found


class Predictor:
    """A network ready to look at pictures.

    Nothing is changed by a call, so several threads may share one predictor.

    Args:
        network: in float32; a copy of it predicts, see `inference_copy`, and it stays as it is.
        postprocess: makes the choice among the network's predictions.
        class_names: one for each label.
        image_size: (height, width) of the network's input, see `Resize`.
        resize: how pictures are placed on it, as the network was trained: "stretch", "letterbox" or
            "shortest_edge", see `Resize`.
        device: "auto", or where to run.
        min_score: only detections with a higher score are given.
        half: the network computes in 16 bits, float16 on CUDA and MPS, bfloat16 on the CPU.

    Raises:
        ValueError: the network has another number of classes than there are names, or the device is missing.
    """

    def __init__(
        self,
        network: Yolact,
        postprocess: Postprocess,
        *,
        class_names: Sequence[str],
        image_size: tuple[int, int],
        resize: str = STRETCH,
        device: str | torch.device = "auto",
        min_score: float = 0.0,
        half: bool = False,
    ) -> None:
        if len(class_names) != network.num_classes:
            raise ValueError(
                f"the network has {network.num_classes} classes but {len(class_names)} class names were "
                "given: take those of the dataset that it was trained on"
            )
        self.device = resolve_device(device)
        self.network = inference_copy(network, device=self.device, dtype=_dtype(self.device, half=half))
        self.postprocess = postprocess
        self.class_names = tuple(class_names)
        self.resize = Resize(resize, image_size)
        self.min_score = min_score
        self.labels: frozenset[int] | None = None
        self.top_k: int | None = None
        self.parts = False

    def with_options(self, **options: Unpack[Options]) -> "Predictor":
        """Another predictor with the same network that is asked for something else, see `Options`.

        Raises:
            ValueError: a class that the network does not know, or a value out of its range.
        """
        check_options(options)
        changed = copy.copy(self)
        changed.postprocess = asked_postprocess(self.postprocess, options)
        changed.min_score = options.get("min_score", self.min_score)
        changed.top_k = options.get("top_k", self.top_k)
        if "classes" in options:
            changed.labels = labels_of(options["classes"], self.class_names)
        return changed

    def with_parts(self) -> "Predictor":
        """Another predictor with the same network, whose detections say what their masks were made of."""
        changed = copy.copy(self)
        changed.parts = True
        return changed

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """What is in each of the images, which run through the network as one batch.

        Args:
            images: uint8 [H, W, 3] RGB each, of any sizes.

        Returns:
            For each image its detections, in its own pixels.

        Raises:
            ValueError: an image of another shape or type.
        """
        if len(images) == 0:
            return []
        predictions = self.forward([self.prepare(images)])
        return [self.detect(predictions, i, image.shape[:2]) for i, image in enumerate(images)]

    def tiled(
        self, image: NDArray[np.uint8], *, tile: int = 640, overlap: float = 0.2, batch_size: int = 4
    ) -> Detections:
        """What is in a large image, looked at through overlapping tiles, see `predict_tiled`.

        Raises:
            ValueError: an image of another shape or type, or an option out of its range.
        """
        _check_image(0, image)
        return predict_tiled(
            self.with_options(top_k=None),  # the limit is for the image and not for each tile
            image,
            tile=tile,
            overlap=overlap,
            nms=self.postprocess.nms,
            iou_threshold=self.postprocess.iou_threshold,
            max_detections=self.top_k or MAX_OF_TILES,
            batch_size=batch_size,
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the network's input, see `Resize`."""
        return self.resize.size

    def placement(self, size: tuple[int, ...]) -> Placement | None:
        """Where an image of (height, width) lies on the input; None: stretched all over it."""
        return None if self.resize.mode == STRETCH else self.resize.place((size[0], size[1]))

    @torch.inference_mode()
    def prepare(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The first step of a call: images as the network's input, float32 [B, 3, H, W]."""
        for index, image in enumerate(images):
            _check_image(index, image)
        return _as_batch([self._to_input(image) for image in images])

    @torch.inference_mode()
    def forward(self, inputs: Sequence[Tensor]) -> Predictions:
        """The second step: the network's answer to what `prepare` gave, all in one batch."""
        return self.network(_as_batch(inputs))

    @torch.inference_mode()
    def detect(self, predictions: Predictions, index: int, size: tuple[int, ...]) -> Detections:
        """The last step: detections of one image of the batch, of (height, width), in its pixels."""
        return self.finish(predictions, index, self.choose(predictions, index, size), size)

    @torch.inference_mode()
    def choose(self, predictions: Predictions, index: int, size: tuple[int, ...]) -> Chosen:
        """The first half of `detect`: which boxes stay, as the options ask; no mask is made."""
        # Masks are made of what is asked for only, so that asking for less takes less time.
        limit, postprocess = self._limit(), self.postprocess
        if self.labels is not None or limit > postprocess.max_detections:  # the limit comes afterwards
            postprocess = changed_postprocess(postprocess, max_detections=UNLIMITED)
        with torch.autocast(self.device.type, enabled=False):
            chosen = postprocess.choose(
                predictions, index, min_score=self.min_score, placement=self.placement(size)
            )
        if self.labels is not None:
            wanted = torch.isin(chosen.labels, chosen.labels.new_tensor(sorted(self.labels)))
            chosen = Chosen(*(part[wanted] for part in chosen))
        return Chosen(*(part[:limit] for part in chosen))

    @torch.inference_mode()
    def finish(
        self, predictions: Predictions, index: int, chosen: Chosen, size: tuple[int, ...]
    ) -> Detections:
        """The second half of `detect`: masks, and all in pixels of the image."""
        height, width = size
        with torch.autocast(self.device.type, enabled=False):
            made = self.postprocess.finish(predictions, index, chosen, self.network.mask_iou)
        found = made.on_cpu()
        if self.parts:
            prototypes, coefficients = predictions.prototypes[index], predictions.coefficients[index]
            found = found._replace(
                prototypes=_numbers(prototypes), coefficients=_numbers(coefficients[chosen.anchors])
            )
        whole_pixels = self.postprocess.whole_pixel_boxes
        return found.in_image((height, width), self.placement(size), whole_pixels=whole_pixels)

    def _limit(self) -> int:
        if self.top_k is not None:
            return self.top_k
        return UNLIMITED if self.postprocess.nms == "cross_class" else self.postprocess.max_detections

    def _to_input(self, image: NDArray[np.uint8]) -> Tensor:
        """uint8 [H, W, 3] to float32 [1, 3, H, W] on the device, as the released weights expect it."""
        placement = self.resize.place((image.shape[0], image.shape[1]))
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.device)
        pixels = resize_images(pixels.permute(2, 0, 1)[None], (placement.height, placement.width))
        return fill_up(pixels, placement.canvas, top=placement.top, left=placement.left)


def _dtype(device: torch.device, *, half: bool) -> torch.dtype:
    if not half:
        return torch.float32
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def _numbers(values: Tensor) -> NDArray[np.float32]:
    """On the CPU, zero where a network that went astray gives no number."""
    return np.nan_to_num(values.float().cpu().numpy(), nan=0.0, posinf=0.0, neginf=0.0)


def _as_batch(inputs: Sequence[Tensor]) -> Tensor:
    """[n, 3, h, w] each as one batch, filled up at the right and the bottom to the largest of them."""
    canvas = max(one.shape[2] for one in inputs), max(one.shape[3] for one in inputs)
    return torch.cat([fill_up(one, canvas) for one in inputs])


def _check_image(index: int, image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"image {index} is {image.dtype} of shape {tuple(image.shape)}: "
            "expected uint8 of shape (height, width, 3), channels RGB"
        )
