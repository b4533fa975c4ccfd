"""Exported models as files: what they say of themselves."""
