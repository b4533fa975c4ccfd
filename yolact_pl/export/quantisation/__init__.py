"""Exported networks in 8 bits: calibration on images, and layers that stay in float where AP needs it."""
