"""Every data set the suite knows: one small YAML file each, in this folder.

An entry says what a data set is, where it comes from, under which terms, how it is read and split,
and which statistics it must show.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from benchmark.data.root import data_root
from benchmark.data.swap import heal
from contracts import UserError
from contracts.errors import invalid
from contracts.strict import Strict

FOLDER = Path(__file__).parent

ALIASES = {
    "retailrocket": "retail",
    "diginetica": "digi",
    "yoochoose": "rsc15",
    "30music": "30mu",
    "nowplaying": "nowp",
    "art-of-the-mix": "aotm",
    "movielens-20m": "ml20m",
    "ml-20m": "ml20m",
    "movielens20m": "ml20m",
    "netflix-prize": "netflix",
    "netflixprize": "netflix",
    "ml-100k": "movielens-100k",
    "movielens100k": "movielens-100k",
    "ml-1m": "movielens-1m",
    "movielens1m": "movielens-1m",
    "yoochoose1_64": "yoochoose-1-64",
    "rsc15-1-64": "yoochoose-1-64",
    "yoochoose-clicks-100k": "rsc15-100k",
}
"""Spellings of the published files -> the name used here (compared in lower case)."""


class File(Strict):
    """One raw file. ``unpack`` lists the members to take out of an archive, by base name."""

    name: str
    urls: tuple[str, ...] = ()
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$")
    size: int | None = Field(None, ge=0, description="bytes")
    what: str = ""
    unpack: tuple[str, ...] = ()


class Offers(Strict):
    """What methods may ask of a data set besides its events; ``emde data prepare`` fails where one of it is missing."""

    groups: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    dislikes: bool = False
    times: Literal["real", "approximate", "order"] = "real"


class Dataset(Strict):
    """One data set: identity, source, terms, parser, splits and expected statistics.

    splits: those of the default protocol; several are time slices, and published numbers their mean.
    more_splits: other ways to split the same data, never mixed with these.
    expected: ``raw`` or a split name -> statistic (dotted, such as ``train.events``) -> value.
    tolerance: relative difference allowed between an expected value and the one counted.
    """

    name: str
    kind: Literal["session", "topk", "vectors"]
    title: str
    licence: str
    citation: str
    homepage: str
    files: tuple[File, ...] = ()
    source: str | None = Field(None, description="data set whose prepared train part this one is made from")
    parser: str
    options: dict[str, Any] = Field(default_factory=dict)
    splits: tuple[str, ...] = ()
    more_splits: tuple[str, ...] = ()
    expected: dict[str, dict[str, int | float | str]] = Field(default_factory=dict)
    tolerance: float = Field(0.0, ge=0)
    comparable: Literal["paper", "public", "generated"]
    approximate: str | None = Field(None, description="what is approximate, shown in every table")
    mirror: str | None = Field(None, description="folder of a mirror that holds the files, where not the name")
    manual: str | None = Field(None, description="page and steps where a source needs a person")
    generator: str | None = None
    paper: str = Field("", description="what the paper took from it")
    offers: Offers | None = Field(None, description="what methods may ask of it; None: known once it is prepared")

    @property
    def default_split(self) -> str:
        """The split used when none is named: the only one, else 0 / published / cold-user."""
        if len(self.splits) == 1:
            return self.splits[0]
        return next((split for split in ("0", "published", "cold-user") if split in self.splits), "")

    @property
    def all_splits(self) -> tuple[str, ...]:
        """Every split and, for tuning, its ``:valid`` twin."""
        known = self.splits + self.more_splits
        return known if self.kind == "vectors" else tuple(name for split in known for name in (split, f"{split}:valid"))


def _read(path: Path) -> Dataset:
    try:
        return Dataset(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise invalid(str(path), error, "field") from None


@cache
def _built_in() -> dict[str, Dataset]:
    datasets = [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]
    return {dataset.name: dataset for dataset in datasets}


def user_folder() -> Path:
    """Where the entries of a user's own data lie."""
    return data_root() / "registry"


def entry_folder(name: str) -> Path:
    """Where the entry of a data set lies, and what is recorded about its files."""
    return user_folder() if (user_folder() / f"{name}.yaml").is_file() else FOLDER


def _known() -> dict[str, Dataset]:
    heal()
    own = [_read(path) for path in sorted(user_folder().glob("*.yaml"))]
    return _built_in() | {dataset.name: dataset for dataset in own}


def names() -> list[str]:
    """All data set names, sorted; a user's own included."""
    return sorted(_known())


def get(name: str) -> Dataset:
    """The entry for a name or an alias; raises UserError listing the known names."""
    known = _known()
    key = name if name in known else ALIASES.get(name.lower(), name.lower())
    if key not in known:
        raise UserError(f"unknown data set '{name}'; expected one of: {', '.join(sorted(known))}")
    return known[key]
