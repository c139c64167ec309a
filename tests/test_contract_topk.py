"""The contract for every top-k method that ``emde methods`` finds: a new file in baselines/topk is covered."""

from __future__ import annotations

from tests.contract import TopKContract, contract_classes

MODALITIES = [{"group": "user", "iterations": 2, "dim": 16}, {"group": "random"}]
SMALL = {
    "hidden": 32, "latent": 8, "epochs": 2, "dim": 16, "n": 4, "k": 4, "batch_size": 32, "dtype": "float32",
    "device": "cpu",
}  # fmt: skip

KNOWN = {
    "top-pop": {"personal": False},
    "item-knn": {"params": {"shrink": 1}},
    "multvae": {"community_params": {"epochs": 40, "lr": 0.02, "batch_size": 80}},
    "slim": {"params": {"l1_ratio": 0.01}},
    "pure-emde": {
        "params": {"n": 10, "k": 4, "device": "cpu", "modalities": [{"group": "user", "iterations": 2, "dim": 16}]},
        "seeds_matter": True,
    },
    "pure-svd": {"params": {"factors": 8}, "community_params": {"factors": 2}},
    "als": {"params": {"factors": 8}, "seeds_matter": True, "community_params": {"factors": 2}},
    "bpr": {"params": {"factors": 8}, "seeds_matter": True, "community_params": {"learning_rate": 0.1}},
    "emde": {
        "params": {name: value for name, value in SMALL.items() if name not in ("dim", "latent")}
        | {"modalities": MODALITIES},
        "community_params": {"epochs": 60, "lr": 0.005},
    },
}

globals().update(contract_classes("topk", TopKContract, KNOWN, SMALL))
