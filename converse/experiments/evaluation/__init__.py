"""What a network is worth: its images measured, the filters that it has to beat, its costs, its operator's error."""
