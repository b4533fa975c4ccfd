"""How well anchors cover the objects of a data set, and better ones."""
