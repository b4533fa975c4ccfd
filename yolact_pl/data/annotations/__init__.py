"""Annotations in COCO format: reading, checking, rasterising."""
