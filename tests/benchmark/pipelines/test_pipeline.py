"""Generated pipelines are as committed, say what they are, and depend on exactly what they run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from benchmark.experiments import settings
from benchmark.experiments.profiles import KINDS, ROOT
from benchmark.pipelines import pipeline
from benchmark.pipelines.code_paths import code, folded
from contracts import UserError
from tests.parameters import copy_parameters, edit

PROJECT = Path(__file__).parents[3]
FILES = sorted([PROJECT / ROOT, *PROJECT.glob("pipelines/*/dvc.yaml"), *PROJECT.glob("profiles/*/dvc.yaml")])
PARAMETERS = sorted(
    [PROJECT / "params.yaml", *PROJECT.glob("params/**/*.yaml"), *PROJECT.glob("profiles/*/profile.yaml")]
)


def stages() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, entry) of every committed stage."""
    for path in FILES:
        yield from yaml.load(path.read_text(), yaml.CSafeLoader)["stages"].items()


STAGES = list(stages())


def test_regenerating_changes_nothing() -> None:
    assert pipeline.changes(settings.load(PROJECT / "params.yaml")) == {}
    assert all(path.read_text().startswith(pipeline.MARK) for path in FILES)


def test_a_changed_profile_changes_its_files(tmp_path, monkeypatch) -> None:
    """``--check`` names what would change; files of profiles that are gone are removed, a user's own stay."""
    path = copy_parameters(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    written = pipeline.write(settings.load(path))
    assert set(written) == {str(file.relative_to(PROJECT)) for file in FILES}
    assert pipeline.changes(settings.load(path)) == {}
    own = tmp_path / "pipelines/shop/dvc.yaml"
    own.parent.mkdir()
    own.write_text(pipeline.MARK)
    edit(tmp_path / "profiles/public/profile.yaml", lambda profile: profile["session"][0]["methods"].remove("sr"))
    (tmp_path / "profiles/movielens-1m/profile.yaml").unlink()
    edit(tmp_path / "profiles/plus/profile.yaml", lambda profile: profile.pop("topk"))
    changed = pipeline.changes(settings.load(path))
    assert changed.keys() == {
        "pipelines/movielens-1m/dvc.yaml", "profiles/movielens-1m/dvc.yaml", "profiles/plus/dvc.yaml",
        "profiles/public/dvc.yaml",
        *(f"pipelines/{data}/dvc.yaml"
          for data in ("retailrocket-dhcn", "diginetica-srgnn", "30music-10pct", "yoochoose-1-64", "rsc15-100k")),
    }  # fmt: skip
    assert changed["profiles/movielens-1m/dvc.yaml"] is changed["pipelines/movielens-1m/dvc.yaml"] is None
    pipeline.write(settings.load(path))
    assert not (tmp_path / "profiles/movielens-1m/dvc.yaml").exists()
    assert own.exists()


def test_a_cell_exists_once() -> None:
    names = [name for name, _ in STAGES]
    assert len(names) == len(set(names))
    assert {name.partition("--")[0] for name in names} == set(KINDS)
    outs = [out if isinstance(out, str) else next(iter(out)) for _, entry in STAGES for out in entry["outs"]]
    assert len(outs) == len(set(outs))


def test_everything_that_a_stage_needs_is_made_or_in_the_project() -> None:
    made = {out if isinstance(out, str) else next(iter(out)) for _, entry in STAGES for out in entry["outs"]}
    for name, entry in STAGES:
        for path in entry["deps"]:
            assert path in made or (PROJECT / path).exists(), (name, path)
        for params in entry.get("params", []):
            for file, keys in params.items() if isinstance(params, dict) else [("params.yaml", [params])]:
                content = yaml.safe_load((PROJECT / file).read_text())
                for key in keys:
                    node = content
                    for part in key.split("."):
                        node = node[part]  # DVC finds every parameter that it is told to watch


def depend_on(path: str) -> set[str]:
    """Names of the stages that an edit of a file makes stale."""
    return {
        name
        for name, entry in STAGES
        if any(path == dep or path.startswith(f"{dep}/") for dep in entry["deps"])
        or any(path in params for params in entry.get("params", []) if isinstance(params, dict))
    }


def of(kind: str, method: str = "", data: str = "") -> set[str]:
    """Names of the stages of a kind, and of cells of a method (with other seeds, too) or data set."""
    found = [name for name, _ in STAGES if name.split("--")[0] == kind]
    found = [name for name in found if not data or name.split("--")[1] == data]
    return {name for name in found if not method or settings_method(name) == method}


def settings_method(name: str) -> str:
    from benchmark.experiments.profiles import method_of

    return method_of(name.split("--")[2])


EDITS: dict[str, Any] = {
    "baselines/session/vs_knn.py": lambda: of("run", "vs-knn") | of("run", "vs-knn-found") | {"methods"},
    "baselines/session/context_tree.py": lambda: of("run", "ct") | {"methods"},
    "baselines/topk/ease.py": lambda: of("run", "ease") | {"methods"},
    "baselines/density/tree_kde.py": lambda: {
        name for name in of("density") if "tree-kde" in settings.load().density[name.split("--")[1]].methods
    } | {"methods"},
    "benchmark/data/parsers/movielens_folds.py": lambda: of("prepare", data="movielens-1m"),
    "benchmark/data/parsers/netflix.py": lambda: of("prepare", data="netflix"),
    "benchmark/data/generate/digits.py": lambda: of("fetch", data="digits"),
    "benchmark/data/splits/vectors.py": lambda: {
        name for kind in ("prepare", "derive") for name in of(kind) if kind_of(name.split("--")[1]) == "vectors"
    },
    "benchmark/data/titles.py": lambda: {name for name in of("prepare") if kind_of(name.split("--")[1]) == "topk"},
    "benchmark/experiments/evaluate.py": lambda: of("evaluate"),
    "benchmark/protocol/points.py": lambda: of("run") | of("evaluate") | of("ablate"),
    "benchmark/report/tables/latex.py": lambda: of("tables") | of("site") | of("figures"),
    "benchmark/report/figures/taste.py": lambda: of("figures"),
    "benchmark/report/templates/site/run.html": lambda: of("site"),
    "emde/sketch.py": lambda: {
        name for name in of("run") if is_emde(name)
    } | of("ablate") | of("figures") | {"methods"},
    "emde/density.py": lambda: of("density") | {"illustrated", "methods"},
    "profiles/small/profile.yaml": lambda: {f"{kind}--small" for kind in ("tables", "figures")},
    "params/session/vs-knn.yaml": lambda: of("run", "vs-knn") | {"methods"},
    "docs/findings.md": set,
    "README.md": set,
    "benchmark/cli/result_commands.py": set,
    "benchmark/pipelines/pipeline.py": set,
    "benchmark/speed/__main__.py": set,
    "flows/repro.py": set,
}  # fmt: skip


def kind_of(data: str) -> str:
    from benchmark.data import registry

    return registry.get(data).kind


def is_emde(name: str) -> bool:
    """Whether a run stage's method is EMDE or a preset of it."""
    from benchmark.data import registry

    kind: Any = registry.get(name.split("--")[1]).kind
    return settings.load().base(kind, settings_method(name)) in ("emde", "pure-emde")


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_makes_exactly_what_runs_it_stale(path: str) -> None:
    assert (PROJECT / path).exists()
    assert depend_on(path) == EDITS[path]()


def test_how_ties_break_concerns_every_list_and_its_metrics() -> None:
    stale = depend_on("contracts/ranking.py")
    assert of("run") | of("evaluate") | of("ablate") <= stale
    assert not stale & (of("fetch") | of("prepare") | of("page"))


def test_cached_vectors_concern_only_what_makes_some() -> None:
    stale = depend_on("contracts/runtime/cache.py")
    runs = of("run")
    assert {name for name in runs if is_emde(name)} == stale & runs
    assert of("density") <= stale


def test_a_decoder_concerns_emde_only() -> None:
    stale = depend_on("emde/decode.py")
    assert {name for name in of("run") if is_emde(name)} == stale & of("run")
    assert of("ablate") <= stale
    assert not stale & (of("evaluate") | of("tables") | of("site"))


def test_a_cell_of_published_parameters_depends_on_them() -> None:
    stale = depend_on("results/paper/session_rec_tuned.csv")
    assert "run--retail--stan" in stale
    assert "run--rsc15-100k--stan" not in stale
    assert not stale & of("run", "ar")


def test_parameters_are_watched_to_the_data_set() -> None:
    entries = dict(STAGES)
    assert {"params/session/vs-knn.yaml": ["params", "source", "tuned.30music-10pct"]} in (
        entries["run--30music-10pct--vs-knn"]["params"]
    )
    assert {"params/session/vs-knn.yaml": ["params", "source"]} in entries["run--rsc15-100k--vs-knn"]["params"]
    assert {"params/ablations.yaml": ["base.rsc15-100k", "cells.pq"]} in entries["ablate--rsc15-100k--pq"]["params"]


@pytest.mark.parametrize("path", PARAMETERS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_parameters_survive_the_writer_of_dvc(path: Path) -> None:
    """Read and written as ``dvc exp run -S`` does it: the same content, for readers of YAML 1.1 and 1.2."""
    text = path.read_text()
    writer = YAML()
    writer.default_flow_style = False
    stream = io.StringIO()
    writer.dump(writer.load(text), stream)
    content = yaml.safe_load(text)
    assert yaml.safe_load(stream.getvalue()) == content
    assert YAML(typ="safe").load(text) == content
    assert YAML(typ="safe").load(stream.getvalue()) == content
    assert not any(isinstance(value, str) and number(value) for value in leaves(content))


def leaves(node: Any) -> Iterator[Any]:
    """Every value that is no mapping and no list."""
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from leaves(value)
    else:
        yield node


def number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_folders_stand_for_nothing_but_their_code(tmp_path, monkeypatch) -> None:
    for name in (
        "all/a.py",
        "all/in/b.py",
        "some/a.py",
        "some/b.py",
        "with/a.py",
        "with/data.yaml",
        "all/__pycache__/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr("benchmark.pipelines.code_paths.PROJECT", tmp_path)
    found = folded(map(Path, ["all/a.py", "all/in/b.py", "some/a.py", "with/a.py"]))
    assert {path.as_posix() for path in found} == {"all", "some/a.py", "with/a.py"}


def test_code_of_other_packages_is_the_lock() -> None:
    assert code("yaml.reader")[-1] == "requirements.lock"


def test_own_data_get_a_pipeline_of_their_own(tmp_path, monkeypatch) -> None:
    path = copy_parameters(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/registry").mkdir(parents=True)
    entry = yaml.safe_load((PROJECT / "benchmark/data/registry/rsc15-100k.yaml").read_text())
    (tmp_path / "data/registry/shop.yaml").write_text(yaml.safe_dump({**entry, "name": "shop"}))
    known = settings.load(path)
    file = pipeline.write_own(known, "shop", ["s-knn"])
    content = yaml.safe_load(Path(file).read_text())
    assert list(content["stages"]) == [
        "fetch--shop", "prepare--shop", "page--shop", "run--shop--s-knn", "evaluate--shop--s-knn",
    ]  # fmt: skip
    assert "data/registry/shop.yaml" in content["stages"]["prepare--shop"]["deps"]
    assert "pipelines/shop/dvc.yaml" not in pipeline.changes(known), "it stays as its user wrote it"
    for data, methods, message in (
        ("rsc15", [], "expected sessions or ratings that emde data add registered, found 'rsc15'"),
        ("shop", ["knn"], "unknown session method 'knn'"),
    ):
        with pytest.raises(UserError, match=message):
            pipeline.write_own(known, data, methods)
