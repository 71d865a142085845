"""What a report is made from: stores read into frames, what numbers rest on, networks, and the commands that repeat."""
