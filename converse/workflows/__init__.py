"""What one command does, from end to end."""
