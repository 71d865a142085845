"""What a report says, chapter by chapter: which tables and figures stand together, and the sentences about them."""
