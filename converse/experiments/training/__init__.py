"""Training under a seed, which can be stopped at any step and continued to the bit."""
