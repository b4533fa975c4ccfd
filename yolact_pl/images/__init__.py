"""Image files and arrays, and their placement on the network's input; numpy only."""
