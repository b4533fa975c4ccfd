"""Which part of the network failed: masks rebuilt with one part after the other made perfect."""
