"""Every data set of the paper profile, prepared from stand-ins; what the profile's methods need of it is there."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.data import as_is, paths, registry
from benchmark.data.fetch import fetch
from benchmark.data.load import SessionSplit, load_split
from benchmark.data.prepare import prepare
from benchmark.experiments import settings
from benchmark.experiments.offered import require_offered
from contracts.runtime.json import read_json
from tests.paper.standins import HELD_OUT, MAKERS, make

PROFILE = "paper"


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """All stand-ins, prepared: one data root for this file."""
    root = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(root))
        patch.delenv("EMDE_MIRROR", raising=False)
        known = dict(registry._built_in())
        for name, users in HELD_OUT.items():
            known[name] = known[name].model_copy(update={"options": {**known[name].options, "heldout_users": users}})
        patch.setattr(registry, "_built_in", lambda: known)
        for name in MAKERS:
            make(name, paths.raw_dir(name))
            size = sum(path.stat().st_size for path in paths.raw_dir(name).iterdir())
            assert size < 1_500_000, f"{name}: {size} bytes"
            fetch(name, offline=True, as_they_are=True)
            prepare(name)
        for name in ("ml20m-items", "netflix-items"):
            prepare(name)
    return root


@pytest.fixture
def prepared(data_root, monkeypatch):
    monkeypatch.setenv("EMDE_DATA", str(data_root))
    return data_root


def test_every_cell_of_the_profile_finds_what_it_needs(prepared) -> None:
    """In the prepared data, not only in what the registry promises; and the stand-ins are all of the profile's data."""
    chosen = settings.load()
    assert {data for data, _ in chosen.cells(PROFILE)} <= MAKERS.keys()
    for (data, method), cell in chosen.cells(PROFILE).items():
        split = load_split(data)
        model = chosen.recommender(cell.kind, method, data, {}, None, "cpu")
        require_offered(model, method, registry.get(data), split.meta)
        assert split.meta["approximate"] == as_is.STATED
        assert split.n_points > 20


@pytest.mark.parametrize(
    ("data", "groups"),
    [
        ("retail", "session session user attribute:property_6 attribute:property_776 attribute:property_839 random"),
        ("digi", "session session attribute:purchase attribute:name attribute:query random"),
        ("rsc15", "session session attribute:purchase random"),
        ("30mu", "session session user attribute:artist attribute:playlist random"),
        ("ml20m", "user random"),
        ("netflix", "user random"),
    ],
)
def test_emde_mm_has_the_papers_modalities_and_no_other(prepared, data: str, groups: str) -> None:
    split = load_split(data)
    kind = "session" if isinstance(split, SessionSplit) else "topk"
    small = {"hidden": 8, "epochs": 1} | ({} if kind == "topk" else {"layers": 1})
    model = settings.load().recommender(kind, "emde-mm", data, small, None, "cpu").fit(split.train)
    made = model.fit_record["modalities"]
    assert " ".join(one["group"] for one in made) == groups
    assert all(one["known"] > 0 for one in made if one["group"] != "random")


def test_values_of_attributes_after_train_are_there_and_apart(prepared) -> None:
    """In the first slice few items have a property by the end of train; purchases after train stay unseen."""
    first, last = load_split("retail", "0").train, load_split("retail", "4").train
    known = [
        np.mean(np.diff(which["property_6"].indptr) > 0) for which in (first.attributes, first.ever, last.attributes)
    ]
    assert known[0] < 0.5 < known[2]
    assert known[1] == 1
    assert set(first.ever) == {"property_6", "property_776", "property_839", "category"}
    assert load_split("rsc15", "0").train.ever == {}
    tokens = paths.split_dir("retail", "0") / "ever_property_6_tokens.npy"
    assert not any(token.startswith("6=n") for token in np.load(tokens))
    assert "approximate" in read_json(paths.split_dir("digi", "0") / "split.json")
