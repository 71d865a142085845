"""From rows to statements: pandas in, pandas out."""
