"""The jobs of a sweep: processes of their own, devices dealt out, one table of results. Knows no Hydra."""
