"""From rows to frames: means, differences, verdicts; pandas in, pandas out. How they are shown is not said here."""
