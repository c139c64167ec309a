"""``emde site``: every page, written whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from benchmark.data import registry
from benchmark.describe import parameters
from benchmark.figures import block as block_figures
from benchmark.figures import density
from benchmark.figures.style import png, svg
from benchmark.settings import Settings
from benchmark.site import links
from benchmark.site.ablations import ablated
from benchmark.site.cells import Cell, cells, name_of, places
from benchmark.site.methods import described, pages
from benchmark.tables import render, text
from benchmark.tables.model import Block, Results, Row, Table, Verdict
from contracts import UserError
from contracts.files import whole_folder, write_whole
from contracts.progress import track

ASSETS = ("site.css", "site.js")
DOWNLOADS = ("csv", "md", "tex")


def build(results: Results, settings: Settings, made: Path, out: Path) -> Path:
    """Build the site in ``out`` and return its first page; what was there is replaced when all is written.

    made  results/generated/<profile>: data pages and compared ablations are taken from there, the illustrated page
          from beside it, where they are
    Raises UserError where ``out`` holds something else than a site.
    """
    if out.exists() and not (out / ASSETS[0]).is_file() and any(out.iterdir()):
        raise UserError(f"{out}: expected a site or an empty folder, found something else there")
    try:
        with whole_folder(out) as new:
            Site(results, settings, made, new).write()
    except OSError as error:
        raise UserError(f"{out}: cannot write the site: {error.strerror or error}") from None
    return out / "index.html"


class Site:
    """One build: what the pages are made from, and where they go."""

    def __init__(self, results: Results, settings: Settings, made: Path, out: Path) -> None:
        self.results, self.settings, self.out = results, settings, out
        self.cells = cells(results)
        self.copied = _copies(made, results)
        self.ablated = ablated(made)
        self.environment = Environment(
            loader=PackageLoader("benchmark", "templates/site"), autoescape=select_autoescape(),
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.environment.filters["literals"] = literals
        self.environment.tests.update(published=_published, unrun=_unrun)
        self.environment.globals.update(
            results=results, links=links, text=text, Verdict=Verdict, copied=self.copied, name_of=name_of,
            ablated=self.ablated, number=text.number, has_page={(cell.data, cell.method) for cell in self.cells},
        )  # fmt: skip

    def write(self) -> None:
        """Every page, the figures among them, and what they link to."""
        template = self.environment.loader
        assert template is not None
        for name in ASSETS:
            write_whole(self.out / name, template.get_source(self.environment, name)[0], "the site")
        for target, source in self.copied.items():
            write_whole(self.out / target, source.read_bytes(), "the site")
        for fmt in DOWNLOADS:
            write_whole(self.out / "tables" / render.FILES[fmt], render.FORMATS[fmt](self.results), "the site")
        self._page("index.html", "index.html", page="overview", **self._filters())
        if self.ablated:
            self._page("ablations.html", "ablations.html", page="ablations")
        self._tables()
        self._data()
        self._methods()
        for cell in track(self.cells, "pages of runs", len(self.cells)):
            self._page("run.html", links.run(cell.data, cell.method), page="runs", cell=cell,
                       dataset=registry.get(cell.data), **self._method_of(cell))  # fmt: skip

    def _page(self, template: str, target: str, **context: Any) -> None:
        root = "../" * target.count("/")
        text_of_page = self.environment.get_template(template).render(root=root, **context)
        write_whole(self.out / target, text_of_page, "the site")

    def _filters(self) -> dict[str, Any]:
        """What the matrix can be filtered by."""
        found = list(places(self.results))
        return {
            "data": sorted({place.block.data for place in found}),
            "methods": dict(sorted({place.row.method: place.row.label for place in found}.items())),
            "protocols": sorted({place.block.protocol for place in found}),
        }

    def _tables(self) -> None:
        self._page("list.html", "tables/index.html", page="tables", title="Tables", rows=[
            (links.table(table.id), text.heading(table), table.source) for table in self.results.tables
        ])  # fmt: skip
        for table in track(self.results.tables, "pages of tables", len(self.results.tables)):
            drawn = {index: self._figures(table, block) for index, block in enumerate(table.blocks) if block.shown}
            self._page("table.html", links.table(table.id), page="tables", table=table, figures=drawn)

    def _figures(self, table: Table, block: Block) -> list[str]:
        """The figures of a block as markup; those of densities stand on white, their colours need it."""
        if table.kind != "density":
            return [svg(drawn.figure, drawn.alt) for drawn in block_figures.figures(self.results, table, block)]
        if (found := self.results.density.get(block.data)) is None:
            return []
        out = []
        for name, draw in (("figure4", density.figure_4), ("bandwidth", density.bandwidth_figure)):
            path = f"figures/{links.slug(block.data)}-{name}.png"
            write_whole(self.out / path, png(draw([found])), "the site")
            what = "over N and K" if name == "figure4" else "over the bandwidth"
            out.append(f'<img class="paper" src="../{path}" alt="Correlation with the exact density {what}">')
        return out

    def _data(self) -> None:
        rows = list(places(self.results))
        names = list(dict.fromkeys(place.block.data for place in rows))
        self._page("list.html", "data/index.html", page="data", title="Data sets", rows=[
            (links.data(name), registry.get(name).title, registry.get(name).comparable) for name in names
        ])  # fmt: skip
        for name in names:
            found = [(table, [block for block in table.blocks if block.data == name]) for table in self.results.tables]
            self._page("data.html", links.data(name), page="data", dataset=registry.get(name),
                       tables=[(table, blocks) for table, blocks in found if blocks])  # fmt: skip

    def _methods(self) -> None:
        found = pages(self.results, self.settings)
        self._page("list.html", "methods/index.html", page="methods", title="Methods", rows=[
            (links.method(m.kind, m.name), f"{m.label} ({m.kind})", m.first) for m in found
        ])  # fmt: skip
        for method in found:
            self._page("method.html", links.method(method.kind, method.name), page="methods", method=method)

    def _method_of(self, cell: Cell) -> dict[str, Any]:
        kind = links.method_kind(cell.data)
        cls = described(kind, cell.runs[0].record.get("base") or cell.method)
        return {"kind": kind, "params": cell.parameters(parameters(cls) if cls else [])}


def literals(paragraph: str) -> Markup:
    """A paragraph of a docstring with its ``literals`` set as code."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(paragraph))))


def _published(block: Block) -> bool:
    """Whether a block has any published value."""
    return any(cell.expected for row in block.rows for cell in row.cells)


def _unrun(row: Row) -> bool:
    """Whether a row has published values and none of ours."""
    return any(cell.expected for cell in row.cells) and all(cell.ours is None for cell in row.cells)


def _copies(made: Path, results: Results) -> dict[str, Path]:
    """Pages made by other commands: path below the site -> file. Those that are not there are left out."""
    names = {place.block.data for place in places(results)}
    wanted = {links.statistics(name): made / "data" / f"{name}.html" for name in sorted(names)}
    wanted["illustrated.html"] = made.parent / "illustrated/index.html"
    return {target: source for target, source in wanted.items() if source.is_file()}
