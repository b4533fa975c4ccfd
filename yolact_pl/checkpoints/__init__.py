"""Checkpoints: our own, which describe themselves, and the released weights."""

from yolact_pl.checkpoints.released import load_released

__all__ = ["load_released"]
