# ruff: noqa: T201
"""A start for a paper: load kept results, draw a figure, print a LaTeX table (python docs/paper.py [PICTURE]).

Cells as in a notebook (# %%); a test runs it, and checks that docs/pictures/rsc15-100k.png shows what is kept now.
"""

# %% Results: a row per run and metric, a few rows of them
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from benchmark import results
from benchmark.cli.main import main

ROWS = {
    "ar": "AR", "sr": "SR", "s-knn": "S-KNN", "vs-knn": "VS-KNN", "vstan": "VSTAN", "gru4rec": "GRU4Rec",
    "gce-gnn": "GCE-GNN", "emde": "EMDE, paper's settings", "emde-searched": "EMDE, searched settings",
}  # fmt: skip
frame = results(kept=["small", "neural-baselines", "rsc15-emde", "paper-settings"])
chosen = frame[(frame.data == "rsc15-100k") & (frame.split == "published") & (frame.metric == "MRR@20")]
values = chosen.groupby("row")[["value", "low", "high"]].mean().reindex(list(ROWS)).dropna().sort_values("value")
print(values.round(4).to_string())

# %% A figure, 3.4 inches wide: one column of most papers
mpl.use("Agg")
figure, axes = plt.subplots(figsize=(3.4, 2.4), layout="constrained")
colours = ["#0072b2" if row.startswith("emde") else "#666666" for row in values.index]
bars = [values["value"] - values["low"], values["high"] - values["value"]]
axes.errorbar(values["value"], range(len(values)), xerr=bars, fmt="none", ecolor=colours, linewidth=1.2)
axes.scatter(values["value"], range(len(values)), color=colours, s=18, zorder=3)
axes.set_yticks(range(len(values)), [ROWS[row] for row in values.index], fontsize=8)
axes.set_xlabel("MRR@20, rsc15-100k", fontsize=8)
axes.tick_params(axis="x", labelsize=8)
shown = "; ".join(f"{row} {value:.4f}" for row, value in values["value"].items())
picture = Path(sys.argv[1] if len(sys.argv) > 1 else "rsc15-100k.png")
figure.savefig(picture, dpi=200, metadata={"Description": shown, "Software": None})

# %% A table as it goes into the paper
main(["tables", "--results", "results/reported/small", "--table", "small", "--format", "tex"])
