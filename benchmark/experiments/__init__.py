"""What is run: settings, methods, runs and their store, evaluation, density estimation, searches, ablations."""
