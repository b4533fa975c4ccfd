"""Command line: entry point, suggestions for mistyped overrides, progress, signals."""
