"""How fast and how large: sections of one benchmark, kept reports, their comparison and the page."""
