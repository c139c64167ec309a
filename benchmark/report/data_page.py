"""The page of a data set: where it is from, what was counted beside what was expected, how it is distributed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from benchmark.data import checksums, paths, registry
from benchmark.data.load import VectorSet, load_split
from benchmark.data.registry import Dataset
from benchmark.data.root import project_root
from benchmark.data.statistics import stats
from benchmark.report.data_plots import plots
from contracts.runtime.files import write_whole
from contracts.runtime.json import read_json

MEANING = {
    "paper": "the paper's own data and protocol",
    "public": "a public split: compare with what others published for it, not with the paper",
    "generated": "Generated data: nothing here is comparable with the paper.",
}


def write(name: str, out: Path | None = None) -> Path:
    """Write the page (default: results/generated/data/NAME.html) and return its path.

    Raises UserError where the data set is not prepared, or its statistics are not the expected ones.
    """
    dataset = registry.get(name)
    target = out or project_root() / "results/generated/data" / f"{dataset.name}.html"
    return write_whole(target, page(dataset.name), "the page")


def page(name: str) -> str:
    """One self-contained HTML page: no script, nothing loaded from elsewhere."""
    dataset = registry.get(name)
    statistics = stats(name)
    order = sorted(dataset.splits + dataset.more_splits, key=lambda split: split != dataset.default_split)
    opened = [load_split(name, split) for split in order if dataset.kind == "session" or split == order[0]]
    environment = Environment(loader=PackageLoader("benchmark.report"), autoescape=select_autoescape())
    environment.globals["number"] = number
    first = opened[0]
    return environment.get_template("data.html").render(
        dataset=dataset,
        meaning=MEANING[dataset.comparable],
        files=files(dataset),
        tables=tables(dataset, statistics),
        repairs=repairs(name, order[0]),
        protocol=first.meta["protocol"],
        times=first.meta.get("times"),
        plots=plots(opened),
        vectors=vectors_line(first) if isinstance(first, VectorSet) else None,
    )


def files(dataset: Dataset) -> list[dict[str, Any]]:
    """Every raw file: as registered, completed by what was recorded when it was first fetched."""
    rows = []
    for file in dataset.files:
        for member in file.unpack or (file.name,):
            known = file if member == file.name else registry.File(name=member)
            known = checksums.enforced(dataset.name, known)
            local = paths.raw_dir(dataset.name) / member
            size = known.size if known.size is not None else (local.stat().st_size if local.exists() else None)
            source = "registered" if file.sha256 and member == file.name else "recorded at the first fetch"
            checksum = known.sha256 or read_json(paths.prepared_dir(dataset.name) / "dataset.json")["raw"].get(member)
            if not known.sha256:
                source = "of the file read"
            inside = "" if member == file.name else f"in {file.name}; "
            rows.append(
                {"name": member, "urls": file.urls, "size": size, "sha256": checksum, "from": source,
                 "what": inside + file.what}
            )  # fmt: skip
    return rows


def repairs(name: str, split: str) -> dict[str, Any]:
    """What the parser counted, repaired or left out."""
    meta = read_json(paths.split_dir(name, split) / "split.json")
    return meta["repairs"]


def tables(dataset: Dataset, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Statistics as grids: rows are statistics, columns splits, a cell is (found, expected or None)."""
    splits: dict[str, Any] = found["splits"]
    whole = {"all data, before any filter": found["raw"]}
    if found["mean"]["found"]:
        whole["mean over the slices"] = found["mean"]
    main = {split: splits[split] for split in splits if not split.endswith(":valid")}
    tuning = {split: splits[split] for split in splits if split.endswith(":valid")}
    titles = {"Whole data": whole, "Splits": main, "Validation splits, for tuning": tuning}
    return [grid(title, parts) for title, parts in titles.items() if parts]


def grid(title: str, parts: dict[str, Any]) -> dict[str, Any]:
    """One table; a statistic that a column lacks is None."""
    keys = list(dict.fromkeys(key for part in parts.values() for key in (*part["found"], *part["expected"])))
    rows = [(key, [(part["found"].get(key), part["expected"].get(key)) for part in parts.values()]) for key in keys]
    expected = any(part["expected"] for part in parts.values())
    return {"title": title, "columns": list(parts), "rows": rows, "expected": expected}


def number(value: Any) -> str:
    """A count with thousands separated, a mean as it is, a dash where there is nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.4f}".rstrip("0")


def vectors_line(split: VectorSet) -> str:
    """A set of vectors in one line."""
    norms = np.linalg.norm(split.vectors, axis=1)
    parts = [f"{len(split.vectors):,} points x {split.vectors.shape[1]} dimensions"]
    parts.append(f"norm {norms.min():.3g} to {norms.max():.3g}, median {np.median(norms):.3g}")
    parts.append("no labels" if split.labels is None else f"{len(np.unique(split.labels))} labels")
    if split.density is not None:
        parts.append(f"true density {split.density.min():.3g} to {split.density.max():.3g}")
    return "; ".join(parts) + "."
