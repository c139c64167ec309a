"""What is measured, and how: evaluation points, metrics, paired tests, what a model is fitted on."""
