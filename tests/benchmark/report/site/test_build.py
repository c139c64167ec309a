"""The pages of made-up results, read back: what they say, where they link, that they are sound HTML."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmark.cli.main import main
from benchmark.experiments import settings
from benchmark.report.site import serve
from benchmark.report.site.build import build, literals
from benchmark.report.site.cells import cells
from benchmark.report.tables.measured import COMPARED_SCHEMA
from benchmark.report.tables.model import Results, Verdict
from contracts import UserError
from tests.benchmark.report.site.conftest import NASTY
from tests.parameters import copy_parameters

VOID = {"meta", "link", "br", "img", "input", "hr"}
LEAVES = {"path", "rect", "use", "circle"}  # SVG elements without content: closed as they open

LEVELS = [
    {"data": "sample-sessions", "factor": "K", "label": label, "cell": label, "published": {"MRR@20": 0.3}, **found}
    for label, found in (
        ("base", {"metrics": {"MRR@20": {"mean": 0.31, "sd": 0.01}}}),
        ("8", {"metrics": {"MRR@20": {"mean": 0.29, "sd": None}},
               "difference": {"MRR@20": {"difference": -0.02, "low": -0.03, "high": -0.01, "t_holm": 0.004}}}),
        ("64", {"unavailable": "too few items"}),
    )
]  # fmt: skip


class Page(HTMLParser):
    """Checks balance and ids while it reads; keeps links, texts of cells and the headers without a scope."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.references: list[str] = []
        self.unscoped = 0
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open, (path, self.open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"] or "")
        self.targets += [found[name] or "" for name in ("href", "src") if name in found]
        self.references += [found[name] or "" for name in ("aria-labelledby", "for") if name in found]
        self.unscoped += tag == "th" and "scope" not in found
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a beginning at {self.getpos()}"
        assert self.open.pop() == tag, (tag, self.getpos())


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    from tests.benchmark.report.site.conftest import made_results

    folder = tmp_path_factory.mktemp("site")
    made = folder / "made"
    (made / "data").mkdir(parents=True)
    (made / "data/sample-sessions.html").write_text("<!doctype html><title>statistics</title><body>counted</body>")
    (made / "illustrated").mkdir()
    (made / "illustrated/index.html").write_text("<!doctype html><title>illustrated</title><body>pictures</body>")
    compared = {"schema": COMPARED_SCHEMA, "main": "MRR@20", "levels": LEVELS}
    results = made_results().model_copy(update={"ablation": compared})
    return build(results, settings.load().methods, made, folder / "out").parent


def test_every_page_is_sound(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    names = {str(path.relative_to(site)) for path in pages}
    assert names == {
        "index.html", "illustrated.html", "ablations.html", "costs.html", "compare.html", "runs/index.html",
        "data/index.html", "data/rsc15.html", "data/sample-sessions.html",
        "data/sample-sessions-statistics.html", "methods/index.html", "methods/session-ar.html",
        "methods/session-ct.html", "methods/session-emde.html", "methods/session-gru4rec.html",
        "runs/sample-sessions--ar.html", "runs/sample-sessions--emde.html", "tables/index.html", "tables/1.html",
    }  # fmt: skip
    for path in pages:
        page = Page(path)
        assert len(page.ids) == len(set(page.ids)), path
        assert set(page.references) <= set(page.ids), path
        assert page.unscoped == 0, path
        for target in page.targets:
            if target.startswith(("https://", "http://", "data:")):
                continue  # a link that a reader may follow; what pages load is tested in the browser
            file, _, anchor = target.partition("#")
            there = (path.parent / unquote(file)).resolve() if file else path
            assert there.is_file(), (path, target)
            assert not anchor or file or anchor in page.ids, (path, target)


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(src=|@import|url\(|<link[^>]+href=)[\"']?https?:", text), path


def test_the_matrix_shows_verdicts_in_words_and_symbols(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    row = re.search(r'<tr data-data="sample-sessions" data-method="emde".*?</tr>', text, re.DOTALL)
    assert row is not None
    assert 'href="runs/sample-sessions--emde.html"' in row[0]
    assert re.search(r'class="value reproduced".*✓</span> 0.3500.* reproduced.*0.3400 \(\+0.0100\)', row[0], re.DOTALL)
    missing = re.search(r'<tr data-data="rsc15" data-method="ct".*?</tr>', text, re.DOTALL)
    assert missing is not None
    assert 'href="tables/1.html"' in missing[0]
    assert 'data-verdicts="not-run "' in missing[0]


def test_a_run_page_says_everything(site: Path) -> None:
    text = (site / "runs/sample-sessions--emde.html").read_text(encoding="utf-8")
    command = "emde run --data sample-sessions --split 0 --method emde --set &#39;a={&#34;b&#34;: 1}&#39;"
    for wanted in (
        command, "The commands of the other 1 runs", "From: a test.", "Learning curves of EMDE", "0.3000", "0.4000",
        "cd" * 32, "Session 7", "split 1, seed 0", "if every tie is lost", "../costs.html",
    ):  # fmt: skip
        assert wanted in text, wanted
    costs = (site / "costs.html").read_text(encoding="utf-8")
    for wanted in ("2.00 (1.50)", "numpy 2.4", "MRR@20 against cost"):
        assert wanted in costs, wanted
        assert wanted not in text, wanted
    assert "&lt;b&gt;&#34;5 &amp; 10&#34;&lt;/b&gt; €" in text
    assert NASTY not in text
    alpha = re.search(r'<th scope="row">alpha</th>.*?</tr>', text)
    assert alpha is not None
    assert "<code>0.8</code>" in alpha[0]
    assert "<code>0.9</code>" in alpha[0]  # the default
    ar = (site / "runs/sample-sessions--ar.html").read_text(encoding="utf-8")
    assert "-0.1000<small>to emde, p = 0.002 (Holm over 2)</small>" in ar
    assert "Learning curve" not in ar


def test_methods_and_data_have_pages_even_where_nothing_was_run(site: Path) -> None:
    ours = (site / "methods/session-ar.html").read_text(encoding="utf-8")
    assert "baselines.session.association_rules" in ours
    assert "sample-sessions--ar.html" in ours
    only = (site / "methods/session-gru4rec.html").read_text(encoding="utf-8")
    assert "Not run here." in only
    assert "0.3000" in only
    data = (site / "data/sample-sessions.html").read_text(encoding="utf-8")
    assert "sample-sessions-statistics.html" in data
    assert "statistics" not in (site / "data/rsc15.html").read_text(encoding="utf-8")


def test_a_cell_takes_its_means_over_slices_and_seeds(results: Results) -> None:
    emde = next(cell for cell in cells(results) if cell.method == "emde")
    assert emde.splits == ["0", "1"]
    assert emde.per_slice()["MRR@20"] == pytest.approx([0.3, 0.4, 0.35])
    assert next(iter(emde.per_slice())).endswith("@20")
    # 100 points at .25, 300 at .45
    assert emde.groups()["position"]["1"] == pytest.approx({"points": 200, "HR@20": 0.375, "MRR@20": 0.4})
    assert len(emde.environments()) == 1


def test_a_new_build_replaces_the_old_one_and_nothing_else(tmp_path: Path, results: Results) -> None:
    chosen, out = settings.load().methods, tmp_path / "out"
    build(results, chosen, tmp_path, out)
    (out / "stale.html").write_text("old")
    build(results, chosen, tmp_path, out)
    assert not (out / "stale.html").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="expected a site or an empty folder, found something else there"):
        build(results, chosen, tmp_path, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_many_runs_stay_fast(tmp_path: Path, results: Results) -> None:
    """10,000 runs on the pages of two cells: what grows with runs is a line each."""
    row = results.tables[0].blocks[0].rows[0]
    runs = {
        f"sample-sessions/emde/{split}/{seed}": run.model_copy(
            update={"record": run.record | {"seed": seed, "split": split, "history": []}}
        )
        for split in ("0", "1")
        for seed in range(5000)
        for run in [results.runs[row.runs[0]]]
    }
    many = row.model_copy(update={"runs": list(runs)})
    block = results.tables[0].blocks[0].model_copy(update={"rows": [many]})
    table = results.tables[0].model_copy(update={"blocks": [block]})
    page = build(
        results.model_copy(update={"tables": [table], "runs": runs}), settings.load().methods, tmp_path, tmp_path / "o"
    )
    text = (page.parent / "runs/sample-sessions--emde.html").read_text(encoding="utf-8")
    assert text.count('class="command"') == 10_000


def test_the_ablations_have_a_forest_and_a_table(site: Path) -> None:
    text = (site / "ablations.html").read_text(encoding="utf-8")
    assert "K: 8</text>" in text
    assert "K: base</text>" not in text  # nothing to compare it with but itself
    assert re.search(r"0.3100 ± 0.0100</td>\s*<td>–</td><td>–</td><td>–</td>", text)
    assert "<td>-0.0200</td><td>[-0.0300, -0.0100]</td><td>0.004</td>" in text
    assert "cannot be filled: too few items" in text


def test_scripts_files_and_pages_made_elsewhere(site: Path) -> None:
    asked = json.loads((site / "search.js").read_text().removeprefix("const SEARCH = ").rstrip(";\n"))
    assert ["EMDE on sample-sessions", "run", "runs/sample-sessions--emde.html"] in asked
    assert all((site / target).is_file() for _, _, target in asked)
    runs = json.loads((site / "runs.js").read_text().removeprefix("const RUNS = ").rstrip(";\n"))
    found = runs["sample-sessions/emde/1/0"]
    assert found["metrics"]["MRR@20"] == pytest.approx(0.4)
    assert found["folder"] == "results/reported/made:sample-sessions/emde/1/0"
    assert r"\begin{tabular}" in (site / "tables/1.tex").read_text()
    assert '<a href="../runs/index.html">Runs</a>' in (site / "data/sample-sessions-statistics.html").read_text()
    listed = (site / "data/index.html").read_text()
    assert re.search(r'rsc15.html.*<td class="text">none</td></tr>', listed)
    assert re.search(r'sample-sessions.html.*<td class="text">2</td></tr>', listed)


def test_literals_of_docstrings_become_code() -> None:
    assert literals("``a<b`` & c") == "<code>a&lt;b</code> &amp; c"


def test_every_verdict_has_a_symbol_and_a_meaning() -> None:
    from benchmark.report.site import links

    assert set(links.SYMBOLS) == set(links.MEANINGS) == set(Verdict)
    assert len(set(links.SYMBOLS.values())) == len(Verdict)


def test_serve_shows_the_site_and_only_here(site: Path) -> None:
    with serve.server(site, 0) as running:
        host, port = running.server_address[:2]
        assert host == "127.0.0.1"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert b"Made up" in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/../made/data/sample-sessions.html")
        with pytest.raises(UserError, match=f"^port {port}: cannot listen there: Address already in use"):
            serve.server(site, int(port))
        running.shutdown()
    with pytest.raises(UserError, match="expected a site, found none; run: emde site"):
        serve.server(site.parent, 0)


def test_the_command_line_says_what_is_missing(tmp_path: Path, capsys, monkeypatch) -> None:
    copy_parameters(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[tool.emde]\n")
    monkeypatch.chdir(tmp_path)
    assert main(["site", "--profile", "sample"]) == 2
    assert "tables/results.json: expected the tables of a finished run, found none" in capsys.readouterr().err
    (tmp_path / "results/generated/profiles/sample/tables").mkdir(parents=True)
    (tmp_path / "results/generated/profiles/sample/tables/results.json").write_text('{"profile": "sample"}')
    assert main(["figures", "--profile", "sample"]) == 2
    assert (
        "results.json: title: Field required, found {'profile': 'sample'}; make the tables again"
        in capsys.readouterr().err
    )
