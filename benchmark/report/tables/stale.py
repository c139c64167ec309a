"""Whether a measured row is what params.yaml asks for now: tables may be made long after the runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.data import paths
from benchmark.experiments import run_store
from benchmark.experiments.ablations.grid import parameters
from benchmark.experiments.settings import Settings
from benchmark.protocol.train_sets import FinalFit
from contracts import Estimator, UserError
from contracts.runtime.json import read_json, to_json

Params = Mapping[str, Any]
APART = ("seed", "device", "h")
"""Parameters that are compared elsewhere (seed, h) or decide nothing that is stored (device)."""
BY_HAND = "command line"
"""params_source of runs whose parameters were given by hand: they never were params.yaml's."""


@dataclass(frozen=True)
class Stale:
    """Compares records with params.yaml.

    profile  the profile whose seeds and train sessions are asked for and whose data lie here;
             None for kept results, which name their own
    """

    settings: Settings
    profile: str | None

    def current(self, record: Params) -> bool:
        """Whether a run has the parameters of params.yaml for its method and data set."""
        return not self._parameters(record)

    def runs(self, data: str, method: str, records: Sequence[Params]) -> str:
        """Why the runs of a row are stale; empty where they are what is asked for."""
        if not records:
            return ""
        reasons = [reason for record in records if (reason := self._of_run(record))]
        return next(iter(reasons), "") or self._seeds(data, method, records)

    def _of_run(self, record: Params) -> str:
        if record.get("params_source") == BY_HAND or record.get("imported"):
            return ""
        return self._parameters(record) or (self._made_from(record) if self.profile else "")

    def _parameters(self, record: Params) -> str:
        try:
            model = _asked(self.settings, record)
        except UserError:
            return f"params.yaml has no {record['kind']} method {record['method']}"
        return differences(record["params"], model)

    def _made_from(self, record: Params) -> str:
        """Train sessions, final fit and prepared data, which a profile's own runs share with what lies here."""
        cell = self.settings.cells(self.profile or "").get((record["data"], record["method"]))
        if cell is None:
            return ""
        if (sessions := record.get("sessions")) != cell.sessions:
            return f"fitted on {_sessions(sessions)}, the profile asks {_sessions(cell.sessions)}"
        wanted: FinalFit = self.settings.final_fit if record["split"] == "cold-user" else "train"
        if (fitted := record.get("final_fit") or wanted) != wanted:
            return f"fitted on {fitted}, params.yaml asks {wanted}"
        path = paths.split_dir(record["data"], record["split"]) / "split.json"
        columns = record.get("data_hashes", {}).get("columns")
        if columns and path.is_file() and not run_store.same_columns(columns, read_json(path)["columns"]):
            return "made from other data than the prepared"
        return ""

    def _seeds(self, data: str, method: str, records: Sequence[Params]) -> str:
        if self.profile is None:
            return ""
        cell = self.settings.cells(self.profile).get((data, method))
        found = {record.get("seed") for record in records} - {None}
        if cell is None or not found:
            return ""
        wanted = set(self.settings.seeds(records[0]["kind"], method, self.settings.seed, cell.seeds))
        return "" if found == wanted else f"seeds {_listed(found)}, params.yaml asks {_listed(wanted)}"

    def density(self, result: Params, row: Params) -> str:
        """Why a row of Table 5 is stale."""
        data, name = result["data"], row["method"]
        if data not in self.settings.density:
            return f"params.yaml has no density of {data}"
        chosen = self.settings.density[data]
        pairs = {"bandwidth": (result["rule"], chosen.bandwidth_rule),
                 "normalisation": (result["normalisation"], chosen.normalisation)}  # fmt: skip
        for what, (found, wanted) in pairs.items():
            if found != wanted:
                return f"{what} {found}, params.yaml asks {wanted}"
        try:
            model = self.settings.density_estimator(name, result["h"], self.settings.seed)
        except UserError:
            return f"params.yaml has no density method {name}"
        seeds, wanted_seeds = len(row["pearson"]["seeds"]), chosen.seeds if "seed" in type(model).model_fields else 1
        if seeds != wanted_seeds:
            return f"{seeds} seeds, params.yaml asks {wanted_seeds}"
        return differences(row["params"], model)

    def ablation(self, level: Params) -> str:
        """Why a level of the ablations is stale; what was compared before levels held parameters cannot be judged."""
        grid = self.settings.ablations
        if level["data"] not in grid.base or level["cell"] not in grid.cells:
            return f"params.yaml has no ablation {level['cell']} of {level['data']}"
        if "params" not in level:
            return ""
        base, cell = grid.of(level["data"], level["cell"])
        if level["seeds"] != base.seeds:
            return f"{level['seeds']} seeds, params.yaml asks {base.seeds}"
        found, wanted = level["params"], parameters(base, cell)
        names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        return "; ".join(f"{n} {_short(found.get(n))}, params.yaml asks {_short(wanted.get(n))}" for n in names)


def again(settings: Settings, record: Params) -> str:
    """The command line that makes a run of a record now: its own, and ``--set`` for what params.yaml no longer asks.

    Empty where none was recorded. What is no parameter now, or no method, cannot be said: then its own.
    """
    command: str = record.get("command", "")
    if not command or record.get("imported"):
        return command
    try:
        model = _asked(settings, record)
    except UserError:
        return command
    words = shlex.split(command)
    changed = {name: was for name, (was, now) in _changed(record["params"], model).items()
               if now is not None and not any(word.startswith(f"{name}=") for word in words)}  # fmt: skip
    sets = [f"--set {shlex.quote(f'{name}={to_json(was, compact=True)}')}" for name, was in changed.items()]
    return " ".join([command, *sets])


def _asked(settings: Settings, record: Params) -> Estimator:
    """What params.yaml asks of a record's method on its data; raises UserError where it has no such method."""
    return settings.recommender(record["kind"], record["method"], record["data"], {}, record.get("seed"), "cpu")


def differences(found: Params, model: Estimator) -> str:
    """Parameters of a record that are not those of a model: ``lr 0.1, params.yaml asks 0.004``; empty where none.

    A parameter that the record does not know was added later, with what was done before as its default.
    """
    return "; ".join(
        f"{name} {_short(was)}, {'which is no parameter now' if now is None else f'params.yaml asks {_short(now[0])}'}"
        for name, (was, now) in _changed(found, model).items()
    )


def _changed(found: Params, model: Estimator) -> dict[str, tuple[Any, tuple[Any] | None]]:
    """Name -> (the record's value, (the model's,)), None in place of the latter for what is no parameter now."""
    wanted = model.model_dump(mode="json")
    before = {**type(model)().model_dump(mode="json"), **found}
    return {
        name: (was, (wanted[name],) if name in wanted else None)
        for name, was in before.items()
        if name not in APART and (name not in wanted or was != wanted[name])
    }


def _short(value: Any) -> str:
    text = to_json(value) if isinstance(value, list | dict | bool) or value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _sessions(count: int | None) -> str:
    return f"{count:,} sessions" if count else "all of train"


def _listed(values: set[Any]) -> str:
    return ", ".join(map(str, sorted(values)))
