"""The stages of the pipelines: commands, what each depends on, what it leaves.

A stage's code is the import closure of the module that does the work, and of exactly those modules that this one loads
by name (a method, a parser): a change elsewhere makes nothing stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.data import registry
from benchmark.data.generate import GENERATORS
from benchmark.data.parsers import PARSERS
from benchmark.data.registry import FOLDER, Dataset
from benchmark.experiments import headline, methods, profiles
from benchmark.experiments.methods import Kind
from benchmark.experiments.parameters import method_file
from benchmark.experiments.profiles import GENERATED, JOIN, Listed, ablation_files
from benchmark.experiments.settings import ABLATIONS, DENSITY, PARAMS, Settings
from benchmark.pipelines.code_paths import code
from contracts import SourceKind, sources
from contracts.runtime.sources import PROJECT

COMMAND = "python -m benchmark.cli"
"""Not the installed script: a copy of the project (``dvc exp run --temp``) runs its own code."""
SPLITS = {"session": "benchmark.data.splits.sessions", "topk": "benchmark.data.splits.topk",
          "vectors": "benchmark.data.splits.vectors"}  # fmt: skip
REGISTRY = Path(registry.__file__).resolve().parent.relative_to(PROJECT).as_posix()

Keys = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Entry:
    """One stage of a dvc.yaml; paths are relative to the project.

    params   file -> keys
    persist  whether outs stay where the stage is run again
    """

    name: str
    cmd: str
    deps: Sequence[str]
    outs: Sequence[str]
    params: Keys = field(default_factory=dict)
    metrics: Sequence[str] = ()
    persist: bool = False

    def entry(self, wdir: str) -> dict[str, Any]:
        """As dvc.yaml has it."""
        params: list[Any] = list(self.params.get(PARAMS, ()))
        params += [{file: list(keys)} for file, keys in self.params.items() if file != PARAMS]
        outs = [{out: {"persist": True}} for out in self.outs] if self.persist else list(self.outs)
        fields = {"wdir": wdir, "cmd": self.cmd, "deps": _distinct(self.deps), "params": params, "outs": outs,
                 "metrics": list(self.metrics)}  # fmt: skip
        return {key: value for key, value in fields.items() if value}


def _distinct(paths: Sequence[str]) -> list[str]:
    """Sorted, each once, and none that lies in a folder among them."""
    every = set(paths)
    return sorted(path for path in every if not any(path.startswith(f"{other}/") for other in every))


def name(*parts: str) -> str:
    """The name of a stage."""
    return JOIN.join(parts)


def prepared(data: str) -> str:
    """Where the splits of a data set lie."""
    return f"data/prepared/{data}"


def data_page(data: str) -> str:
    """The page of a data set's statistics."""
    return f"{GENERATED}/data/{data}.html"


def registered(dataset: Dataset) -> str:
    """The file of a data set's registry entry."""
    own = FOLDER / f"{dataset.name}.yaml"
    return f"{REGISTRY if own.is_file() else 'data/registry'}/{dataset.name}.yaml"


def fetch(dataset: Dataset) -> Entry:
    """Download (or generate) raw files."""
    generators = {kind: cls.__module__ for kind, (cls, _) in GENERATORS.items()}
    used = [generators[dataset.generator]] if dataset.generator else []
    without = ("benchmark.data.prepare", *(module for module in generators.values() if module not in used))
    return Entry(
        name("fetch", dataset.name),
        f"{COMMAND} data fetch {dataset.name}",
        [registered(dataset), *code("benchmark.data.fetch", *used, without=without)],
        [f"data/raw/{dataset.name}"],
        persist=True,  # a broken download goes on where it stopped
    )


def prepare(dataset: Dataset) -> Entry:
    """Raw files -> splits."""
    return _prepare("prepare", dataset, f"data/raw/{dataset.name}")


def derive(dataset: Dataset) -> Entry:
    """The prepared train of another data set -> splits."""
    return _prepare("derive", dataset, prepared(dataset.source or ""))


def _prepare(kind: str, dataset: Dataset, source: str) -> Entry:
    parser = PARSERS[dataset.parser].partition(":")[0]
    without = tuple(module for of_kind, module in SPLITS.items() if of_kind != dataset.kind)
    return Entry(
        name(kind, dataset.name),
        f"{COMMAND} data prepare {dataset.name}",
        [source, registered(dataset), *code("benchmark.data.prepare", parser, without=without)],
        [prepared(dataset.name)],
    )


def page(dataset: Dataset) -> Entry:
    """The page of a data set."""
    return Entry(
        name("page", dataset.name),
        f"{COMMAND} data page {dataset.name}",
        [
            prepared(dataset.name),
            registered(dataset),
            "benchmark/report/templates/data.html",
            *code("benchmark.report.data_page"),
        ],
        [data_page(dataset.name)],
    )


def run(settings: Settings, listed: Listed) -> Entry:
    """Fit a method and rank, on all splits and seeds of a cell."""
    module = methods.module_of(listed.kind, settings.base(listed.kind, listed.method))
    layers = settings.layers(listed.kind, listed.method, listed.data)
    deps = [prepared(listed.data), *code("benchmark.experiments.run", module)]
    deps += [layer.file for layer in layers if not layer.key]  # published parameters
    if any(source.kind is SourceKind.VECTORS for layer in layers for source in sources(layer.params)):
        deps.append(f"data/vectors/{listed.data}")  # item vectors that a user added
    options = f"--method {listed.method}" + (f" --seeds {listed.seeds}" if listed.seeds > 1 else "")
    options += f" --sessions {listed.sessions}" if listed.sessions else ""
    return Entry(
        name("run", listed.data, listed.name),
        f"{COMMAND} run --data {listed.data} --split all {options} --resume --out {runs(listed)}"
        f"{_costs(listed.folder)}",
        deps,
        [runs(listed)],
        {PARAMS: ["threads", "seed", "final_fit"], **keys(settings, listed.kind, listed.method, listed.data)},
        persist=True,  # finished slices of the same code, data and parameters are not run again
    )


def _costs(path: str) -> str:
    """The option that keeps the costs of a result out of it."""
    return f" --costs {profiles.costs_of(path)}"


def runs(listed: Listed) -> str:
    """The run store of a cell."""
    return f"{listed.folder}/runs"


def evaluate(listed: Listed) -> Entry:
    """Ranked lists -> metrics."""
    files = (headline.EVALUATION, headline.UNITS, headline.AT_K, headline.LEARNING)
    return Entry(
        name("evaluate", listed.data, listed.name),
        f"{COMMAND} evaluate {runs(listed)} --out {listed.folder}{_costs(listed.folder)}",
        [runs(listed), prepared(listed.data), *code("benchmark.experiments.evaluate")],
        [f"{listed.folder}/{file}" for file in files],
        metrics=[f"{listed.folder}/{headline.METRICS}"],
    )


def density(settings: Settings, data: str) -> Entry:
    """EMDE and others as density estimators on a vector set."""
    rows = settings.density[data].methods
    modules = [methods.module_of("density", settings.base("density", row)) for row in rows]
    params = {PARAMS: ["threads", "seed"], DENSITY: [data]}
    for row in rows:
        params |= keys(settings, "density", row, "")
    return Entry(
        name("density", data),
        f"{COMMAND} density --data {data} --out {profiles.density_file(data)}{_costs(profiles.density_file(data))}",
        [prepared(data), *code("benchmark.experiments.density", "benchmark.experiments.parameters", *modules)],
        [profiles.density_file(data)],
        params,
    )


def ablate(settings: Settings, data: str, cell: str) -> Entry:
    """One change of a data set's base model."""
    base, _ = settings.ablations.of(data, cell)
    module = methods.module_of("session", settings.base("session", base.method))
    declared = {ABLATIONS: [f"base.{data}", f"cells.{cell}"], **keys(settings, "session", base.method, "")}
    return Entry(
        name("ablate", data, cell),
        f"{COMMAND} ablate --data {data} --cell {cell}{_costs(ablation_files(data, cell)[0])}",
        [prepared(data), *code("benchmark.experiments.ablations.ablate", "benchmark.experiments.parameters", module)],
        ablation_files(data, cell),
        {PARAMS: ["threads", "seed"], **declared},
    )


def keys(settings: Settings, kind: Kind, row: str, data: str) -> dict[str, list[str]]:
    """The file of a row and the keys in it that decide its parameters on a data set; only those that are there."""
    declared = settings.methods.get(kind, {}).get(row)
    if declared is None:
        return {}
    present: list[str] = [key for key in ("base", "like", "params", "source") if key in declared.model_fields_set]
    present += [f"tuned.{data}"] if data in declared.tuned else []
    below = keys(settings, kind, declared.like, data) if declared.like else {}
    return below | ({method_file(kind, row): present} if present else {})
