"""Annotations of other formats to COCO json: one reader a format, one writer."""
