"""Real sweeps that are killed and run out of disk at random moments: what is lost, what doubled."""
