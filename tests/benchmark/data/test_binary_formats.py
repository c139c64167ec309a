"""IDX files and pickles: exact layouts, and nothing in them may run."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np
import pytest
import scipy.sparse as sp

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.parsers.pickles import read_plain, read_sparse
from benchmark.data.parsers.srgnn import join_prefixes
from benchmark.data.splits import build
from contracts import UserError


def test_idx_files(tmp_path):
    dataset = registry.get("mnist")
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 1, 2) + bytes([0, 255, 51, 0])
    (tmp_path / dataset.options["images"]).write_bytes(gzip.compress(images))
    (tmp_path / dataset.options["labels"]).write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2) + bytes([3, 4])))
    table = parse(dataset, tmp_path).table
    np.testing.assert_allclose(table.vectors, [[0, 1], [0.2, 0]])
    assert table.labels.tolist() == [3, 4]
    (tmp_path / dataset.options["images"]).write_bytes(gzip.compress(images[:-1]))
    with pytest.raises(UserError, match=r"expected 4 values for the shape \(2, 1, 2\), found 3"):
        parse(dataset, tmp_path)


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_pickles_run_nothing(tmp_path, capsys):
    path = tmp_path / "a.pkl"
    for value in (Evil(), [1, {"x": Evil()}], np.arange(3), sp.eye(3, format="csr")):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(UserError, match="expected plain lists"):
            read_plain(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="expected plain lists"):
        read_sparse(path)
    assert capsys.readouterr().out == ""
    path.write_bytes(pickle.dumps(([[1, 2]], [3]), protocol=2))
    assert read_plain(path) == ([[1, 2]], [3])
    path.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="not a pickle"):
        read_plain(path)


def test_sessions_from_prefixes():
    prefixes = [[1, 2, 3], [1, 2], [1], [1], [4, 4], [4]]
    assert join_prefixes(prefixes, [4, 3, 2, 5, 4, 4]) == [[1, 2, 3, 4], [1, 5], [4, 4, 4]]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([[1, "2"]], ([[1]], [2]), "session 0: expected a non-empty list of ints"),
        ([[1, 2]], ([[1]], []), "expected .prefixes, targets. of the same length"),
        ([[1, 2]], ([[1, 2], [9]], [3, 2]), "point 1: expected"),
    ],
)
def test_srgnn_malformed(tmp_path, train, test, message):
    (tmp_path / "all_train_seq.txt").write_bytes(pickle.dumps(train))
    (tmp_path / "test.txt").write_bytes(pickle.dumps(test))
    with pytest.raises(UserError, match=message):
        parse(registry.get("nowplaying-gcegnn"), tmp_path)


def test_the_step_between_events_of_which_only_the_order_is_known(tmp_path):
    (tmp_path / "all_train_seq.txt").write_bytes(pickle.dumps([[1, 2], [2, 1]] * 10))
    (tmp_path / "test.txt").write_bytes(pickle.dumps(([[1]], [2])))
    known = registry.get("nowplaying-gcegnn")

    def read(**options):
        dataset = known.model_copy(update={"options": {"protocol": "sr-gnn", **options}})
        return next(iter(build(dataset, parse(dataset, tmp_path))))

    assert known.options["step_seconds"] == 1.0
    assert registry.get("retailrocket-dhcn").options["step_seconds"] == 60.0
    assert read().columns["test_times"].tolist() == [40, 41]
    minutes = read(step_seconds=60)
    assert minutes.columns["train_times"][:3].tolist() == [0, 60, 120]
    assert minutes.meta["step_seconds"] == 60.0
    for wrong in (0, -1.0, float("inf"), "a minute"):
        with pytest.raises(UserError, match="step_seconds: expected seconds above 0"):
            read(step_seconds=wrong)


def write_behaviours(folder, view=((0, 0, 9), (1, 3, 9)), test=((0, 1), (1, 2))):
    def matrix(cells):
        rows, columns, values = np.array(cells).T
        return sp.csr_matrix((values, (rows, columns)), shape=(2, 5))

    options = registry.get("retailrocket-sslrec").options
    files = {
        options["train"]: matrix([(0, 0, 5), (0, 2, 6), (1, 0, 7)]),
        options["test"]: matrix([(*t, 1) for t in test]),
    }
    files |= {options["further"]["view"]: matrix(view), options["further"]["cart"]: matrix([(0, 0, 8)])}
    for name, value in files.items():
        (folder / name).write_bytes(pickle.dumps(value))


def test_purchases_with_views_and_carts(tmp_path):
    dataset = registry.get("retailrocket-sslrec")
    write_behaviours(tmp_path)
    parsed = parse(dataset, tmp_path)
    assert parsed.counts == {"purchases": 3, "held-out purchases": 2, "view": 2, "cart": 1}
    parts = {part.name: part for part in build(dataset, parsed)}
    test = parts["leave-one-out"]
    assert test.item_ids.tolist() == [0, 1, 2, 3, 4], "items that were only viewed can be recommended too"
    assert test.columns["train_liked_indices"].tolist() == [0, 2, 0]
    assert test.columns["heldout_indices"].tolist() == [1, 2]
    assert "candidates_indices" not in test.columns
    assert test.meta["attributes"] == {"view": 2, "cart": 1}
    valid = parts["leave-one-out:valid"].columns
    held = valid["heldout_indices"].tolist()
    assert held in ([0], [2]), "only user 0 has two purchases"
    viewed = valid["attribute_view_indptr"]
    assert (viewed[1] - viewed[0] == 0) == (held == [0]), "the view of the held-out item is hidden"


def test_behaviours_that_would_give_the_target_away(tmp_path):
    dataset = registry.get("retailrocket-sslrec")
    write_behaviours(tmp_path, view=[(0, 1, 9)])
    with pytest.raises(UserError, match="expected no held-out pair among 'view', found 1"):
        parse(dataset, tmp_path)
    write_behaviours(tmp_path, test=[(0, 1)])
    with pytest.raises(UserError, match="expected one item for each of 2 users"):
        parse(dataset, tmp_path)
