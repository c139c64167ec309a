"""benchmark.experiments.settings: a wrong parameter file is one clear error; what a profile means in cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.data import registry
from benchmark.experiments import methods, published_parameters
from benchmark.experiments.profiles import method_of
from benchmark.experiments.settings import check_parameters, load
from contracts import UserError
from tests.parameters import write_parameters

PROJECT = Path(__file__).parents[3]

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
            "near": {
                "base": "s-knn",
                "params": {"k": 50, "sample_size": 400},
                "source": "somewhere",
                "tuned": {"sample-sessions": {"params": {"k": 7}, "source": "a search"}},
            },
            "emde": {"params": {"hidden": 16}},
        },
        "topk": {"ease": {}, "emde": {}},
    },
    "density": {"digits": {"n": [10], "k": [3], "bandwidth": 1.0, "seeds": 2}},
}

PARAMS_OF_SEARCH = {"params": {"k": 3}, "source": "a search"}


def write(tmp_path: Path, **changes: Any) -> Path:
    """The parameter files with some dotted fields of ``PARAMS`` changed (``__`` for a dot)."""
    content = yaml.safe_load(yaml.safe_dump(PARAMS))
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        target = content
        for parent in parents:
            target = target[parent]
        target[last] = value
    return write_parameters(tmp_path, content)


def test_the_committed_files_are_valid() -> None:
    chosen = load(PROJECT / "params.yaml")
    assert {"sample", "small"} <= set(chosen.profiles)
    check_parameters(chosen)
    for rows in chosen.methods.values():
        for name, row in rows.items():
            assert "params" in row.model_fields_set, f"{name}: what dvc exp run -S may add"


def test_every_committed_cell_can_be_built() -> None:
    chosen = load(PROJECT / "params.yaml")
    for profile in chosen.profiles:
        for (data, method), cell in chosen.cells(profile).items():
            assert chosen.recommender(cell.kind, method, data, {}, None, "cpu")


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


def test_published_parameters_lie_between_the_method_and_what_was_tuned(tmp_path) -> None:
    """Of the row with the method's own name only; each value says where it comes from."""
    rows = {"stan": {"params": {"k": 9, "sample_size": 8}}, "vs-knn": {"tuned": {"rsc15": PARAMS_OF_SEARCH}}}
    chosen = load(write(tmp_path, methods__session__stan=rows["stan"], **{"methods__session__vs-knn": rows["vs-knn"]}))
    stan = chosen.recommender("session", "stan", "rsc15", {}, None, "cpu")
    assert (stan.k, stan.sample_size, stan.lambda_spw) == (1000, 10000, 0.00001)
    assert chosen.recommender("session", "stan", "rsc15-100k", {}, None, "cpu").k == 9
    near = chosen.recommender("session", "vs-knn", "rsc15", {}, None, "cpu")
    assert (near.k, near.sample_size) == (3, 1000)
    assert chosen.sources("session", "stan", "rsc15").startswith("session-rec, docs/")
    assert chosen.sources("session", "vs-knn", "rsc15") == "a search"
    emde = chosen.recommender("session", "emde", "30mu", {}, None, "cpu")
    assert (emde.epochs, emde.batch_size, emde.lr, emde.gamma, emde.n, emde.alpha) == (50, 512, 0.0005, 1, 10, 0.9)
    assert emde.hidden == 16
    als = chosen.recommender("topk", "als", "ml20m", {}, None, "cpu")
    assert (als.factors, als.alpha, als.regularization) == (60, 6.6517, 0.00001)
    origins = {one["name"]: one for one in chosen.origins("session", "vs-knn", "rsc15")}
    file = "params/session/vs-knn.yaml"
    assert origins["k"] == {"name": "k", "value": 3, "source": "a search", "file": file, "key": "tuned.rsc15.params.k"}
    assert origins["sample_size"]["file"] == "results/paper/session_rec_tuned.csv"
    assert origins["sampling"]["source"] == "default of the class"


@pytest.mark.parametrize("data", ["retail", "digi", "rsc15", "30mu", "nowp", "aotm", "ml20m", "netflix"])
def test_every_published_parameter_is_one_of_its_method(data: str) -> None:
    chosen = load(PROJECT / "params.yaml")
    kind = registry.get(data).kind
    found = [name for name in chosen.methods[kind] if published_parameters.find(name, data)]
    assert len(found) > 6
    for name in found:
        assert chosen.recommender(kind, name, data, {}, None, "cpu")


def test_cells(tmp_path) -> None:
    cells = load(write(tmp_path)).cells("one")
    assert list(cells) == [
        ("sample-sessions", "ar"),
        ("sample-sessions", "near"),
        ("sample-sessions", "emde"),
        ("sample-ratings", "ease"),
        ("sample-ratings", "emde"),
    ]
    near = cells["sample-sessions", "near"]
    assert (near.kind, near.name, near.folder) == ("session", "near", "results/generated/cells/sample-sessions/near")
    few = [{"data": ["sample-sessions"], "methods": ["ar"], "sessions": 50, "seeds": 3}]
    cut = load(write(tmp_path, profiles__one__session=few)).cells("one")
    assert cut["sample-sessions", "ar"].name == "ar-3-seeds-50-sessions"
    assert method_of("ar-3-seeds-50-sessions") == "ar"
    assert method_of("ar-50-sessions") == "ar"
    assert method_of("emde-plus") == "emde-plus"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thread": 2}, "thread: .*[Ee]xtra"),
        ({"threads": 0}, "threads: .*greater than or equal to 1, found 0"),
        ({"threads": None}, "threads: .*found None"),
        ({"profiles__one__titel": "x"}, r"profiles/one/profile\.yaml: titel: "),
        (
            {"profiles__one__session": [{"data": ["sample-sessions"]}]},
            r"profiles/one/profile\.yaml: session\.0\.methods: .*required",
        ),
        ({"methods__session__ar": {"param": {}}}, r"params/session/ar\.yaml: param: "),
        (
            {"methods__session__near__tuned": {"sample-sessions": {"params": {}}}},
            r"params/session/near\.yaml: tuned\.sample-sessions\.source: .*required",
        ),
        (
            {"methods__session__near__tuned": {"sample-ratings": PARAMS_OF_SEARCH}},
            r"near\.yaml: tuned: .*sample-ratings",
        ),
        ({"methods": {}}, "ar.* has no file params/session/ar.yaml"),
        ({"more": {}}, r"params\.yaml: more: "),
        ({"density__digits__bandwidth": 0}, r"params/density\.yaml: digits\.bandwidth: .*greater than 0"),
        (
            {"profiles__one__session": [{"data": ["sample-ratings"], "methods": ["ar"]}]},
            "'sample-ratings' is topk data",
        ),
        ({"profiles__one__session": [{"data": ["sample-sessions"], "methods": ["sr"]}]}, "method 'sr' has no file"),
        (
            {"profiles__one__topk": [{"data": ["sample-ratings"], "methods": ["ease"], "sessions": 9}]},
            r"profile\.yaml: topk\.sessions: expected session data only",
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
        {"methods__session__near__tuned": {"sample-session": {"params": {"k": 7}, "source": "x"}}},
        {"methods__session__near__tuned": {"sample-sessions": {"params": {"kk": 7}, "source": "x"}}},
    ],
    ids=["parameter", "base", "tuned data", "tuned parameter"],
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


def test_numbers_as_dvc_writes_them_are_numbers(tmp_path) -> None:
    """DVC's writer makes 1e-05 of 0.00001, which YAML 1.1 reads as text."""
    write(tmp_path)
    (tmp_path / "params/session/near.yaml").write_text("base: s-knn\nparams: {lr: 1e-05, k: 1.5e+3, name: 1e}\n")
    row = load(tmp_path / "params.yaml").methods["session"]["near"]
    assert row.params == {"lr": 0.00001, "k": 1500.0, "name": "1e"}


@pytest.mark.parametrize("name", ["a b", "x.y"])
def test_profiles_are_named_as_stages_may_be(tmp_path, name: str) -> None:
    write(tmp_path, profiles={name: {"title": "t"}})
    with pytest.raises(UserError, match="expected a folder name of letters"):
        load(tmp_path / "params.yaml")


def test_seeds_of_a_cell(tmp_path) -> None:
    """Seeded methods run once per seed, one apart; the others once."""
    chosen = load()
    assert chosen.seeds("session", "emde-mm", None, 3) == [chosen.seed, chosen.seed + 1, chosen.seed + 2]
    assert chosen.seeds("session", "emde", 7, 2) == [7, 8]
    assert chosen.seeds("session", "emde", None, 1) == [None]
    assert chosen.seeds("session", "ar", None, 3) == [None]
    path = write(tmp_path, profiles__one__session=[{"data": ["retail"], "methods": ["ar"], "seeds": 0}])
    with pytest.raises(UserError, match=r"session\.0\.seeds: Input should be greater than or equal to 1"):
        load(path)
