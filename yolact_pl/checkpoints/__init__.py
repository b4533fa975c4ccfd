"""Checkpoints: our own, which describe themselves, and the released weights."""
