"""The proof that an exported file computes what torch computes."""
