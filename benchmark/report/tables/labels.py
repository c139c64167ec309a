"""How documents name a method; a name that is not here is shown as it is."""

from benchmark.report.tables.variants import base

LABELS = {
    "als": "ALS (implicit)", "bpr": "BPR (implicit)", "count-min": "Count-min sketch", "hbe": "HBE (paper: FastHBE)",
    "emde-gmean": "EMDE, geometric mean", "emde-median": "EMDE, median thresholds", "emde-n100": "EMDE, N = 100",
    "emde-opq": "EMDE, OPQ", "emde-pq": "EMDE, PQ", "emde-zero": "EMDE, zero thresholds", "race": "RACE",
    "sampling": "Random sampling", "sasrec": "SASRec", "tree-kde": "Ball tree (exact)",
    "ar": "AR", "csrm": "CSRM", "cotrec": "COTREC", "ct": "CT", "dhcn": "DHCN", "ease": "EASE", "emde": "EMDE",
    "emde-mm": "EMDE MM", "emde-random": "EMDE, random codes", "gce-gnn": "GCE-GNN",
    "gru4rec": "GRU4Rec", "ials": "iALS", "item-knn": "Item-KNN", "markov": "Markov", "multvae": "MultVAE",
    "narm": "NARM", "nextitnet": "NextItNet", "p3alpha": "P3alpha", "pop": "Pop", "pure-emde": "Pure EMDE",
    "pure-emde-pop": "Pure EMDE + Pop", "pure-svd": "PureSVD", "random": "Random", "recent-pop": "Recent Pop",
    "rp3beta": "RP3beta", "s-knn": "S-KNN", "session-pop": "Session Pop", "slim": "SLIM", "sr": "SR",
    "sr-gnn": "SR-GNN", "stamp": "STAMP", "stan": "STAN", "tagnn": "TAGNN", "top-pop": "TopPop", "vs-knn": "VS-KNN",
    "vstan": "VSTAN", "vs-knn-found": "VS-KNN, searched", "emde-plus": "EMDE-plus", "emde-searched": "EMDE, searched",
    "emde-plus-one": "EMDE-plus, one model",
    "emde-mm-all": "EMDE MM, all we have", "emde-mm-as-of-train": "EMDE MM, attributes as of train",
}  # fmt: skip


def label(method: str) -> str:
    """The method's name in documents; what stands in brackets behind it stays."""
    name = base(method)
    return LABELS.get(name, name) + method.removeprefix(name)
