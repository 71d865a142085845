"""How long operators and networks take and how much memory, measured turn by turn."""
