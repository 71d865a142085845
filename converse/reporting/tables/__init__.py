"""What each table says, as a sheet that every writer of pages can show."""
