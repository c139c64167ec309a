"""One change of a base model each: the grid as declared, and its cells."""
