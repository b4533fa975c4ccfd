"""Anchor-to-object assignment."""
