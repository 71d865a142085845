"""The gate: whether what is measured now is worse than a baseline, and how sure that is."""
