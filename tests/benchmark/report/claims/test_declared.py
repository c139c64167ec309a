"""The declared claims: sound, each with a source, and every reference in them leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark.experiments import settings
from benchmark.report.claims.declaration import (
    FOLDER,
    Ablated,
    Checked,
    Claim,
    Estimated,
    Paired,
    Scaled,
    declared,
    read,
)
from benchmark.report.claims.kept_rows import Evidence, folders
from benchmark.report.published import paper_tables
from contracts import Kind, UserError
from tests.test_imports import PROJECT

CLAIMS = declared()
NO_LEVEL = {"normalisation/L2 per depth", "normalisation/none"}
"""Levels that claims need and params.yaml does not have yet: they are reported as such."""


def test_at_least_twenty_five_claims_each_once() -> None:
    assert len(CLAIMS) >= 25
    assert set(CLAIMS) == {path.stem for path in FOLDER.glob("*.yaml")}
    assert len({claim.statement for claim in CLAIMS.values()}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_claim_has_a_source_and_leads_somewhere(claim: Claim) -> None:
    assert any(word in claim.where for word in ("Section", "Table", "article", "tables"))
    chosen = settings.load()
    for part in claim.evidence:
        if isinstance(part, Paired):
            for wanted in (part.first, part.second):
                for data in part.data:
                    kind: Kind = "session" if "@20" in part.metrics[0] and "MRR" in part.metrics[0] else "topk"
                    assert chosen.estimator(kind, wanted.method, data, wanted.settings, None, "cpu")
        if isinstance(part, Ablated):
            for name in {part.first, part.second} - NO_LEVEL:
                factor, _, label = name.partition("/")
                assert label in chosen.ablations.factors[factor], name
        if isinstance(part, Checked):
            for name in part.tests:
                path, _, function = name.partition("::")
                assert f"def {function}(" in (PROJECT / path).read_text(encoding="utf-8"), name
        if (paper := getattr(part, "paper", None)) is not None:
            printed = {key[2] for key in paper_tables() if key[0] == paper.table}
            assert {paper.first, paper.second} <= printed, claim.id


def test_what_densities_and_reports_are_asked_for_is_kept() -> None:
    kept = Evidence(folders(), settings.load())
    for claim in CLAIMS.values():
        for part in claim.evidence:
            if isinstance(part, Estimated) and part.second:
                assert all(part.second in {row["method"] for row in kept.densities[data]["rows"]} for data in part.data)
            if isinstance(part, Scaled):
                (slopes,) = [s for r in kept.benches if (s := r.get("sections", {}).get("scaling"))]
                known = {(s["method"], s["axis"], s["cost"]) for s in slopes["results"]["slopes"]}
                assert {(part.method, axis, cost) for axis in part.axes for cost in part.costs} <= known


def written(folder: Path, name: str = "one", **changes: object) -> Path:
    content = {
        "id": "one", "topic": "Density", "order": 1, "statement": "It is so.", "where": "Section 1",
        "evidence": [{"kind": "untestable", "why": "a reason"}],
    } | changes  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "other"}, "id: expected the file's name 'one', found 'other'"),
        ({"where": None}, "where: Field required"),
        ({"evidence": []}, "evidence: List should have at least 1 item"),
        ({"topic": "Weather"}, "topic: Input should be"),
        ({"claimed_by": "me"}, "claimed_by: Extra inputs"),
        ({"evidence": [{"kind": "hearsay"}]}, "evidence.0: "),
        ({"evidence": [{"kind": "paired", "first": "emde", "second": "sr", "metrics": ["HR@20"], "data": ["mars"]}]},
         "evidence.0.data: expected known data sets, found 'mars'"),
        ({"evidence": [{"kind": "density", "rule": "close", "second": "hbe", "data": ["digits"]}]}, "margin"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_declaration_is_named(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("id: [")
    with pytest.raises(UserError, match="expected valid YAML"):
        read(tmp_path / "one.yaml")


def test_two_claims_of_one_place_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, name="two", id="two")
    with pytest.raises(UserError, match="expected one claim 1 of 'Density', found one and two"):
        declared(tmp_path)
