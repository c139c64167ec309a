"""EMDE, illustrated: one module per picture, each computed with the suite's own code and short enough to change."""
