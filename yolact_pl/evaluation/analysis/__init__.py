"""What the matches of a set say about a model: pure functions on numpy arrays, one question per file."""
