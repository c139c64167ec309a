"""The ``emde data`` commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.errors import UserError
from contracts.source import Source, SourceKind


def add_commands(parts: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add every ``emde data`` command to ``parts``; ``add`` makes a parser with the common options."""
    add("list", data_list, "every data set: kind, splits, what is here", parts)
    for name, handler, text in (
        ("fetch", data_fetch, "download (or generate) raw files, checked against their checksums"),
        ("prepare", data_prepare, "parse, split, check statistics; fetches first what is missing"),
    ):
        child = add(name, handler, text, parts)
        child.add_argument("names", nargs="+", metavar="NAME")
        child.add_argument("--offline", action="store_true", help="never use the network")
        child.add_argument("--as-is", action="store_true", help="take files unverified: stand-ins, altered copies")
    add("stats", data_stats, "statistics of every split beside the expected values", parts).add_argument("name")
    page = add("page", data_page, "one HTML page: source, files, statistics beside the expected, distributions", parts)
    page.add_argument("name")
    page.add_argument("--out", type=Path, metavar="FILE", help="default: results/generated/data/NAME.html")
    export = add("export", data_export, "write every split in session-rec's tab-separated files", parts)
    export.add_argument("name")
    export.add_argument("--format", default="session-rec")
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    own = add("add", data_add, "register your own sessions, ratings, or item vectors for a data set", parts)
    own.add_argument("name", help="name of the new data set (with --vectors: of an existing one)")
    source = own.add_mutually_exclusive_group(required=True)
    source.add_argument("--sessions", type=Path, metavar="FILE", help="csv, tsv, txt, parquet, or an SR-GNN folder")
    source.add_argument("--ratings", type=Path, metavar="FILE", help="csv, tsv, txt or parquet")
    source.add_argument("--vectors", metavar="NAME=FILE", help="item vectors [n, d] as .npy; needs --ids")
    own.add_argument("--ids", type=Path, metavar="FILE", help="raw item ids of the vectors, one per line")
    own.add_argument(
        "--columns", nargs="+", default=[], metavar="ROLE=COLUMN", help="session=, item=, time=, user=, rating="
    )
    own.add_argument("--test-days", metavar="DAYS", help="sessions: the last days that test (default: 1)")
    own.add_argument("--min-support", metavar="N", help="sessions: events an item needs (default: 5)")
    own.add_argument("--heldout-users", metavar="N", help="ratings: test users (default: a tenth)")
    own.add_argument("--positive", metavar="X", help="ratings: the least that is a positive (default: 4)")
    own.add_argument("--attributes", type=Path, metavar="FILE", help="csv with columns item, token")


def data_list(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data import paths, registry

    rows = []
    for name in registry.names():
        dataset = registry.get(name)
        prepared = paths.prepared_dir(name).is_dir()
        here = "prepared" if prepared else "fetched" if paths.raw_dir(name).is_dir() else ""
        splits = [*dataset.splits, *dataset.more_splits]
        row = {"name": name, "kind": dataset.kind, "comparable": dataset.comparable, "splits": splits}
        by_hand = dataset.manual and not all(file.urls for file in dataset.files)
        here = here or ("by hand" if by_hand else "no")
        rows.append({**row, "prepared": prepared, "here": here, "title": dataset.title})
    return {"data": rows}


def data_fetch(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.fetch import fetch

    return {"fetched": {name: str(fetch(name, offline=args.offline, as_they_are=args.as_is)) for name in args.names}}


def data_prepare(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.fetch import fetch
    from benchmark.data.prepare import prepare

    out = {}
    for name in args.names:
        fetch(name, offline=args.offline, as_they_are=args.as_is)
        out[name] = str(prepare(name))
    return {"prepared": out}


def data_stats(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.statistics import stats

    return stats(args.name)


def data_page(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.report import data_page

    return {"written": str(data_page.write(args.name, args.out))}


def data_export(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.export import export

    return {"written": [str(path) for path in export(args.name, args.out, args.format)]}


OF_KIND = {
    "vectors": {"ids"},
    "sessions": {"columns", "attributes", "test_days", "min_support"},
    "ratings": {"columns", "attributes", "heldout_users", "positive"},
}
"""What each kind of own data takes."""


def data_add(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data import add, paths

    kind = next(kind for kind in OF_KIND if getattr(args, kind) is not None)
    for option in sorted(set().union(*OF_KIND.values()) - OF_KIND[kind]):
        if getattr(args, option):
            raise UserError(f"--{option.replace('_', '-')}: expected no such option with --{kind}")
    if kind == "vectors":
        name, file = pair("--vectors", args.vectors)
        if args.ids is None:
            raise UserError("--vectors: expected --ids FILE with the raw item ids of the rows, found none")
        return {
            "added": str(add.add_vectors(args.name, name, Path(file), args.ids)),
            "modality": str(Source(SourceKind.VECTORS, name)),
        }
    files = {"columns": dict(pair("--columns", text) for text in args.columns) or None, "attributes": args.attributes}
    numbers = {
        "test_days": number("--test-days", args.test_days, float),
        "min_support": number("--min-support", args.min_support, int),
        "heldout_users": number("--heldout-users", args.heldout_users, int),
        "positive": number("--positive", args.positive, float),
    }
    options = {name: value for name, value in numbers.items() if value is not None}
    register: Callable[..., Any] = add.add_sessions if kind == "sessions" else add.add_ratings
    dataset = register(args.name, getattr(args, kind), **files, **options)
    splits = list(dataset.splits + dataset.more_splits)
    prepared = str(paths.prepared_dir(dataset.name))
    added = {"added": dataset.name, "kind": dataset.kind, "splits": splits, "prepared": prepared}
    return {**added, "pipeline": own_pipeline(dataset.name)}


def own_pipeline(name: str) -> str:
    """Write the DVC pipeline of a user's own data set; where data lie elsewhere (EMDE_DATA) DVC has none of them."""
    from benchmark.data.root import data_root
    from benchmark.experiments import settings
    from benchmark.pipelines import pipeline

    if data_root().resolve() != (settings.project_root() / "data").resolve():
        return "none: EMDE_DATA lies outside the project"
    return pipeline.write_own(settings.load(), name, ())


def number(option: str, text: str | None, kind: type[int] | type[float]) -> int | float | None:
    """The number an option gives; None where it is not given."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"{option}: expected {what}, found {text!r}") from None


def pair(option: str, text: str) -> tuple[str, str]:
    """NAME=VALUE as two strings."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError(f"{option}: expected NAME=VALUE, found {text!r}")
    return name, value
