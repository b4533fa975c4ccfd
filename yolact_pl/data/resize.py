"""The published resize: straight to the input's size, bilinear, not antialiased, the aspect is lost."""

import cv2
import numpy as np
import torch.nn.functional as F
from torch import Tensor


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] to float32 [*size, 3], not rounded, by OpenCV: how pictures are evaluated."""
    return cv2.resize(image.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] to float32 [B, 3, *size] on the images' device: how video is predicted."""
    return F.interpolate(images.float(), size, mode="bilinear", align_corners=False)
