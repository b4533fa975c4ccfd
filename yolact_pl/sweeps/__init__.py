"""Jobs of a sweep: processes of their own, shared devices, one table of results; no Hydra."""
