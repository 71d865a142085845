"""From a suite file to rows of numbers."""
