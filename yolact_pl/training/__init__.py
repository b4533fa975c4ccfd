"""Parts of task=train: the Trainer, tuning, strategies, accidents."""
