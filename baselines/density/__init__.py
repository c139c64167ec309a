"""Density estimators beside EMDE: one file each."""
