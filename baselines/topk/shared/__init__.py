"""What the top-k rivals share."""
