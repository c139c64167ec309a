"""What the top-k baselines share."""
