"""How documents name a method; a name that is not here is shown as it is."""

LABELS = {
    "als": "ALS (implicit)", "bpr": "BPR (implicit)", "count-min": "Count-min sketch", "hbe": "HBE",
    "emde-gmean": "EMDE, geometric mean", "emde-median": "EMDE, median thresholds", "emde-n100": "EMDE, N = 100",
    "emde-opq": "EMDE, OPQ", "emde-pq": "EMDE, PQ", "emde-zero": "EMDE, zero thresholds", "race": "RACE",
    "sampling": "Random sampling", "sasrec": "SASRec", "tree-kde": "Ball tree (exact)",
    "ar": "AR", "csrm": "CSRM", "cotrec": "COTREC", "ct": "CT", "dhcn": "DHCN", "ease": "EASE", "emde": "EMDE",
    "emde-mm": "EMDE MM", "emde-random": "EMDE, random codes", "fasthbe": "FastHBE", "gce-gnn": "GCE-GNN",
    "gru4rec": "GRU4Rec", "ials": "iALS", "item-knn": "Item-KNN", "markov": "Markov", "multvae": "MultVAE",
    "narm": "NARM", "nextitnet": "NextItNet", "p3alpha": "P3alpha", "pop": "Pop", "pure-emde": "Pure EMDE",
    "pure-emde-pop": "Pure EMDE + Pop", "pure-svd": "PureSVD", "random": "Random", "recent-pop": "Recent Pop",
    "rp3beta": "RP3beta", "s-knn": "S-KNN", "session-pop": "Session Pop", "slim": "SLIM", "sr": "SR",
    "sr-gnn": "SR-GNN", "stamp": "STAMP", "stan": "STAN", "tagnn": "TAGNN", "top-pop": "TopPop", "vs-knn": "VS-KNN",
    "vstan": "VSTAN", "vs-knn-found": "VS-KNN, searched", "emde-plus": "EMDE-plus",
}  # fmt: skip


def label(method: str) -> str:
    """The method's name in documents."""
    return LABELS.get(method, method)
