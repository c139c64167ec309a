"""Hyper-parameter search on validation data: spaces, trials, what they found."""
