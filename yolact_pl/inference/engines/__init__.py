"""Inference engines: one file per runtime, imported only when it is needed."""
