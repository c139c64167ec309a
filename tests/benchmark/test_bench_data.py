from __future__ import annotations

from benchmark import bench_data


def test_report_counts_what_it_measured():
    found = bench_data.report(clicks=40_000, ratings=30_000)
    assert set(found) == {"rsc15 slices", "cold users"}
    assert (found["rsc15 slices"]["rows"], found["rsc15 slices"]["splits"]) == (40_000, 10)
    assert 25_000 < found["cold users"]["rows"] <= 30_000
    assert found["cold users"]["splits"] == 2
    for part in found.values():
        assert part["parse rows/s"] > 0
        assert part["peak MB"] >= part["MB before"] > 0
