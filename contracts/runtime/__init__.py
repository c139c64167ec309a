"""What runs need on any floor: files written whole, checkpoints, devices, threads, progress, cached values."""
