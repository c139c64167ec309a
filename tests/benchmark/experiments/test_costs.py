"""Costs lie beside results: taken apart, found again by the content of the result, and by no other."""

from __future__ import annotations

from pathlib import Path

from benchmark.experiments import costs
from contracts.runtime.json import read_json, write_json

RUN = {"data": "d", "lists_sha256": "ab", "history": [{"epoch": 1.0}], "seconds": {"fit": 2.0}, "code": "c"}
ROW = {"method": "dlsh", "bytes": 3, "query_us": {"mean": 1.0}, "fit_s": {"mean": 2.0}}
DENSITY = {"data": "digits", "rows": [ROW], "peak_rss_mb": 7.0}


def test_a_result_without_its_costs_holds_none_and_finds_them_again(tmp_path: Path) -> None:
    """At <root>/costs/<rest> for <root>/<rest>, however deep the file lies."""
    for result, rest in ((RUN, "cells/d/ar/runs/run.json"), (DENSITY, "density/digits.json")):
        kept = costs.write(result, tmp_path / "costs" / rest)
        assert not set(kept) & set(costs.FIELDS)
        assert not any(set(row) & set(costs.OF_ROWS) for row in kept.get("rows", []))
        assert costs.read(write_json(tmp_path / rest, kept)) == result
    assert costs.write(RUN, None) == RUN


def test_costs_of_an_earlier_result_are_not_taken(tmp_path: Path) -> None:
    kept = costs.write(RUN, tmp_path / "costs/cells/d/ar/0-1.json")
    other = {**kept, "lists_sha256": "cd"}
    place = write_json(tmp_path / "cells/d/ar/evaluation.json", [{"run": kept, "metrics": {}}, {"run": other}])
    first, second = costs.read(place)
    assert first == {"run": RUN, "metrics": {}}
    assert second == {"run": other}


def test_an_evaluation_has_the_costs_of_its_own(tmp_path: Path) -> None:
    kept, spent = costs.apart({"run": {"data": "d"}, "evaluation_peak_rss_mb": 9.0})
    write_json(tmp_path / "costs/cells/d/ar/evaluation.json", [spent])
    assert costs.evaluated([kept], tmp_path / "cells/d/ar/runs")[0]["evaluation_peak_rss_mb"] == 9.0
    assert costs.evaluated([kept], tmp_path / "costs/cells/d/ar")[0]["evaluation_peak_rss_mb"] == 9.0
    assert costs.evaluated([kept], tmp_path / "elsewhere")[0] == kept
    assert read_json(tmp_path / "costs/cells/d/ar/evaluation.json")[0]["of"]
