"""Detections of one image as plain numpy values; numpy only."""
