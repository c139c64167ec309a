"""Kept results: the one format of everything below ``results/reported``.

    results/reported/<name>/<data>.jsonl    one record a line, sorted; <data>.2.jsonl, ... where a file would be large
    results/reported/<name>/bench.jsonl     the same for reports of ``make bench``, which belong to no data set
    results/reported/<name>/units/          values per session or user of the runs (``benchmark.report.units``)

A record is {"kind", "schema", ...}; the lists themselves are not kept:

    run        what ``emde evaluate`` says of one run: run (its run.json), metrics, intervals, masked, ties, breakdown,
               examples; null where an older record did not hold them
    test       paired tests of one row against another: data, splits, method, against, lists (lists_sha256 of the
               runs of both, by which they are found again), metrics: name -> difference, low, high, effect, units,
               t_p, wilcoxon_p (not corrected: Holm's correction belongs to the table that shows them)
    density    result: what ``emde density`` writes, one data set
    ablation   levels of one data set as ``emde ablations`` compared them, with main (the metric) and profile
    cell       result: what ``emde ablate`` writes, one cell
    search     result: what ``emde search`` writes, one study
    bench      result: a report of ``make bench``
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.data.root import project_root
from benchmark.experiments import methods
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import from_json, to_json

REPORTED = "results/reported"
SCHEMA = 1
KINDS = ("run", "test", "density", "ablation", "cell", "search", "bench")
LARGEST = 900_000
"""Bytes of a file, about."""
Record = dict[str, Any]
Key = tuple[str, ...]


def record(kind: str, content: Mapping[str, Any]) -> Record:
    """A record of this version of the format."""
    return {"kind": kind, "schema": SCHEMA, **content}


def settings_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run's setting, from its run.json: parameters less seed and device, train sessions, final fit.

    A parameter that was added after the run has its default, which is what was done before.
    """
    try:
        defaults = methods.find(run["kind"], run.get("base") or run["method"])().model_dump(mode="json")
    except UserError:  # a method that is no longer here
        defaults = {}
    params = {name: value for name, value in {**defaults, **run["params"]}.items() if name not in ("seed", "device")}
    return {"params": params, "sessions": run.get("sessions"), "final_fit": run.get("final_fit") or "train"}


class RunName(NamedTuple):
    """What a run is of, in writing ``data/method/split/seed``; the seed is - where there is none."""

    data: str
    method: str
    split: str
    seed: str

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> RunName:
        """That of a run's run.json."""
        seed = "-" if run.get("seed") is None else str(run["seed"])
        return cls(run["data"], run["method"], run["split"], seed)

    @classmethod
    def parse(cls, text: str) -> RunName:
        """What ``str`` wrote."""
        return cls(*text.split("/"))

    def __str__(self) -> str:
        return "/".join(self)


def data_of(found: Mapping[str, Any]) -> str:
    """The data set of a record, and the name of its file; ``bench`` for reports of make bench."""
    if found["kind"] == "bench":
        return "bench"
    holder = found if found["kind"] in ("test", "ablation") else found["run" if found["kind"] == "run" else "result"]
    return str(holder["data"])


def key(found: Mapping[str, Any]) -> Key:
    """What a record is of: of two with the same key the newer one counts."""
    kind = found["kind"]
    if kind == "run":
        params, sessions = found["run"]["params"], found["run"].get("sessions")
        parts = [*RunName.of(found["run"]), _short([params, sessions, found["run"].get("final_fit")])]
    elif kind == "test":
        parts = [found["data"], found["method"], found["against"], "+".join(found["splits"]), _short(found["lists"])]
    elif kind == "cell":
        parts = [found["result"]["data"], found["result"]["cell"]]
    elif kind == "search":
        study = found["result"]
        parts = [study["data"], study["method"], study["split"]]
        parts += [_short([study.get(name) for name in ("points", "train", "fixed")])]
    else:
        parts = [data_of(found), found["result"]["time"] if kind == "bench" else ""]
    return str(KINDS.index(kind)), *map(str, parts)


def _short(content: Any) -> str:
    return hashlib.sha256(to_json(content, sort_keys=True).encode()).hexdigest()[:12]


def files(folder: Path) -> list[Path]:
    """The files of records in a folder."""
    return sorted(folder.glob("*.jsonl"))


def folders(given: str | Path | Sequence[str | Path]) -> list[Path]:
    """Folders of kept results from their names below ``results/reported`` (``public``), or as they are given."""
    each = [given] if isinstance(given, str | Path) else given
    return [Path(place) if Path(place).is_dir() else project_root() / REPORTED / place for place in each]


def read(folder: Path) -> list[Record]:
    """Every record of a folder, sorted by ``key``; none where it has no files of records.

    Raises UserError naming file, line, expected and found for anything else than records.
    """
    records = []
    for path in files(folder):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            records.append(_parsed(text, f"{path}: line {number}"))
    return sorted(records, key=key)


def _parsed(text: str, where: str) -> Record:
    try:
        record = from_json(text, where)
        kind, schema = record["kind"], record["schema"]
        if kind not in KINDS or schema != SCHEMA:
            raise UserError(
                f"{where}: expected a kept record of schema {SCHEMA} and kind {', '.join(KINDS)}; "
                f"found schema {schema}, kind {kind!r}"
            )
        key(record)
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{where}: expected a kept record (emde keep), found none: no {error}") from None
    return dict(record)


def write(folder: Path, records: Iterable[Record]) -> list[Path]:
    """Write the records of a folder, sorted; files that are no longer needed go. Returns the files."""
    of_data: dict[str, list[str]] = {}
    for one in sorted(records, key=key):
        line = to_json(one, "a kept record", compact=True) + "\n"
        of_data.setdefault(data_of(one), []).append(line)
    written = []
    for data, lines in sorted(of_data.items()):
        for number, part in enumerate(_parts(lines), 1):
            name = f"{data}.jsonl" if number == 1 else f"{data}.{number}.jsonl"
            written.append(write_whole(folder / name, "".join(part), "the kept results"))
    for path in files(folder):
        if path not in written:
            path.unlink()
    return written


def _parts(lines: Sequence[str]) -> list[list[str]]:
    """The lines in order, as many together as make a file of ``LARGEST`` bytes."""
    parts: list[list[str]] = [[]]
    size = 0
    for line in lines:
        length = len(line.encode())
        if parts[-1] and size + length > LARGEST:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += length
    return parts


def merged(old: Sequence[Record], new: Sequence[Record], replace: bool = False) -> list[Record]:
    """Old records with new ones in their places; tests of runs that are gone go as well.

    replace  old runs and searches of the data, method and split of a new one go, whatever their parameters
    """
    gone = {_method_of(record) for record in new if record["kind"] in ("run", "search")} if replace else set()
    together = {key(record): record for record in old if _method_of(record) not in gone}
    for record in new:
        together = {k: other for k, other in together.items() if not same(record, other)} | {key(record): record}
    runs = [record["run"] for record in together.values() if record["kind"] == "run"]
    lists = {(run["data"], run["lists_sha256"]) for run in runs}
    return [
        record
        for record in together.values()
        if record["kind"] != "test" or all((record["data"], name) in lists for side in record["lists"] for name in side)
    ]


def same(new: Record, old: Record) -> bool:
    """Whether a record takes the place of another: the same key, or runs of one cell that differ in form only."""
    if key(new) == key(old):
        return True
    if new["kind"] != "run" or old["kind"] != "run" or RunName.of(new["run"]) != RunName.of(old["run"]):
        return False
    return settings_of(new["run"]) == settings_of(old["run"])


def _method_of(found: Mapping[str, Any]) -> Key | None:
    """Kind, data, method, split of a run or a search."""
    holder = found.get("run") if found["kind"] == "run" else found.get("result")
    if found["kind"] not in ("run", "search") or holder is None:
        return None
    return found["kind"], holder["data"], holder["method"], holder["split"]
