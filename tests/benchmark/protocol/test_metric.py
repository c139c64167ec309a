"""benchmark.protocol.metric: one parser, one printer."""

from __future__ import annotations

import pytest

from benchmark.protocol.metric import Metric, of_lists


@pytest.mark.parametrize(
    ("label", "metric"),
    [
        ("HR@20", Metric("HR", 20)),
        ("Recall@20(min)", Metric("Recall", 20, "min")),
        ("masked NDCG@10(trunc)", Metric("NDCG", 10, "trunc", masked=True)),
        ("MAP_textbook@5", Metric("MAP_textbook", 5)),
        ("Pearson", Metric("Pearson")),
        ("train time", Metric("train time")),
    ],
)
def test_a_label_is_read_and_written_in_one_way(label: str, metric: Metric) -> None:
    assert Metric.parse(label) == metric
    assert str(metric) == label
    assert of_lists(of_lists(label, masked=True), masked=False) == label.removeprefix("masked ")
