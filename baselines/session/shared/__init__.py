"""What the session rivals share."""
