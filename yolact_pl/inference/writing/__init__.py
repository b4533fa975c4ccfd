"""Files and windows that show predictions."""
