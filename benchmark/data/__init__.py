"""Data sets: registered, fetched, prepared, split, loaded, described; generated ones and those of users."""
