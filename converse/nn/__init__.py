"""Networks: the operator, the block, the families. Knows nothing of files, data or experiments."""
