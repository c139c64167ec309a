"""Kept runs as rows: where a method was kept with several settings on one data set, each setting is a row of its own.

The row with the method's own name has the settings of params.yaml; the others say in brackets what differs, as in
``vs-knn [k=1000, weighting=div]``. Where no run has params.yaml's settings, the only one on all of train has the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmark.report.kept import settings_of
from contracts.runtime.json import to_json

SHOWN = 4
"""Differences that a name says; the rest is counted."""
Result = dict[str, Any]
Current = Callable[[Mapping[str, Any]], bool]


def base(name: str) -> str:
    """The method of a row's name."""
    return name.partition(" [")[0]


def rows(results: Iterable[Result], current: Current) -> dict[tuple[str, str], list[Result]]:
    """(data, name of the row) -> results of emde evaluate.

    current  whether a run's run.json has the settings of params.yaml
    """
    cells: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        cells.setdefault((result["run"]["data"], result["run"]["method"]), []).append(result)
    return {
        (data, name): rows_
        for (data, method), of_method in cells.items()
        for name, rows_ in _named(method, _by_setting(of_method), current)
    }


def _by_setting(results: Sequence[Result]) -> list[list[Result]]:
    """The results, those of one setting together. Equal records need no look at the method's class."""
    alike: dict[str, list[Result]] = {}
    for result in results:
        run = result["run"]
        params = {name: value for name, value in run["params"].items() if name not in ("seed", "device")}
        known = to_json([params, run.get("sessions"), run.get("final_fit")], sort_keys=True)
        alike.setdefault(known, []).append(result)
    if len(alike) == 1:
        return list(alike.values())
    out: dict[str, list[Result]] = {}
    for of_setting in alike.values():
        out.setdefault(to_json(settings_of(of_setting[0]["run"]), sort_keys=True), []).extend(of_setting)
    return list(out.values())


def _named(method: str, settings: Sequence[list[Result]], current: Current) -> list[tuple[str, list[Result]]]:
    if len(settings) == 1:
        return [(method, settings[0])]
    whole = [results for results in settings if not results[0]["run"].get("sessions")]
    asked = [results for results in whole if current(results[0]["run"])] or whole
    own = asked[0] if len(asked) == 1 else None
    flat = [_flat(results[0]["run"]) for results in settings]
    against = _flat(own[0]["run"]) if own else {}
    varying = [name for name in dict.fromkeys(n for f in flat for n in f) if len({f.get(name) for f in flat}) > 1]
    out: dict[str, list[Result]] = {}
    for results, values in zip(settings, flat, strict=True):
        differing = [name for name in varying if own is None or values.get(name) != against.get(name)]
        words = [f"{name}={values[name]}" for name in differing if name in values]
        name = method if results is own else _name(method, words, SHOWN)
        if name in out:
            name = _name(method, words, len(words))
        out[name] = results
    return sorted(out.items(), key=lambda row: (row[0] != method, row[0]))


def _name(method: str, words: Sequence[str], shown: int) -> str:
    more = [f"{len(words) - shown} more"] if len(words) > shown else []
    return f"{method} [{', '.join([*words[:shown], *more])}]"


def _flat(run: Mapping[str, Any]) -> dict[str, str]:
    """Every setting as a word; a slash parts the fields of a run's key, so none stays in it."""
    of_run = settings_of(run)
    params = of_run.pop("params")
    values = {**{name: value for name, value in of_run.items() if value is not None}, **params}
    return {name: _word(value).replace("/", ":") for name, value in values.items()}


def _word(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(_word(part) for part in value)
    if isinstance(value, dict):
        parts = [_word(part) for name, part in value.items() if name != "seed"]
        return " ".join([*parts, f"seed {value['seed']}"] if value.get("seed") else parts)
    return str(value)
