"""What the session baselines share."""
