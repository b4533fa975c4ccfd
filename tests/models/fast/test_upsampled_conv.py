import pytest
import torch
import torch.nn.functional as F

from yolact_pl.models.conv_relu import ConvRelu
from yolact_pl.models.fast.upsampled_conv import UpsampledConvRelu


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 1), (3, 2), (6, 7)])
@torch.inference_mode()
def test_is_the_convolution_of_the_upsampled_map(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = ConvRelu(3, 5, 3, padding=1).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64).to(memory_format=torch.channels_last)
    expected = conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
    found = UpsampledConvRelu(conv)(x)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
