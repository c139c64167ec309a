"""What methods ask of a data set is checked before anything runs, for every profile."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmark.data import registry
from benchmark.experiments import published_parameters, settings
from benchmark.experiments.offered import require_offered
from benchmark.experiments.published_parameters import LACKING, SESSION_METHODS
from contracts import UserError
from emde import EMDE, TopKEMDE

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("profile", settings.load(PROJECT / "params.yaml").profiles)
def test_every_profile_asks_only_what_its_data_offer(profile: str) -> None:
    settings.check_offered(settings.load(PROJECT / "params.yaml"), profile)


@pytest.mark.parametrize(
    ("data", "group", "found"),
    [
        ("rsc15", "user", "attribute:purchase"),
        ("digi", "attribute:colour", "attribute:category, attribute:name, .*user"),
        ("nowp", "attributes", "nothing but events"),
    ],
)
def test_what_a_data_set_lacks_is_one_clear_line(data: str, group: str, found: str) -> None:
    model = EMDE.create({"modalities": [{"group": "session"}, {"group": group}, {"group": "random"}]})
    with pytest.raises(UserError, match=rf"emde-mm: expected what {data} offers \({found}\), found '{group}'"):
        require_offered(model, "emde-mm", registry.get(data))


def test_dislikes_and_prepared_data() -> None:
    """A prepared split counts for what it holds, whatever the registry promises."""
    model = TopKEMDE.create({"dislikes": True})
    require_offered(model, "emde-mm", registry.get("ml20m"))
    with pytest.raises(UserError, match="found 'dislikes'"):
        require_offered(model, "emde-mm", registry.get("retailrocket-sslrec"))
    require_offered(model, "emde-mm", registry.get("retailrocket-sslrec"), {"attributes": {}, "disliked": True})


def test_emde_mm_has_presets_only_and_rows_like_it_follow() -> None:
    chosen = settings.load(PROJECT / "params.yaml")
    with pytest.raises(UserError, match=r"emde-mm\.yaml: tuned: expected a preset for nowp, found: retail, digi"):
        chosen.recommender("session", "emde-mm", "nowp", {}, None, "cpu")
    mm, honest, every = (
        chosen.recommender("session", name, "retail", {}, None, "cpu")
        for name in ("emde-mm", "emde-mm-as-of-train", "emde-mm-all")
    )
    assert honest == mm.model_copy(update={"attributes": "as-of-train"})
    assert every == mm.model_copy(update={"modalities": every.modalities})
    assert (mm.alpha, mm.batch_size, mm.attributes) == (0.9, 256, "all")


def test_every_row_of_the_benchmarks_tuned_values_is_used_or_listed() -> None:
    """In code with its reason, and in docs/neural.md."""
    with open(published_parameters.FOLDER / published_parameters.SESSION_REC, newline="", encoding="utf-8") as stream:
        rows = {(row["method"], row["parameter"]) for row in csv.DictReader(stream)}
    unused = {(method, name) for method, name in rows if name not in SESSION_METHODS.get(method, {})}
    assert {(method, "" if (method, "") in LACKING else name) for method, name in unused} == LACKING.keys()
    text = " ".join((PROJECT / "docs/neural.md").read_text(encoding="utf-8").split())
    assert all(reason in text for reason in LACKING.values())
    chosen = settings.load(PROJECT / "params.yaml")
    stamp, sr_gnn = (chosen.recommender("session", name, "retail", {}, None, "cpu") for name in ("stamp", "sr-gnn"))
    assert (stamp.epochs, stamp.lr) == (10, 0.0008)
    assert (sr_gnn.weight_decay, sr_gnn.lr, sr_gnn.gamma, sr_gnn.lr_step) == (0.000003, 0.0002, 0.54, 3)
