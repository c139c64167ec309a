"""The stages that are made once for a profile, or once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.data import registry
from benchmark.experiments import headline, methods, profiles
from benchmark.experiments.methods import Kind
from benchmark.experiments.profiles import GENERATED, ablation_files
from benchmark.experiments.settings import ABLATIONS, PARAMS, Settings
from benchmark.pipelines.code_paths import code
from benchmark.pipelines.stages import COMMAND, REGISTRY, Entry, Keys, data_page, keys, name, prepared
from benchmark.report.tables.declaration import declarations

PAPER = "results/paper"
DECLARED, TEMPLATES = "benchmark/report/tables/declared", "benchmark/report/templates"
METHODS, ILLUSTRATED = f"{GENERATED}/methods.json", f"{GENERATED}/illustrated"
OWN = ("baselines.", "emde.")
"""Packages of the suite's methods; what others offer depends on what is installed."""


def methods_file(settings: Settings) -> Entry:
    """What the site says of every method: alone, so that a comment in one makes no page anew."""
    known = [module.partition(":")[0] for kind in methods.FOLDERS for module in methods.catalogue(kind).values()]
    params: dict[str, Sequence[str]] = {}
    for kind, rows in settings.methods.items():
        for row in rows:
            params |= keys(settings, kind, row, "")
    modules = sorted({module for module in known if module.startswith(OWN)})
    return Entry(
        "methods",
        f"{COMMAND} methods --out {METHODS}",
        code("benchmark.experiments.describe", *modules),
        [METHODS],
        params,
    )


def illustrated() -> Entry:
    """EMDE explained in pictures."""
    return Entry(
        "illustrated",
        f"{COMMAND} illustrated --out {ILLUSTRATED}",
        [f"{TEMPLATES}/illustrated.html", *code("benchmark.report.illustrated.page")],
        [ILLUSTRATED],
        {PARAMS: ["threads"]},
    )


def ablations(settings: Settings, profile: str) -> Entry:
    """The ablation cells of a profile compared."""
    cells = settings.ablation_cells(profile)
    return Entry(
        name("ablations", profile),
        f"{COMMAND} ablations --profile {profile}",
        [file for cell in cells for file in ablation_files(*cell)]
        + [PAPER, profile_file(profile), *code("benchmark.report.sensitivity")],
        [profiles.compared_folder(profile)],
        {ABLATIONS: ["cells", "factors"]},
    )


def tables(settings: Settings, profile: str) -> Entry:
    """Tables of a profile's cells beside the published values."""
    chosen = settings.profile(profile)
    cells = [
        f"{cell.folder}/{file}" for cell in chosen.cells.values() for file in (headline.EVALUATION, headline.UNITS)
    ]
    compared = [profiles.compared_folder(profile)] if chosen.ablations else []
    return Entry(
        name("tables", profile),
        f"{COMMAND} tables --profile {profile} --out {out(profile, 'tables')}",
        [*cells, *map(profiles.density_file, chosen.density), *compared, profile_file(profile), PAPER, DECLARED,
         REGISTRY, f"{TEMPLATES}/page.html", *code("benchmark.report.tables.make")],
        [out(profile, "tables")],
        _tabled_parameters(settings),
    )  # fmt: skip


def _tabled_parameters(settings: Settings) -> Keys:
    """What tables of hyper-parameters show: the keys of their rows."""
    present_keys: dict[str, dict[str, None]] = {}
    for kind, row, data in _tabled():
        for file, present in keys(settings, kind, row, data).items():
            present_keys.setdefault(file, {}).update(dict.fromkeys(present))
    return {file: list(present) for file, present in present_keys.items()}


def _tabled() -> Iterator[tuple[Kind, str, str]]:
    for table in declarations().values():
        for block in table.blocks if table.kind == "parameters" else []:
            kind = registry.get(block.data).kind
            assert kind != "vectors"
            yield from ((kind, row, block.data) for row in block.rows or table.rows)


def figures(settings: Settings, profile: str) -> Entry:
    """Figures of a profile's tables."""
    taste_map = settings.profile(profile).taste_map  # Figure 5 trains on these ratings
    return Entry(
        name("figures", profile),
        f"{COMMAND} figures --profile {profile}",
        [out(profile, "tables"), profile_file(profile), *([prepared(taste_map)] if taste_map else []),
         *code("benchmark.report.figures.write")],
        [out(profile, "figures")],
        {PARAMS: ["threads"]},
        persist=True,  # only what changed is drawn
    )  # fmt: skip


def site(profile: str, data: Sequence[str]) -> Entry:
    """The results of a profile as web pages."""
    return Entry(
        name("site", profile),
        f"{COMMAND} site --profile {profile}",
        [out(profile, "tables"), METHODS, ILLUSTRATED, *map(data_page, data), REGISTRY, f"{TEMPLATES}/site",
         *code("benchmark.report.site.make")],
        [out(profile, "site")],
    )  # fmt: skip


def profile_file(profile: str) -> str:
    """What a profile is."""
    return f"profiles/{profile}/profile.yaml"


def out(profile: str, what: str) -> str:
    """A folder of a profile's results."""
    return f"{GENERATED}/profiles/{profile}/{what}"
