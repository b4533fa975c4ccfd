"""Resumable, verified downloads and safe extraction."""
