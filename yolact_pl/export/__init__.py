"""Trained networks as files for other runtimes, from pixels to masks in one graph."""
