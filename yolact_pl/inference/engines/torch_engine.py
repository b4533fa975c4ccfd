"""The torch engine; the only file of this room that imports torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import Unpack

from yolact_pl.checkpoints.published import local_file
from yolact_pl.checkpoints.released_anchors import AnchorChoice
from yolact_pl.checkpoints.stored import StoredNetwork, read_stored_network
from yolact_pl.data.resize import fill_up, resize_images
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import STRETCH, Placement, Resize
from yolact_pl.inference.measuring.timing import MIB, Meter
from yolact_pl.inference.options import Options, Request
from yolact_pl.inference.predictor import Predictor
from yolact_pl.models.fast.half_precision import half_precision
from yolact_pl.models.fast.inference_copy import inference_copy
from yolact_pl.models.network import YolactNetwork
from yolact_pl.models.weight_files import CheckpointError
from yolact_pl.postprocess import Chosen, Finished, Postprocess
from yolact_pl.results.detections import Detections
from yolact_pl.structures import Predictions

UNLIMITED = 1_000_000  # more detections than any image has


class TorchEngine:
    """A network and its postprocess on a device, see `Engine`.

    Args:
        network: in float32; a copy of it predicts, see `inference_copy`, and it stays as it is.
        postprocess: predictions to detections.
        device: "auto", or where to run.
        half: the network computes in 16 bits, see `half_precision`.

    Raises:
        ValueError: the device is missing.
    """

    name = "torch"

    def __init__(
        self,
        network: YolactNetwork,
        postprocess: Postprocess,
        *,
        device: str | torch.device = "auto",
        half: bool = False,
    ) -> None:
        self.torch_device = resolve_device(device)
        dtype = half_precision(self.torch_device) if half else torch.float32
        self.network = inference_copy(network, device=self.torch_device, dtype=dtype)
        self.postprocess = postprocess
        self.precision = str(dtype).removeprefix("torch.")
        self.device = str(self.torch_device)
        self.num_classes = network.num_classes
        self.score_threshold = postprocess.score_threshold
        self.usual = Request(nms=postprocess.nms, iou_threshold=postprocess.iou_threshold)
        self.meter = TorchMeter(self.torch_device)

    def check(self, request: Request) -> None:
        self._asked(request)

    @torch.inference_mode()
    def prepare(self, images: Sequence[NDArray[np.uint8]], placements: Sequence[Placement]) -> Tensor:
        """Float32 [B, 3, H, W] on the device."""
        pairs = zip(images, placements, strict=True)
        return _as_batch([self._to_input(image, placement) for image, placement in pairs])

    @torch.inference_mode()
    def forward(self, inputs: Sequence[Tensor]) -> Predictions:
        return self.network(_as_batch(inputs))

    def detect(
        self,
        outputs: Predictions,
        index: int,
        size: tuple[int, int],
        placement: Placement | None,
        request: Request,
    ) -> Detections:
        chosen = self.choose(outputs, index, placement, request)
        found = self.finish(outputs, index, chosen).on_cpu()
        if request.parts:
            prototypes, coefficients = outputs.prototypes[index], outputs.coefficients[index, chosen.anchors]
            found = found._replace(prototypes=_numbers(prototypes), coefficients=_numbers(coefficients))
        return found.in_image(
            size,
            placement,
            whole_pixels=self.postprocess.whole_pixel_boxes,
            refine_boxes=self.postprocess.refine_boxes,
        )

    @torch.inference_mode()
    def choose(
        self, predictions: Predictions, index: int, placement: Placement | None, request: Request
    ) -> Chosen:
        """The first half of `detect`: the boxes that stay, so that masks are made of no others."""
        postprocess = self._asked(request)
        limit = request.top_k
        if limit is None:
            limit = UNLIMITED if postprocess.nms == "cross_class" else postprocess.max_detections
        if request.labels is not None or limit > postprocess.max_detections:  # the limit comes afterwards
            postprocess = _changed(postprocess, max_detections=UNLIMITED)
        with torch.autocast(self.torch_device.type, enabled=False):
            chosen = postprocess.choose(
                predictions, index, min_score=request.min_score or 0.0, placement=placement
            )
        if request.labels is not None:
            wanted = torch.isin(chosen.labels, chosen.labels.new_tensor(sorted(request.labels)))
            chosen = Chosen(*(part[wanted] for part in chosen))
        return Chosen(*(part[:limit] for part in chosen))

    @torch.inference_mode()
    def finish(self, predictions: Predictions, index: int, chosen: Chosen) -> Finished:
        """The second half of `detect`: masks, on the device and without waiting for it."""
        with torch.autocast(self.torch_device.type, enabled=False):
            return self.postprocess.finish(predictions, index, chosen, self.network.mask_iou)

    def _asked(self, request: Request) -> Postprocess:
        """The postprocess of a request; a `min_score` below the threshold lowers the threshold."""
        threshold = self.score_threshold
        return _changed(
            self.postprocess,
            nms=request.nms,
            iou_threshold=request.iou_threshold,
            score_threshold=threshold if request.min_score is None else min(threshold, request.min_score),
        )

    def _to_input(self, image: NDArray[np.uint8], placement: Placement) -> Tensor:
        """uint8 [H, W, 3] to float32 [1, 3, H, W] on the device, as the released weights expect it."""
        pixels = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.torch_device)
        pixels = resize_images(pixels.permute(2, 0, 1)[None], (placement.height, placement.width))
        return fill_up(pixels, placement.canvas, top=placement.top, left=placement.left)


class TorchMeter(Meter):
    """Time and memory of a torch device; CUDA and MPS compute asynchronously."""

    out_of_memory = (MemoryError, torch.cuda.OutOfMemoryError)

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def reset_peak_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_memory(self) -> float | None:
        """On CUDA MiB of all tensors since the last reset."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / MIB
        return super().peak_memory()

    def describe(self) -> dict[str, str | int | None]:
        return {
            **super().describe(),
            "device": str(self.device),
            "gpu": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None,
            "threads": torch.get_num_threads(),
            "torch": str(torch.__version__),
        }


def torch_predictor(
    network: YolactNetwork,
    postprocess: Postprocess,
    *,
    class_names: Sequence[str],
    image_size: tuple[int, int],
    resize: str = STRETCH,
    device: str | torch.device = "auto",
    half: bool = False,
    value_range: ValueRange | None = None,
    class_thresholds: Sequence[float] | None = None,
    **options: Unpack[Options],
) -> Predictor:
    """A predictor with the torch engine; arguments as for `TorchEngine`, `Resize` and `Predictor`."""
    engine = TorchEngine(network, postprocess, device=device, half=half)
    return Predictor(
        engine,
        class_names=class_names,
        resize=Resize(resize, image_size),
        value_range=value_range,
        class_thresholds=class_thresholds,
        **options,
    )


def read_checkpoint(
    checkpoint: str | Path,
    *,
    device: str | torch.device,
    image_size: tuple[int, int] | None,
    resize: str | None,
    half: bool,
    class_names: Sequence[str] | None = None,
    anchors: AnchorChoice | None = None,
) -> tuple[Predictor, list[int]]:
    """The network of a checkpoint, and the id of each class in the annotation file; see `model.load`."""
    stored = read_stored_network(local_file(checkpoint), class_names=class_names, anchors=anchors)
    with torch.random.fork_rng(devices=[]):  # weights are drawn before the file's replace them
        network = stored.build(image_size)
    predictor = torch_predictor(
        network,
        _stored_postprocess(stored),
        class_names=stored.class_names,
        image_size=image_size or stored.image_size,
        resize=resize or stored.resize,
        device=device,
        half=half,
        value_range=stored.value_range,
        class_thresholds=stored.class_thresholds,
    )
    return predictor, stored.category_ids


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
    except (RuntimeError, TypeError):
        raise ValueError(f"device={device!r} is not known: give auto, cpu, cuda, cuda:1 or mps") from None
    devices = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}.get(found.type)
    if devices is not None and devices() <= (found.index or 0):
        raise ValueError(f"device={device}: torch finds no such device here; give device=cpu or auto")
    return found


def _stored_postprocess(stored: StoredNetwork) -> Postprocess:
    """The checkpoint's own; for released weights the published one."""
    arguments = (stored.config or {}).get("model", {}).get("postprocess", {})
    arguments = {key: value for key, value in arguments.items() if key != "_target_"}
    decoder = stored.build_decoder()
    try:
        return Postprocess(**{**arguments, "decoder": decoder})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {stored.path}: its postprocess can't be built: {error}") from error


def _changed(postprocess: Postprocess, **changes: Any) -> Postprocess:
    """A copy of a postprocess with other arguments, which it keeps under their names."""
    return Postprocess(**{**vars(postprocess), **changes})


def _numbers(values: Tensor) -> NDArray[np.float32]:
    """On the CPU; zero in place of nan and infinity."""
    return np.nan_to_num(values.float().cpu().numpy(), nan=0.0, posinf=0.0, neginf=0.0)


def _as_batch(inputs: Sequence[Tensor]) -> Tensor:
    """Inputs [n, 3, h, w] as one batch, padded at the right and the bottom to the largest."""
    canvas = max(one.shape[2] for one in inputs), max(one.shape[3] for one in inputs)
    return torch.cat([fill_up(one, canvas) for one in inputs])
