"""Coverage of a data set by anchors, and proposals of better ones."""
