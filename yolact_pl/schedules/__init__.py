"""Learning rate and optimizer over the run."""
