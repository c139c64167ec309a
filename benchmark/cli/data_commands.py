"""The ``emde data`` commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.errors import UserError


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
    own.add_argument("--test-days", type=float, default=1.0, metavar="DAYS", help="sessions: the last days that test")
    own.add_argument("--min-support", type=int, default=5, metavar="N", help="sessions: events an item needs")
    own.add_argument("--heldout-users", type=int, metavar="N", help="ratings: test users (default: a tenth)")
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

    return {"fetched": {name: str(fetch(name, offline=args.offline)) for name in args.names}}


def data_prepare(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.fetch import fetch
    from benchmark.data.prepare import prepare

    out = {}
    for name in args.names:
        fetch(name, offline=args.offline)
        out[name] = str(prepare(name))
    return {"prepared": out}


def data_stats(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.stats import stats

    return stats(args.name)


def data_page(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark import data_page

    return {"written": str(data_page.write(args.name, args.out))}


def data_export(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data.export import export

    return {"written": [str(path) for path in export(args.name, args.out, args.format)]}


def data_add(args: argparse.Namespace) -> dict[str, Any]:
    from benchmark.data import add
    from benchmark.data.prepare import prepare

    if args.vectors is not None:
        name, file = pair("--vectors", args.vectors)
        if args.ids is None:
            raise UserError("--vectors: expected --ids FILE with the raw item ids of the rows, found none")
        return {"added": str(add.add_vectors(args.name, name, Path(file), args.ids)), "modality": f"vectors:{name}"}
    columns = dict(pair("--columns", text) for text in args.columns) or None
    if args.sessions is not None:
        sizes = {"test_days": args.test_days, "min_support": args.min_support}
        dataset = add.add_sessions(args.name, args.sessions, columns=columns, attributes=args.attributes, **sizes)
    else:
        held_out = args.heldout_users
        dataset = add.add_ratings(
            args.name, args.ratings, columns=columns, attributes=args.attributes, heldout_users=held_out
        )
    try:
        prepared = prepare(dataset.name)
    except UserError:
        add.forget(dataset.name)
        raise
    splits = list(dataset.splits + dataset.more_splits)
    return {"added": dataset.name, "kind": dataset.kind, "splits": splits, "prepared": str(prepared)}


def pair(option: str, text: str) -> tuple[str, str]:
    """NAME=VALUE as two strings."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError(f"{option}: expected NAME=VALUE, found {text!r}")
    return name, value
