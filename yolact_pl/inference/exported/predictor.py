"""An exported file as a predictor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import Unpack

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.placement import SHORTEST_EDGE, STEP, Resize
from yolact_pl.inference.engines.exported_engine import AGAIN, ExportedEngine
from yolact_pl.inference.engines.session import AUTO, Session
from yolact_pl.inference.exported.metadata import ExportError, ExportMetadata
from yolact_pl.inference.options import Options
from yolact_pl.inference.predictor import Predictor


def read_exported(
    path: Path,
    *,
    device: str = AUTO,
    image_size: tuple[int, int] | None = None,
    resize: str | None = None,
    half: bool = False,
    class_names: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> tuple[Predictor, ExportMetadata]:
    """A predictor with the engine of an exported file, and what the file says of itself.

    Args:
        path: an `.onnx` or `.xml` file, see `exported_file`.
        device: see `OnnxRuntimeSession` and `OpenVinoSession`.
        image_size: (height, width) of the input; None: as exported.
        resize: see `Resize`; None: as exported.
        half: whether 16 bits are asked for, which the file decides.
        class_names: in place of those of the file.
        options: see `Options`; those that are left out are the file's.

    Raises:
        ValueError: the file can't be used, or was not exported for what is asked.
    """
    session = open_session(path, device=device)
    metadata = session.metadata
    if half and metadata.precision != "float16":
        raise ExportError(f"half=true: {path} has precision={metadata.precision}; {AGAIN} precision=float16")
    values = metadata.image_value_range
    predictor = Predictor(
        ExportedEngine(session, metadata),
        class_names=metadata.class_names if class_names is None else class_names,
        resize=_resize(path, metadata, image_size or metadata.image_size, resize or metadata.resize),
        value_range=None if values is None else ValueRange(*values),
        class_thresholds=metadata.class_thresholds,
        **options,
    )
    return predictor, metadata


def open_session(path: Path, *, device: str = AUTO, threads: int | None = None) -> Session:
    """The session for a file's format; each runtime is imported when it is needed.

    Raises:
        ExportError: see `OnnxRuntimeSession` and `OpenVinoSession`.
    """
    arguments: dict[str, Any] = {"device": device, "threads": threads}
    if path.suffix == ".onnx":
        from yolact_pl.inference.engines.onnxruntime_session import OnnxRuntimeSession

        return OnnxRuntimeSession(path, **arguments)
    from yolact_pl.inference.engines.openvino_session import OpenVinoSession

    return OpenVinoSession(path, **arguments)


def _resize(path: Path, metadata: ExportMetadata, size: tuple[int, int], mode: str) -> Resize:
    """Raises:
    ExportError: inputs of a size that the file doesn't take.
    """
    if metadata.dynamic_size:
        if size != metadata.image_size and any(side % STEP for side in size):
            raise ExportError(f"image_size={list(size)}: {path} takes multiples of {STEP}")
    elif size != metadata.image_size:
        height, width = metadata.image_size
        raise ExportError(
            f"image_size={list(size)}: {path} takes {height} x {width}; {AGAIN} image_size={list(size)} or "
            "dynamic_size=true"
        )
    elif mode == SHORTEST_EDGE:
        raise ExportError(
            f"resize={mode}: its inputs vary in size, {path} takes one; {AGAIN} dynamic_size=true"
        )
    return Resize(mode, size)
