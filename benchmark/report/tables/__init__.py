"""Tables: declared in YAML, filled from what was measured, beside what was published."""

from benchmark.report.tables.choose import Choice
from benchmark.report.tables.latex import PageLayout
from benchmark.report.tables.make import collect, finished, make

__all__ = ["Choice", "PageLayout", "collect", "finished", "make"]
