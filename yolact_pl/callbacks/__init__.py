"""Lightning callbacks: evaluation, progress, throughput, gradients, interruption."""
