"""Sections of an evaluation's page."""
