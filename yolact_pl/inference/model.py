"""The library's entry: load a trained network, give it images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from PIL import Image
from typing_extensions import Unpack

from yolact_pl.images.any_image import AnyImage, ImageStack, is_one_image, to_pixels
from yolact_pl.inference.exported.model_file import exported_file
from yolact_pl.inference.options import Options, is_count
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.start import start_tracking
from yolact_pl.inference.tracking.tracker import TRACK_BUFFER, Tracker
from yolact_pl.results.image_detections import ImageDetections

if TYPE_CHECKING:
    import torch

MIN_SCORE = 0.3
ONE_LABEL = "cross_class"
IOU_THRESHOLD = 0.5
"""Suppression that gives an object its best class only; the published one may give it several."""
SMALLEST_SIDE = 32
NEEDS_TORCH = ("torch", "yolact_pl.inference.engines.torch_engine")
"""Missing where there is no torch: itself, and in yolact-pl-runtime the engine."""


class Model:
    """A trained network that takes images of any kind.

    A call changes nothing, so several threads may share a model.

    Args:
        predictor: does the work.
        category_ids: the id of each class in the annotation file that the network was trained on.
    """

    def __init__(self, predictor: Predictor, category_ids: Sequence[int]) -> None:
        self.predictor = predictor
        self.category_ids = tuple(category_ids)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of all classes, by label."""
        return self.predictor.class_names

    @overload
    def __call__(
        self, images: str | Path | bytes | Image.Image, **options: Unpack[Options]
    ) -> ImageDetections: ...
    @overload
    def __call__(
        self, images: list[Any] | tuple[Any, ...], **options: Unpack[Options]
    ) -> list[ImageDetections]: ...
    @overload
    def __call__(self, images: Any, **options: Unpack[Options]) -> Any: ...

    def __call__(
        self, images: "AnyImage | ImageStack", **options: Unpack[Options]
    ) -> ImageDetections | list[ImageDetections]:
        """Detections of one image, or of each image of a list, which is one batch for the network.

        Args:
            images: a path; the content of an image file as bytes, or an open binary file; an array uint8
                [H, W, 3] RGB, [H, W, 4] RGBA or [H, W] grey; a Pillow image of any mode; a tensor [3, H, W],
                [4, H, W] or [H, W], uint8, or floating point in 0..1; or a list of these, of any sizes.
            options: for this call, in place of those of `load`.

        Returns:
            Of one image one result, of a list a list, of an empty list an empty one.

        Raises:
            ImageError: an input that is not an image, or an unreadable file; a ValueError.
            ValueError: an invalid option.
        """
        predictor = self.predictor.with_options(**options) if options else self.predictor
        if is_one_image(images):
            return self._detect(predictor, [images])[0]  # pyright: ignore[reportArgumentType]
        return self._detect(predictor, list(images))  # pyright: ignore[reportArgumentType]

    def tiled(
        self,
        image: AnyImage,
        *,
        tile: int = 640,
        overlap: float = 0.2,
        batch_size: int = 4,
        **options: Unpack[Options],
    ) -> ImageDetections:
        """Detections of one large image with small objects, predicted in overlapping tiles.

        Args:
            image: as for a call.
            tile: side of a tile in pixels.
            overlap: part of a tile that it shares with the next one, 0 to 0.9: objects smaller than that lie
                complete in one of them; larger ones are also detected in the whole image.
            batch_size: tiles per network batch.
            options: as for a call; `top_k` is for the whole image.

        Raises:
            ImageError: an input that is not an image, or an unreadable file; a ValueError.
            ValueError: an invalid option.
        """
        predictor = self.predictor.with_options(**options) if options else self.predictor
        found = predictor.tiled(
            to_pixels(image, "the image", value_range=predictor.value_range),
            tile=tile,
            overlap=overlap,
            batch_size=batch_size,
        )
        return ImageDetections(found, self.class_names, self.category_ids)

    def track(
        self,
        frames: "str | Path | Iterable[AnyImage]",
        *,
        track_buffer: int = TRACK_BUFFER,
        **options: Unpack[Options],
    ) -> Iterator[ImageDetections]:
        """The tracked objects of each frame of a video, one frame after the other; see `Tracker`.

        Args:
            frames: a video file, or its frames in order, each as for a call.
            track_buffer: frames that a track survives without being seen.
            options: as for a call; `min_score` is what starts a track.

        Returns:
            An iterator of results with `tracker_ids` and `coasting`; a frame is looked at when its result is
            asked for.

        Raises:
            ImageError: a frame that is not an image; a ValueError.
            ValueError: an invalid option, an unreadable video, or one image in place of frames.
        """
        if not is_count(track_buffer):
            raise ValueError(f"track_buffer={track_buffer!r}: expected a number of frames, at least 1")
        predictor = self.predictor.with_options(**options) if options else self.predictor
        predictor, tracker = start_tracking(predictor, track_buffer=track_buffer)
        if isinstance(frames, str | Path):
            from yolact_pl.inference.video.reader import VideoReader  # FFmpeg is loaded where it is needed

            frames = (frame.image for frame in VideoReader(str(frames)))
        elif (
            isinstance(frames, bytes | bytearray | memoryview | Image.Image)
            or getattr(frames, "ndim", 4) != 4
        ):
            raise ValueError(
                "track takes a video file or a list of frames: one image is given to the model itself"
            )
        return self._tracked(predictor, tracker, frames)

    def _tracked(
        self, predictor: Predictor, tracker: Tracker, frames: "Iterable[AnyImage]"
    ) -> Iterator[ImageDetections]:
        for index, frame in enumerate(frames):
            pixels = to_pixels(frame, f"frame {index}", value_range=predictor.value_range)
            found = tracker.update(predictor([pixels])[0])
            yield ImageDetections(found, self.class_names, self.category_ids)

    def _detect(self, predictor: Predictor, images: Sequence[AnyImage]) -> list[ImageDetections]:
        several = len(images) > 1
        pixels = [
            to_pixels(image, f"image {index}" if several else "the image", value_range=predictor.value_range)
            for index, image in enumerate(images)
        ]
        return [ImageDetections(found, self.class_names, self.category_ids) for found in predictor(pixels)]


def load(
    checkpoint: str | Path,
    *,
    device: "str | torch.device" = "auto",
    image_size: int | tuple[int, int] | None = None,
    resize: str | None = None,
    half: bool = False,
    class_names: Sequence[str] | None = None,
    anchors: str | Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> Model:
    """A trained network, ready to be called with images.

    An exported file needs no torch. Size, precision and suppression are inside of it: what is left out is as
    it was exported, another choice is refused with the export that has it.

    Args:
        checkpoint: a file of this project's training, a released `.pth`, or the name of published weights,
            such as "yolact_base", which are fetched once; or an exported `model.onnx`, `model_openvino`, or
            the folder that has one.
        device: "auto" (CUDA or MPS where there is one, else the CPU), or where to run.
        image_size: of the network's input, a side or (height, width); None: as it was trained.
        resize: how images are placed on it, "stretch", "letterbox" or "shortest_edge", see `Resize`; None:
            as it was trained.
        half: compute in 16 bits, see `TorchEngine`; worth it on a GPU.
        class_names: of all classes in order, in place of those of the file. A `.pth` has none: 80 classes are
            taken for COCO's, others are numbered.
        anchors: those that a `.pth` was trained with: "coco", "pascal", "plus" (YOLACT++), or arguments of
            `Anchors` that differ from the recognised ones, such as {"scales": [12, 24, 48, 96, 192]}.
        options: min_score (0.3; "auto": as measured for each class), classes, top_k, nms ("cross_class": one
            label per object; "fast": as published), iou_threshold (0.5), see `Options`; defaults of all
            calls.

    Raises:
        ValueError: no such file, not a checkpoint that can be used, no such device, or a wrong option.
    """
    if image_size is not None:
        image_size = _height_width(image_size)
    if not isinstance(half, bool):
        raise ValueError(f"half={half!r}: expected True or False")
    exported = exported_file(checkpoint)
    if exported is not None:
        from yolact_pl.inference.exported.predictor import read_exported

        if anchors is not None:
            raise ValueError(f"anchors belong to a .pth: leave them out for {exported}")
        predictor, metadata = read_exported(
            exported,
            device=str(device),
            image_size=image_size,
            resize=resize,
            half=half,
            class_names=class_names,
        )
        category_ids = metadata.category_ids
        usual: Options = {"min_score": max(MIN_SCORE, metadata.score_threshold)}
    else:
        predictor, category_ids = _checkpoint_reader(checkpoint)(
            checkpoint,
            device=device,
            image_size=image_size,
            resize=resize,
            half=half,
            class_names=class_names,
            anchors=anchors,
        )
        usual = {"min_score": MIN_SCORE, "nms": ONE_LABEL, "iou_threshold": IOU_THRESHOLD}
    return Model(predictor.with_options(**{**usual, **options}), category_ids)


def _checkpoint_reader(checkpoint: str | Path) -> Callable[..., tuple[Predictor, list[int]]]:
    try:
        from yolact_pl.inference.engines.torch_engine import read_checkpoint
    except ModuleNotFoundError as error:
        if error.name not in NEEDS_TORCH:
            raise
        raise ValueError(
            f"{checkpoint} is no exported file: a checkpoint needs torch, which comes with yolact-pl (pip "
            "install yolact-pl in place of yolact-pl-runtime)"
        ) from error
    return read_checkpoint


def _height_width(image_size: int | Sequence[int]) -> tuple[int, int]:
    sides = image_size if isinstance(image_size, Sequence) else (image_size, image_size)
    if len(sides) != 2 or not all(is_count(side) and side >= SMALLEST_SIDE for side in sides):
        raise ValueError(
            f"image_size={image_size!r}: expected a side or (height, width), each a whole number of at least "
            f"{SMALLEST_SIDE} pixels"
        )
    return sides[0], sides[1]
