"""Corrected copies of annotation files."""
