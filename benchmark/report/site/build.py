"""``emde site``: every page, written whole."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from benchmark.data import registry
from benchmark.experiments.describe import describe_methods, describe_rows
from benchmark.experiments.parameters import Method
from benchmark.report.claims import words
from benchmark.report.claims.judge import Page
from benchmark.report.figures import block as block_figures
from benchmark.report.figures import density
from benchmark.report.figures.style import rendered, svg
from benchmark.report.site import claims, links, scripts
from benchmark.report.site.ablations import ablated
from benchmark.report.site.cells import CellPage, cells, name_of, places
from benchmark.report.site.methods import Described, pages
from benchmark.report.tables import render, text
from benchmark.report.tables.model import Block, Results, Row, Table, Verdict
from contracts import Kind, UserError
from contracts.runtime.files import whole_folder, write_whole
from contracts.runtime.json import read_json
from contracts.runtime.progress import track

ASSETS = ("site.css", "site.js")
METHODS = "methods.json"
DOWNLOADS = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
ILLUSTRATED = "illustrated.html"
MENU = [("overview", "index.html", "Overview"), ("tables", "tables/index.html", "Tables"),
        ("runs", "runs/index.html", "Runs"), ("compare", "compare.html", "Compare"),
        ("data", "data/index.html", "Data"), ("methods", "methods/index.html", "Methods")]  # fmt: skip
COSTS = "../costs/index.html"
"""The page of a profile's costs, seen from its site."""


def build(
    results: Results, rows: Mapping[Kind, Mapping[str, Method]], made: Path, out: Path, judged: Page | None = None
) -> Path:
    """Build the site in ``out`` and return its first page; what was there is replaced when all is written.

    rows    of the settings: kind -> name -> parameters
    made    results/generated: the pages of data sets, the illustrated page and what ``emde methods`` says are taken
            from there, where they are
    judged  the claims; None: no pages of claims
    Raises UserError where ``out`` holds something else than a site.
    """
    if out.exists() and not (out / ASSETS[0]).is_file() and any(out.iterdir()):
        raise UserError(f"{out}: expected a site or an empty folder, found something else there")
    try:
        with whole_folder(out) as new:
            Site(results, described(rows, made / METHODS), made, new, judged).write()
    except OSError as error:
        raise UserError(f"{out}: cannot write the site: {error.strerror or error}") from None
    return out / "index.html"


def costs_page(results: Results, rows: Mapping[Kind, Mapping[str, Method]], made: Path, site: Path, out: Path) -> Path:
    """The page of the costs of a profile, which is no part of its site: written to ``out``, links lead to ``site``."""
    root = f"{Path(os.path.relpath(site.resolve(), out.resolve())).as_posix()}/"
    return Site(results, described(rows, made / METHODS), made, out, None).costs("index.html", root)


class Site:
    """One build: what the pages are made from, and where they go."""

    def __init__(self, results: Results, known: Described, made: Path, out: Path, judged: Page | None) -> None:
        self.results, self.described, self.out, self.judged = results, known, out, judged
        self.cells = cells(results)
        self.copied = _copies(made, results)
        self.ablated = ablated(results.ablation)
        self.priced = any(place.row.cost for place in places(results))
        self.costs_at = "costs.html" if self.priced else COSTS
        self.methods = pages(results, known)
        self.menu = self._menu()
        self.environment = Environment(
            loader=PackageLoader("benchmark.report", "templates/site"), autoescape=select_autoescape(),
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.environment.filters["literals"] = literals
        self.environment.tests.update(published=_published, unrun=_unrun)
        self.environment.globals.update(
            results=results, links=links, text=text, Verdict=Verdict, copied=self.copied, name_of=name_of,
            ablated=self.ablated, number=text.number, has_page={(cell.data, cell.method) for cell in self.cells},
            menu=self.menu, costs_page=self.costs_at, claims=judged, claim_words=words, claim_symbols=claims.SYMBOLS,
        )  # fmt: skip

    def write(self) -> None:
        """Every page, the figures among them, and what they link to."""
        template = self.environment.loader
        assert template is not None
        for name in ASSETS:
            write_whole(self.out / name, template.get_source(self.environment, name)[0], "the site")
        for target, source in self.copied.items():
            self._copy(target, source.read_text(encoding="utf-8"))
        self._downloads("tables/tables", self.results)
        scripts_ = {"search.js": scripts.searched(self.results, self.cells, self.methods, self.menu),
                    "runs.js": scripts.compared(self.results)}  # fmt: skip
        for target, content in scripts_.items():
            write_whole(self.out / target, content, "the site")
        self._page("runs.html", "runs/index.html", page="runs", cells=self.cells)
        self._page("compare.html", "compare.html", page="compare")
        self._page("index.html", "index.html", page="overview", **self._filters())
        if self.ablated:
            self._page("ablations.html", "ablations.html", page="ablations")
        if self.judged is not None:
            self._claims(self.judged)
        if self.priced:
            self.costs("costs.html")
        self._tables()
        self._data()
        self._methods()
        for cell in track(self.cells, "pages of runs", len(self.cells)):
            self._page("run.html", links.run(cell.data, cell.method), page="runs", cell=cell,
                       dataset=registry.get(cell.data), **self._method_of(cell))  # fmt: skip

    def costs(self, target: str, root: str = "") -> Path:
        """What everything took, from results that say so."""
        shown = [(table, [(block, block_figures.cost_figure(table, block)) for block in blocks])
                 for table, blocks in text.shown(self.results) if text.cost_names(table)]  # fmt: skip
        self._page("costs.html", target, root, page="costs", tables=shown, cells=self.cells, svg=svg)
        return self.out / target

    def _page(self, template: str, target: str, root: str = "", **context: Any) -> None:
        root = root or "../" * target.count("/")
        text_of_page = self.environment.get_template(template).render(root=root, **context)
        write_whole(self.out / target, text_of_page, "the site")

    def _menu(self) -> list[scripts.Entry]:
        """(key, address, name) of what every page leads to."""
        optional = [
            ("claims", "claims.html", "Claims", self.judged),
            ("ablations", "ablations.html", "Ablations", self.ablated),
            ("costs", self.costs_at, "Costs", True),
            ("illustrated", ILLUSTRATED, "EMDE, illustrated", ILLUSTRATED in self.copied),
        ]
        return [*MENU, *((key, target, name) for key, target, name, there in optional if there)]

    def _copy(self, target: str, page: str) -> None:
        """A page made elsewhere, with links to the others above it."""
        root = "../" * target.count("/")
        entries = [f'<a href="{root}{address}">{escape(name)}</a>' for _, address, name in self.menu]
        nav = f'<nav aria-label="Pages" style="display:flex;flex-wrap:wrap;gap:.2rem 1rem">{" ".join(entries)}</nav>'
        write_whole(self.out / target, page.replace("<body>", f"<body>\n{nav}", 1), "the site")

    def _downloads(self, stem: str, results: Results) -> list[tuple[str, str]]:
        """Write some tables as files; (name of the format, file beside the table's page)."""
        for fmt in DOWNLOADS:
            write_whole(self.out / f"{stem}.{fmt}", render.rendered(results, fmt), "the site")
        return [(name, f"{Path(stem).name}.{fmt}") for fmt, name in DOWNLOADS.items()]

    def _filters(self) -> dict[str, Any]:
        """What the matrix can be filtered by."""
        ranked = [place for place in places(self.results) if place.table.kind != "parameters"]
        return {
            "data": sorted({place.block.data for place in ranked}),
            "methods": dict(sorted({place.row.method: place.row.label for place in ranked}.items())),
            "protocols": sorted({place.block.protocol for place in ranked}),
        }

    def _claims(self, judged: Page) -> None:
        self._page("claims.html", "claims.html", page="claims", topics=claims.topics(judged))
        sides = partial(claims.sides, pages=claims.run_pages(self.cells))
        for one in track(judged.claims, "pages of claims", len(judged.claims)):
            commands = dict.fromkeys(command for finding in one.findings for command in finding.commands)
            self._page("claim.html", links.claim(one.claim.id), page="claims", judged=one, sides=sides,
                       figure=claims.drawn(one), commands=list(commands))  # fmt: skip

    def _tables(self) -> None:
        self._page("list.html", "tables/index.html", page="tables", title="Tables", heads=["source"], rows=[
            (links.table(table.id), text.heading(table), [table.source]) for table in self.results.tables
        ])  # fmt: skip
        for table in track(self.results.tables, "pages of tables", len(self.results.tables)):
            drawn = {index: self._figures(table, block) for index, block in enumerate(table.blocks) if block.shown}
            alone = self.results.model_copy(update={"tables": [table]})
            files = self._downloads(links.table(table.id).removesuffix(".html"), alone)
            self._page("table.html", links.table(table.id), page="tables", table=table, figures=drawn, downloads=files)

    def _figures(self, table: Table, block: Block) -> list[str]:
        """The figures of a block as markup; those of densities stand on white, their colours need it."""
        if table.kind != "density":
            return [svg(drawn.figure, drawn.alt) for drawn in block_figures.figures(self.results, table, block)]
        if (estimate := self.results.density.get(block.data)) is None:
            return []
        out = []
        for name, draw in (("figure4", density.figure_4), ("bandwidth", density.bandwidth_figure)):
            path = f"figures/{links.slug(block.data)}-{name}.png"
            write_whole(self.out / path, rendered(draw([estimate]), "png"), "the site")
            what = "over N and K" if name == "figure4" else "over the bandwidth"
            out.append(f'<img class="paper" src="../{path}" alt="Correlation with the exact density {what}">')
        return out

    def _data(self) -> None:
        rows = list(places(self.results))
        names = list(dict.fromkeys(place.block.data for place in rows))
        heads = ["in commands", "comparable with", "methods with results"]
        self._page("list.html", "data/index.html", page="data", title="Data sets", heads=heads, rows=[
            (links.data(name), registry.get(name).title, [name, registry.get(name).comparable,
             len({row.row.method for row in rows if row.block.data == name and row.ran}) or "none"]) for name in names
        ])  # fmt: skip
        for name in names:
            shown = [(table, [block for block in table.blocks if block.data == name]) for table in self.results.tables]
            self._page("data.html", links.data(name), page="data", dataset=registry.get(name),
                       tables=[(table, blocks) for table, blocks in shown if blocks])  # fmt: skip

    def _methods(self) -> None:
        self._page("list.html", "methods/index.html", page="methods", title="Methods", heads=["what it is"], rows=[
            (links.method(m.kind, m.name), f"{m.label} ({m.kind})", [m.first]) for m in self.methods
        ])  # fmt: skip
        for method in self.methods:
            self._page("method.html", links.method(method.kind, method.name), page="methods", method=method)

    def _method_of(self, cell: CellPage) -> dict[str, Any]:
        kind = links.method_kind(cell.data)
        known = self.described.methods.get((kind, cell.runs[0].record.get("base") or cell.method), {})
        return {"kind": kind, "params": cell.parameters(known.get("params", []))}


def literals(paragraph: str) -> Markup:
    """A paragraph of a docstring with its ``literals`` set as code."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(paragraph))))


def _published(block: Block) -> bool:
    """Whether a block has any published value."""
    return any(cell.expected for row in block.rows for cell in row.cells)


def _unrun(row: Row) -> bool:
    """Whether a row has published values and none of ours."""
    return any(cell.expected for cell in row.cells) and all(cell.ours is None for cell in row.cells)


def described(rows: Mapping[Kind, Mapping[str, Method]], path: Path) -> Described:
    """Every method and row: as the stage ``methods`` wrote them, else as of now."""
    if path.is_file():
        return Described.of(read_json(path))
    return Described.of({"methods": describe_methods(), "rows": describe_rows(rows)})


def _copies(made: Path, results: Results) -> dict[str, Path]:
    """Pages made by other commands: path below the site -> file. Those that are not there are left out."""
    names = {place.block.data for place in places(results)}
    wanted = {links.statistics(name): made / "data" / f"{name}.html" for name in sorted(names)}
    wanted[ILLUSTRATED] = made / "illustrated/index.html"
    return {target: source for target, source in wanted.items() if source.is_file()}
