"""What watches a run: evaluation, progress, throughput, gradients, interruption."""
