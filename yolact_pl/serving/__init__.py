"""Local server: REST and a page over one model."""
