"""Modulated deformable convolution (DCNv2)."""

from ops.dcnv2.deform_conv import ModulatedDeformConv2d

__all__ = ["ModulatedDeformConv2d"]
