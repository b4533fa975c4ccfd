"""Masks as pure functions: assembling, cropping and resizing."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
    return F.interpolate(masks.float()[None], size, mode="bilinear", align_corners=False)[0] > 0.5
