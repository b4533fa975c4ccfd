"""From the composed config to objects, and the configs of checkpoints."""
