"""Copies of the network made for fast prediction."""
