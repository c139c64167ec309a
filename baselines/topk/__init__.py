"""Top-k recommenders beside EMDE: one file each."""
