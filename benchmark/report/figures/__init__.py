"""Figures of the paper from our runs: each function returns a matplotlib figure, ``style.save`` writes PDF and PNG."""
