"""Raw files that are taken as they are (``emde data fetch NAME --as-is``): stand-ins, or copies that somebody altered.

A mark among the raw files says so. Nothing is checked against the registry, and every split, run and table made from
them says it.
"""

from __future__ import annotations

from benchmark.data import paths, registry
from benchmark.data.registry import Dataset
from contracts.runtime.json import write_json

MARK = "as-is.json"
STATED = "files taken as they are: neither checksums nor statistics are verified"
"""What is said of the data wherever they are shown (``approximate``)."""


def mark(name: str) -> None:
    """Say that the raw files are to be taken as they are."""
    write_json(paths.raw_dir(name) / MARK, {"as is": [file.name for file in registry.get(name).files]})


def taken(name: str) -> bool:
    """Whether the raw files of a data set, or of the one it is made from, are taken as they are."""
    source = registry.get(name).source
    return taken(source) if source else (paths.raw_dir(name) / MARK).is_file()


def judged(name: str) -> Dataset:
    """The registry's entry; of files taken as they are without expected statistics, and saying so."""
    dataset = registry.get(name)
    if not taken(name):
        return dataset
    stated = "; ".join(filter(None, (dataset.approximate, STATED)))
    return dataset.model_copy(update={"expected": {}, "approximate": stated})


def said(approximate: str | None) -> bool:
    """Whether what a run's record says of its data is that they were taken as they are."""
    return STATED in (approximate or "")
