"""Session-based recommenders beside EMDE: one file each."""
