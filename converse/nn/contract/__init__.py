"""What is asked of every operator, as named checks: one table, and what each of them does."""
