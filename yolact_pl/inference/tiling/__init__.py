"""Large images through overlapping tiles."""
