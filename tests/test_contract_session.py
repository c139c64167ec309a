"""The contract for every session method that ``emde methods`` finds: a new file in baselines/session is covered."""

from __future__ import annotations

from tests.contract import SessionContract, contract_classes

MODALITIES = [{"group": "session", "iterations": 2, "dim": 16}, {"group": "random"}]
SMALL = {
    "hidden": 32, "epochs": 2, "dim": 16, "n": 4, "k": 4, "batch_size": 32, "dtype": "float32", "device": "cpu",
}  # fmt: skip
LONGER = {"cycle_params": {"epochs": 60, "lr": 0.01, "validation": 0.0}}
GRAPH = {"cycle_params": {**LONGER["cycle_params"], "lr_step": 0}}
GRU = {"layers": (16,), "n_sample": 8, "epochs": 2, "batch_size": 8, "device": "cpu"}
COMPANY, NOTHING = {"knows": "company"}, {"knows": "nothing"}

KNOWN = {
    # symmetric: the item before is as close as the item after
    "ar": COMPANY,
    "item-knn": COMPANY | {"params": {"lambda_": 0}},
    # neighbours' items in whatever order; those of the prefix come first
    "s-knn": COMPANY,
    "vs-knn": COMPANY,
    "stan": COMPANY,
    "vstan": COMPANY,
    "pop": NOTHING,
    "recent-pop": NOTHING,
    "session-pop": NOTHING,
    "stamp": LONGER,
    "narm": LONGER,
    "nextitnet": LONGER,
    "sasrec": LONGER,
    "gru4rec": LONGER | {"params": GRU},
    "sr-gnn": GRAPH,
    "tagnn": GRAPH,
    "gce-gnn": GRAPH,
    "emde": {
        "params": {name: value for name, value in SMALL.items() if name != "dim"} | {"modalities": MODALITIES},
        "cycle_params": {"epochs": 60, "lr": 0.005},
    },
}

globals().update(contract_classes("session", SessionContract, KNOWN, SMALL))
