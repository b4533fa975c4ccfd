"""Annotations in other formats to COCO json: one reader per format, one writer."""
