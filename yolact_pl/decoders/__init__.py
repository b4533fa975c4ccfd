"""Class activation and box coding of the network's outputs."""
