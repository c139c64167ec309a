"""What the density estimators of this folder have in common."""
