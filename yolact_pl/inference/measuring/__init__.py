"""Benchmarks of prediction."""
