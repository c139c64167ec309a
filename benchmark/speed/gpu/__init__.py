"""Everything that is measured on a GPU, in one command for a machine that is lent for minutes."""
