"""benchmark.settings: a wrong params.yaml is one clear error; what a profile means in cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark import methods, settings
from benchmark.data import registry
from benchmark.settings import check_parameters, load, profile_content
from contracts import UserError

PROJECT = Path(__file__).parents[2]

PARAMS: dict[str, Any] = {
    "threads": 2,
    "seed": 5,
    "profiles": {
        "one": {
            "title": "one",
            "session": [{"data": ["sample-sessions"], "methods": ["ar", "near", "emde"]}],
            "topk": [{"data": ["sample-ratings"], "methods": ["ease", "emde"]}],
            "density": ["digits"],
        }
    },
    "methods": {
        "session": {
            "ar": {},
            "near": {"base": "s-knn", "params": {"k": 50, "sample_size": 400}, "source": "somewhere"},
            "emde": {"params": {"hidden": 16}},
        },
        "topk": {"ease": {}, "emde": {}},
    },
    "tuned": {"sample-sessions": {"near": {"params": {"k": 7}, "source": "a search"}}},
    "density": {"digits": {"n": [10], "k": [3], "bandwidth": 1.0, "seeds": 2}},
}


def write(tmp_path: Path, **changes: Any) -> Path:
    """params.yaml with some dotted fields changed (``__`` for a dot)."""
    content = yaml.safe_load(yaml.safe_dump(PARAMS))
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        target = content
        for parent in parents:
            target = target[parent]
        target[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_committed_file_is_valid() -> None:
    chosen = load(PROJECT / "params.yaml")
    raw = yaml.safe_load((PROJECT / "params.yaml").read_text())
    assert {"sample", "small"} <= set(chosen.profiles)
    for profile in chosen.profiles:
        for name, cell in chosen.cells(profile).items():
            assert name == f"{cell['data']}--{cell['method']}"
            assert (PROJECT / cell["code"]).is_file(), cell
            assert (PROJECT / cell["shared"]).exists(), cell
            for dotted in (cell["params"], cell["tuned"]):
                node: Any = raw
                for part in dotted.split("."):
                    node = node[part]  # DVC finds every parameter that it is told to watch


def test_every_committed_row_can_be_built() -> None:
    """Presets and tuned parameters are valid for their methods."""
    chosen = load(PROJECT / "params.yaml")
    for kind, rows in chosen.methods.items():
        for name in rows:
            chosen.estimator(kind, name, "any", {}, None, "cpu")
    for data, rows in chosen.tuned.items():
        for name in rows:
            kind = registry.get(data).kind
            assert name in chosen.methods[kind], f"tuned.{data}.{name} is no row"
            assert chosen.recommender(kind, name, data, {}, None, "cpu")


def test_layers(tmp_path) -> None:
    """Class defaults < method < tuned for the data < overrides; seed and device where a method has them."""
    chosen = load(write(tmp_path))
    plain = methods.find("session", "s-knn").create({})
    near = chosen.recommender("session", "near", "rsc15", {}, None, "cpu")
    assert (near.k, near.sample_size, near.sampling, near.seed) == (50, 400, plain.sampling, 5)
    tuned = chosen.recommender("session", "near", "sample-sessions", {}, 9, "cpu")
    assert (tuned.k, tuned.sample_size, tuned.seed) == (7, 400, 9)
    forced = chosen.recommender("session", "near", "sample-sessions", {"k": 3, "seed": 2}, 9, "cpu")
    assert (forced.k, forced.sample_size, forced.seed) == (3, 400, 2)
    assert chosen.sources("session", "near", "sample-sessions") == "a search"
    assert chosen.sources("session", "near", "rsc15") == "somewhere"
    assert chosen.sources("session", "ar", "rsc15") == "defaults"
    emde = chosen.recommender("session", "emde", "rsc15", {}, None, "cuda")
    assert (emde.hidden, emde.device, emde.seed) == (16, "cuda", 5)
    assert chosen.recommender("session", "vs-knn", "rsc15", {}, None, "cpu").k == 100  # no row: the class itself
    with pytest.raises(UserError, match="near: unknown parameter 'kk'"):
        chosen.recommender("session", "near", "rsc15", {"kk": 1}, None, "cpu")
    with pytest.raises(UserError, match=r"unknown session method 'far'; expected one of: .*vs-knn"):
        chosen.recommender("session", "far", "rsc15", {}, None, "cpu")
    with pytest.raises(UserError, match="unknown topk method 'vs-knn'"):
        chosen.recommender("topk", "vs-knn", "rsc15", {}, None, "cpu")


def test_cells(tmp_path) -> None:
    cells = load(write(tmp_path)).cells("one")
    assert list(cells) == [
        "sample-sessions--ar",
        "sample-sessions--near",
        "sample-sessions--emde",
        "sample-ratings--ease",
        "sample-ratings--emde",
    ]
    assert cells["sample-sessions--near"] == {
        "data": "sample-sessions",
        "method": "near",
        "seeds": "1",
        "cut": "",
        "code": "baselines/session/s_knn.py",
        "shared": "baselines/session/shared",
        "vectors": "benchmark/data/load.py",
        "params": "methods.session.near",
        "tuned": "tuned.sample-sessions.near",
    }
    assert cells["sample-sessions--ar"]["tuned"] == "methods.session.ar"
    few = [{"data": ["sample-sessions"], "methods": ["ar"], "sessions": 50}]
    cut = load(write(tmp_path, profiles__one__session=few)).cells("one")
    assert cut["sample-sessions--ar"]["cut"] == " --sessions 50"
    assert (cells["sample-sessions--emde"]["code"], cells["sample-sessions--emde"]["shared"]) == (
        "emde/session.py",
        "emde",
    )
    assert cells["sample-ratings--emde"]["code"] == "emde/topk.py"


def test_a_cell_that_takes_item_vectors_depends_on_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(settings, "project_root", lambda: tmp_path)
    params = {"modalities": [{"group": "vectors:text"}]}
    path = write(tmp_path, tuned={"sample-sessions": {"emde": {"params": params, "source": "x"}}})
    assert load(path).cells("one")["sample-sessions--emde"]["vectors"] == "benchmark/data/load.py"
    (tmp_path / "data/vectors/sample-sessions").mkdir(parents=True)
    cells = load(path).cells("one")
    assert cells["sample-sessions--emde"]["vectors"] == "data/vectors/sample-sessions"
    assert cells["sample-sessions--ar"]["vectors"] == "benchmark/data/load.py"


def test_profile_file(tmp_path) -> None:
    content = yaml.safe_load(profile_content(load(write(tmp_path)), "one"))
    assert content["profile"] == "one"
    assert sorted(content["data"]) == ["digits", "sample-ratings", "sample-sessions"]
    assert len(content["cells"]) == 5
    assert content["vectors"] == ["digits"]
    assert content["derived"] == {}
    assert list(content["pages"]) == list(content["data"])


def test_profile_file_brings_what_a_data_set_is_made_from(tmp_path) -> None:
    changed = {"density": {"movielens-1m-items": PARAMS["density"]["digits"]}, "profiles__one__topk": [],
               "profiles__one__session": [], "profiles__one__density": ["movielens-1m-items"]}  # fmt: skip
    content = yaml.safe_load(profile_content(load(write(tmp_path, **changed)), "one"))
    assert list(content["data"]) == ["movielens-1m"]
    entry = "benchmark/data/registry/movielens-1m-items.yaml"
    assert content["derived"] == {"movielens-1m-items": {"registry": entry, "source": "movielens-1m"}}
    assert sorted(content["pages"]) == ["movielens-1m", "movielens-1m-items"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thread": 2}, "thread: .*[Ee]xtra"),
        ({"threads": 0}, "threads: .*greater than or equal to 1, found 0"),
        ({"threads": None}, "threads: .*found None"),
        ({"profiles__one__titel": "x"}, r"profiles\.one\.titel: "),
        (
            {"profiles__one__session": [{"data": ["sample-sessions"]}]},
            r"profiles\.one\.session\.0\.methods: .*required",
        ),
        ({"methods__session__ar": {"param": {}}}, r"methods\.session\.ar\.param: "),
        ({"methods__sessions": {}}, r"methods\.sessions"),
        ({"tuned": {"sample-sessions": {"near": {"params": {}}}}}, r"tuned\.sample-sessions\.near\.source: .*required"),
        ({"density__digits__bandwidth": 0}, r"density\.digits\.bandwidth: .*greater than 0"),
        (
            {"profiles__one__session": [{"data": ["sample-ratings"], "methods": ["ar"]}]},
            "'sample-ratings' is topk data",
        ),
        ({"profiles__one__session": [{"data": ["sample-sessions"], "methods": ["sr"]}]}, "method 'sr' has no line"),
        (
            {"profiles__one__topk": [{"data": ["sample-ratings"], "methods": ["ease"], "sessions": 9}]},
            r"profiles\.one\.topk\.sessions: expected session data only",
        ),
        ({"profiles__one__density": ["mnist"]}, "'mnist' needs vectors and an entry"),
        ({"profiles__one__density": ["sample-sessions"]}, "'sample-sessions' needs vectors"),
        ({"profiles__one__session": [{"data": ["nowhere"], "methods": ["ar"]}]}, "nowhere"),
    ],
)
def test_wrong_params_are_named(tmp_path, changes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(write(tmp_path, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"methods__session__near": {"base": "s-knn", "params": {"kk": 50}}},
        {"methods__session__near": {"base": "s-kn"}},
        {"tuned": {"sample-sessions": {"nearr": {"params": {"k": 7}, "source": "x"}}}},
        {"tuned": {"sample-session": {"near": {"params": {"k": 7}, "source": "x"}}}},
    ],
    ids=["parameter", "base", "tuned method", "tuned data"],
)
def test_misspelt_names_are_not_ignored(tmp_path, changes) -> None:
    """Every name used must exist, and every parameter set must be valid, before anything runs."""
    with pytest.raises(UserError):
        check_parameters(load(write(tmp_path, **changes)))


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t- x", ""])
def test_no_yaml(tmp_path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml: ") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path) -> None:
    with pytest.raises(UserError, match="expected the parameter file, found nothing"):
        load(tmp_path / "params.yaml")


def test_unknown_profile(tmp_path) -> None:
    with pytest.raises(UserError, match="unknown profile 'two'; expected one of: one"):
        load(write(tmp_path)).cells("two")


def test_choosing_a_profile(tmp_path, monkeypatch) -> None:
    write(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    assert settings.current_profile() == "sample"
    path = settings.write_profile("one")
    assert path == tmp_path / "profile.yaml"
    assert settings.current_profile() == "one"
    before = path.stat().st_mtime_ns
    settings.write_profile("one")
    assert path.stat().st_mtime_ns == before, "an unchanged file stays: DVC has nothing to do"
    with pytest.raises(UserError, match="unknown profile"):
        settings.write_profile("two")
    assert settings.current_profile() == "one"


def test_seeds_of_a_cell(tmp_path) -> None:
    """Seeded methods run once per seed, one apart; the others once."""
    chosen = load()
    assert chosen.seeds("session", "emde-mm", None, 3) == [chosen.seed, chosen.seed + 1, chosen.seed + 2]
    assert chosen.seeds("session", "emde", 7, 2) == [7, 8]
    assert chosen.seeds("session", "emde", None, 1) == [None]
    assert chosen.seeds("session", "ar", None, 3) == [None]
    raw = yaml.safe_load((PROJECT / "params.yaml").read_text())
    raw["profiles"]["p"] = {"title": "t", "session": [{"data": ["retail"], "methods": ["ar"], "seeds": 0}]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(UserError, match=r"profiles\.p\.session\.0\.seeds: Input should be greater than or equal to 1"):
        load(tmp_path / "params.yaml")
