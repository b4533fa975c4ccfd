"""Masks as pure functions: assembling, cropping and resizing."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Region = tuple[float, float, float, float]
"""Top, left, height and width in pixels of a mask."""

MAX_PIXELS_AT_ONCE = 1 << 26
"""Of float masks at full size, where they are needed: 256 MiB."""


def assemble_masks(prototypes: Tensor, coefficients: Tensor) -> Tensor:
    """Combine prototypes linearly, one mask a row of coefficients (YOLACT, section 3.3).

    Args:
        prototypes: [K, h, w] of one image.
        coefficients: [N, K].

    Returns:
        [N, h, w] mask logits.
    """
    k, h, w = prototypes.shape
    return (coefficients @ prototypes.reshape(k, h * w)).view(-1, h, w)


def crop_windows(boxes: Tensor, size: tuple[int, int], padding: float = 1.0) -> Tensor:
    """The window that `crop_masks` keeps of each mask.

    Args:
        boxes: [N, 4] xyxy in pixels of the mask.
        size: (height, width) of the mask.
        padding: how far the window reaches over the box; the released weights were trained with 1 pixel.

    Returns:
        [N, 4] xyxy: pixel i is kept if start <= i < end.
    """
    h, w = size
    x1, x2 = torch.minimum(boxes[:, 0], boxes[:, 2]), torch.maximum(boxes[:, 0], boxes[:, 2])
    y1, y2 = torch.minimum(boxes[:, 1], boxes[:, 3]), torch.maximum(boxes[:, 1], boxes[:, 3])
    return torch.stack(
        (
            (x1 - padding).clamp(min=0),
            (y1 - padding).clamp(min=0),
            (x2 + padding).clamp(max=w),
            (y2 + padding).clamp(max=h),
        ),
        dim=-1,
    )


def crop_masks(masks: Tensor, boxes: Tensor, padding: float = 1.0) -> Tensor:
    """Set what lies outside of each mask's box to zero.

    Args:
        masks: [N, h, w].
        boxes: [N, 4] xyxy in pixels of the masks, not rounded.
        padding: see `crop_windows`.
    """
    h, w = masks.shape[-2:]
    x1, y1, x2, y2 = crop_windows(boxes, (h, w), padding)[..., None].unbind(1)
    columns = torch.arange(w, device=masks.device, dtype=boxes.dtype)
    rows = torch.arange(h, device=masks.device, dtype=boxes.dtype)
    inside_x = ((columns >= x1) & (columns < x2)).to(masks.dtype)
    inside_y = ((rows >= y1) & (rows < y2)).to(masks.dtype)
    return masks * (inside_y[:, :, None] * inside_x[:, None, :])


def resize_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Binary masks [N, H, W] at another size: bilinear without antialiasing, then > 0.5; bool [N, *size]."""
    if masks.shape[-2:] == size:
        return masks.bool()
    if masks.shape[0] == 0:
        return torch.zeros((0, *size), dtype=torch.bool, device=masks.device)
    return resize_soft_masks(masks.float(), size) > 0.5


def upsample_masks(
    masks: Tensor, windows: Tensor, size: tuple[int, int], region: Region | None = None
) -> Tensor:
    """Cropped soft masks, or a region of them, at another size: bilinear without antialiasing, then > 0.5.

    The result is that of interpolating every whole mask. On the CPU only the pixels that a window can reach
    are computed; others compute all, a few masks at a time, since that needs no answer from the device.

    Args:
        masks: [N, h, w] in 0..1, zero outside of their windows.
        windows: [N, 4] xyxy as `crop_windows` gives them.
        size: (height, width) of the result.
        region: what of the masks the result shows; None: all.

    Returns:
        [N, *size] bool.
    """
    if masks.device.type == "cpu":
        return _upsample_windows(masks, windows, size, region)
    result = torch.empty((len(masks), *size), dtype=torch.bool, device=masks.device)
    at_once = max(1, MAX_PIXELS_AT_ONCE // (size[0] * size[1]))
    for start in range(0, len(masks), at_once):
        part = masks[start : start + at_once]
        shown = resize_soft_masks(part, size) if region is None else resize_region(part, region, size)
        result[start : start + at_once] = shown > 0.5
    return result


def resize_soft_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """[N, H, W] to [N, *size], bilinear without antialiasing."""
    return F.interpolate(masks[None], size, mode="bilinear", align_corners=False)[0]


def resize_region(masks: Tensor, region: Region, size: tuple[int, int]) -> Tensor:
    """A region of [N, H, W] as [N, *size], bilinear without antialiasing; edges mix with what is beside."""
    h, w = masks.shape[1:]
    top, bottom, row_weight = _bilinear_sources(h, size[0], (region[0], region[2]), masks.device)
    left, right, column_weight = _bilinear_sources(w, size[1], (region[1], region[3]), masks.device)
    rows = torch.lerp(masks[:, :, left], masks[:, :, right], column_weight)
    return torch.lerp(rows[:, top], rows[:, bottom], row_weight[:, None])


def _upsample_windows(
    masks: Tensor, windows: Tensor, size: tuple[int, int], region: Region | None = None
) -> Tensor:
    """In numpy: so many small steps as operations of torch would each wait for all of its threads."""
    h, w = masks.shape[-2:]
    region = (0, 0, h, w) if region is None else region
    # Unlike torch's, numpy's zeros take memory only where something is written later.
    result = np.zeros((len(masks), *size), dtype=np.bool_)
    rows = _bilinear_sources(h, size[0], (region[0], region[2]))
    columns = _bilinear_sources(w, size[1], (region[1], region[3]))
    top, bottom, row_weight = (index.numpy() for index in rows)
    left, right, column_weight = (index.numpy() for index in columns)
    row_weight, source = row_weight[:, None], masks.numpy()
    for n, (x1, y1, x2, y2) in enumerate(_reach(windows, region, size).tolist()):
        if x1 >= x2 or y1 >= y2:
            continue
        start = top[y1]
        part = source[n, start : bottom[y2 - 1] + 1]
        part = _mix(part.take(left[x1:x2], 1), part.take(right[x1:x2], 1), column_weight[x1:x2])
        part = _mix(part.take(top[y1:y2] - start, 0), part.take(bottom[y1:y2] - start, 0), row_weight[y1:y2])
        np.greater(part, 0.5, out=result[n, y1:y2, x1:x2])
    return torch.from_numpy(result)


def _mix(
    first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """first + weight x (second - first), in the place of `second`."""
    second -= first
    second *= weight
    second += first
    return second


def _bilinear_sources(
    length: int, new_length: int, part: tuple[float, float], device: torch.device | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """For each new pixel the two source pixels and the weight of the second; centres are at one half.

    Args:
        length: of the source.
        new_length: of the result.
        part: where what the result shows starts in the source, and its length.
        device: of the results.
    """
    scale = torch.tensor(part[1] / new_length)
    position = (part[0] + scale * (torch.arange(new_length, device=device) + 0.5) - 0.5).clamp(min=0)
    before = position.long().clamp(max=length - 1)
    return before, (before + 1).clamp(max=length - 1), position - before


def _reach(windows: Tensor, region: Region, new_size: tuple[int, int]) -> Tensor:
    """[N, 4] int64 xyxy: outside of it no upsampled pixel exceeds 0.5.

    An interpolated value exceeds 0.5 only where kept pixels weigh more than half: inside of their own area,
    seen as squares. One pixel more on each side is for rounding.
    """
    scale = torch.tensor([new_size[1] / region[3], new_size[0] / region[2]], dtype=torch.float64)
    limit = torch.tensor([new_size[1], new_size[0]])
    # Kept are the pixels start <= i < end.
    pixels = windows.double().ceil() - torch.tensor([region[1], region[0]] * 2, dtype=torch.float64)
    start = (pixels[:, :2] * scale - 0.5).floor().long() - 1
    end = (pixels[:, 2:] * scale - 0.5).ceil().long() + 2
    return torch.cat((start.clamp(min=0).minimum(limit), end.clamp(min=0).minimum(limit)), dim=1)
