"""File formats: one module each, with a row in the table of `registry`."""
