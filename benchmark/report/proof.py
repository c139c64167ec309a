"""What a second run of the default profile is compared with: ``dvc.lock``, and proof.json beside it.

On the kind of processor that proof.json names, with its torch, a second run leaves dvc.lock as it is
(``make proof``). Other processors round otherwise: there the values of proof.json hold within tolerances
(``emde verify --lock``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmark.data.root import project_root
from benchmark.experiments import environment, headline, methods
from benchmark.experiments.profiles import DEFAULT, ablation_files, density_file
from benchmark.experiments.settings import PARAMS, Settings, load
from contracts import UserError
from contracts.runtime.json import read_json, write_json

FILE, LOCK = "proof.json", "dvc.lock"
EXACT, SEEDED, ONE_SEED = 1e-6, 0.02, 0.055
"""Tolerances of values: of methods that draw nothing, of means over seeds, and of a single seed, which another
processor's rounding moves as another seed does: four standard deviations of the difference of two seeds
(Recall@20 of emde-mm on sample-ratings, six seeds: standard deviation .0097)."""
Values = dict[str, float]


def record(root: Path) -> None:
    """Write proof.json of a checkout: the kind of this machine, and all values of its finished default profile."""
    present = {name: value for name, value, _ in values(load(root / PARAMS), root) if value is not None}
    write_json(root / FILE, {**_here(), "values": present})


def _here() -> dict[str, str | None]:
    """What decides how sums are rounded, but for the pinned packages: torch is installed by hand."""
    return {"processor": _processor(), "torch": environment.package_version("torch")}


def _processor() -> str:
    """Its name, with family and model where the system says them: virtual machines share names."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return environment.processor()
    said = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts = [f"{name} {said[name]}" for name in ("cpu family", "model", "stepping") if name in said]
    return ", ".join([environment.processor(), *parts])


def same_machine(root: Path) -> bool:
    """Whether this machine is of the kind that made the committed lock."""
    path = root / FILE
    return path.is_file() and _here().items() <= read_json(path).items()


def values(settings: Settings, root: Path) -> Iterator[tuple[str, float | None, float]]:
    """(name, value, tolerance) of everything that the default profile measures; None where it was not run."""
    profile = settings.profile(DEFAULT)
    for cell in profile.cells.values():
        path = root / cell.folder / headline.METRICS
        of_cell = read_json(path) if path.is_file() else dict.fromkeys(headline.HEADLINE[cell.kind])
        seeded = "seed" in methods.find(cell.kind, settings.base(cell.kind, cell.method)).model_fields
        tolerance = EXACT if not seeded else SEEDED if cell.seeds > 1 else ONE_SEED
        for metric, value in of_cell.items():
            yield f"{cell.data}/{cell.name} {metric}", value, tolerance
    for data in profile.density:
        path = root / density_file(data)
        rows = {row["method"]: row for row in read_json(path)["rows"]} if path.is_file() else {}
        for method in settings.density[data].methods:
            yield f"{data}/{method} Pearson", rows[method]["pearson"]["mean"] if method in rows else None, SEEDED
    for data, name in settings.ablation_cells(DEFAULT):
        path = root / ablation_files(data, name)[0]
        for decoder, metrics in (read_json(path).get("results", {}) if path.is_file() else {}).items():
            for metric, of_seeds in metrics.items():
                yield f"{data}/{name}/{decoder} {metric}", sum(of_seeds) / len(of_seeds), SEEDED


def verify(settings: Settings) -> dict[str, Any]:
    """Every value against that of proof.json: {"made_on", "here", "values", "failed": counts, "differences": lines}.

    Raises UserError where there is no proof.json.
    """
    root = project_root()
    try:
        proof = read_json(root / FILE)
    except FileNotFoundError:
        raise UserError(f"{root / FILE}: expected the values of the committed {LOCK}, found no such file") from None
    wanted: Values = dict(proof["values"])
    lines = []
    for name, value, tolerance in values(settings, root):
        expected = wanted.pop(name, None)
        if value is None:
            lines.append(f"{name}: expected {expected}, found nothing: not run (make repro)")
        elif expected is None:
            lines.append(f"{name}: found {value:.6f}, which {FILE} does not have (make proof RENEW=1)")
        elif abs(value - expected) > tolerance:
            lines.append(f"{name}: expected {expected:.6f} +- {tolerance:g}, found {value:.6f}")
    lines += [f"{name}: expected {expected:.6f}, found no such value" for name, expected in wanted.items()]
    machines = {"made_on": {name: proof.get(name) for name in _here()}, "here": _here()}
    return {**machines, "values": len(proof["values"]), "differences": lines, "failed": len(lines)}


def differences(old: Path, new: Path) -> list[str]:
    """One line per stage whose outputs two locks name with other hashes though its inputs are the same."""
    before, after = _stages(old), _stages(new)
    lines = []
    for name, stage in after.items():
        known = before.get(name)
        if known is None or any(known.get(part) != stage.get(part) for part in ("cmd", "deps", "params")):
            continue
        hashes = {out["path"]: out["md5"] for out in known["outs"]}
        changed = [out["path"] for out in stage["outs"] if hashes.get(out["path"]) != out["md5"]]
        lines += [f"{name}: {path}: another hash, from the same inputs" for path in changed]
    return lines


def stale(old: Path, new: Path) -> list[str]:
    """One line per stage that two locks do not describe alike."""
    before, after = _stages(old), _stages(new)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{name}: {', '.join(_parts(before.get(name), after.get(name)))}" for name in names]


def _stages(lock: Path) -> dict[str, Any]:
    return yaml.load(lock.read_bytes(), yaml.CSafeLoader)["stages"]


def _parts(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    if before is None or after is None:
        return ["only in one of them"]
    return [part for part in {**before, **after} if before.get(part) != after.get(part)]
