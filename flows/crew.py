"""Who runs the cells: this machine's processes, or the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from flows.cells import Crew, Here


@contextmanager
def hire(workers: int, dask: str | None, seconds: float | None) -> Iterator[Crew]:
    """A crew for as long as the block lasts.

    workers  cells at once on this machine
    dask     address of a Dask scheduler; None or empty: this machine
    seconds  time limit of a stage, None = none
    Raises UserError where no scheduler answers.
    """
    if not dask:
        yield Here(workers, seconds)
        return
    from flows import cluster

    with closing(cluster.Dask(dask, seconds)) as crew:
        yield crew
