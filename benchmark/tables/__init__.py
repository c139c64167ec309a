"""Tables: declared in YAML, filled from what was measured, beside what was published."""

from benchmark.tables.make import collect, finished, make, results_dir

__all__ = ["collect", "finished", "make", "results_dir"]
