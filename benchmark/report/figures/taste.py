"""Figure 5: what one user may like, on a 2-D map of item embeddings, by three ways to score."""

from __future__ import annotations

import importlib.util
import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

from benchmark.data.load import TopKSplit
from benchmark.report.figures.style import INK, RED, SEQUENTIAL, panels, styled, titled
from contracts import RANDOM, Interactions, Source, TopKRecommender, UserError
from contracts.runtime.cache import cached
from contracts.runtime.json import to_json
from emde import Modality, PureEMDE, TopKEMDE
from emde.modality import item_vectors

PROFILE = (15, 40)
"""Fewest and most fold-in items of the user shown: enough to see a taste, few enough to see each."""
EMBEDDING = Modality(group=Source.group("user"), iterations=2)
FRAME = "#c9ced6"
NAMED, LINE = 3, 58
"""Best items that are named in each panel; letters of a line below it."""


@dataclass(frozen=True)
class TasteMap:
    """Places of all items, one user's fold-in and held-out items, and every way's scores.

    places float [items, 2]; scores name -> float [items]; layout "UMAP" or "PCA"
    """

    places: np.ndarray
    layout: str
    user: str
    names: np.ndarray
    liked: np.ndarray
    heldout: np.ndarray
    scores: dict[str, np.ndarray]


def kept_taste_map(split: TopKSplit) -> TasteMap:
    """``taste_map``, trained once for these data and this code."""

    def make() -> dict[str, np.ndarray]:
        made = dict(vars(taste_map(split)))
        scores = {f"scores {name}": values for name, values in made.pop("scores").items()}
        return {**{name: np.asarray(value) for name, value in made.items()}, **scores}

    kept = cached("taste", __name__, [split.name, split.split, to_json(split.meta["columns"], sort_keys=True)], make)
    scores = {name.removeprefix("scores "): values for name, values in kept.items() if name.startswith("scores ")}
    places, liked, heldout = kept["places"], kept["liked"], kept["heldout"]
    return TasteMap(places, str(kept["layout"]), str(kept["user"]), kept["names"].astype(str), liked, heldout, scores)


def taste_map(split: TopKSplit, seed: int = 0, epochs: int = 10, hidden: int = 2000) -> TasteMap:
    """Fit pure EMDE, conditional EMDE and popularity on the train users, and score all items for one test user.

    The user is the first one whose fold-in has a readable size; raises UserError where there is none.
    """
    sizes = np.diff(split.profiles.liked.indptr)
    fitting = np.flatnonzero((sizes >= PROFILE[0]) & (sizes <= PROFILE[1]))
    if not len(fitting):
        low, high = PROFILE
        raise UserError(f"{split.name}: expected a test user with {low} to {high} fold-in items, found none")
    user = fitting[:1]
    profile = split.profiles.take(user)
    vectors, known = item_vectors(split.train, EMBEDDING)
    pure = PureEMDE(modalities=(EMBEDDING,), n=100, seed=seed).fit(split.train)
    conditional = TopKEMDE(modalities=(EMBEDDING, Modality(group=RANDOM)), hidden=hidden, epochs=epochs, seed=seed)
    conditional.fit(split.train)
    scores = {
        "pure EMDE": _scores(pure, profile),
        "conditional EMDE": _scores(conditional, profile),
        "popularity": np.bincount(split.train.liked.indices, minlength=split.train.n_items).astype(float),
    }
    places, layout = layout_of(vectors[known], seed)
    names = split.item_ids.astype(str) if split.item_names is None else split.item_names
    return TasteMap(
        places,
        layout,
        str(split.user_ids[user[0]]),
        names[known].astype(str),
        np.flatnonzero(np.isin(np.flatnonzero(known), profile.liked.indices)),
        np.flatnonzero(np.isin(np.flatnonzero(known), split.heldout[user].indices)),
        {name: values[known] for name, values in scores.items()},
    )


def _scores(model: TopKRecommender, profile: Interactions) -> np.ndarray:
    """Scores of all items for the only user of a profile: float [items]."""
    items, scores = model.recommend(profile, profile.n_items)
    out = np.empty(profile.n_items)
    out[items[0]] = scores[0]
    return out


def layout_of(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Places [items, 2] by UMAP where umap-learn is installed (``pip install .[umap]``), else by PCA; and its name."""
    if importlib.util.find_spec("umap") is None:
        centred = vectors - vectors.mean(axis=0)
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
        return left[:, :2] * values[:2], "PCA"
    from umap import UMAP

    return UMAP(n_components=2, metric="cosine", random_state=seed, n_jobs=1).fit_transform(vectors), "UMAP"


@styled
def figure_5(taste: TasteMap, data: str) -> Figure:
    """Three maps of all items, coloured by the rank of their score; what the user liked and the best others named."""
    figure, grid = panels(1, len(taste.scores), 4.2, 4.4)
    for axes, (name, values) in zip(grid[0], taste.scores.items(), strict=True):
        share = rankdata(values) / len(values)
        order = np.argsort(share)
        x, y = taste.places[order].T
        dots = axes.scatter(x, y, c=share[order], cmap=SEQUENTIAL, s=5, linewidths=0, rasterized=True, vmin=0, vmax=1)
        axes.scatter(*taste.places[taste.liked].T, marker="o", s=42, facecolors="none", edgecolors=RED, linewidths=1.3,
                     label=f"fold-in: what the user liked ({len(taste.liked)})")  # fmt: skip
        axes.scatter(*taste.places[taste.heldout].T, marker="x", s=34, color=INK, linewidths=1.3,
                     label=f"held out: what is to be found ({len(taste.heldout)})")  # fmt: skip
        axes.set(xticks=[], yticks=[], title=name)
        axes.spines[:].set(visible=True, color=FRAME)
        axes.set_xlabel("\n".join(["best of the others:", *_best(taste, values)]), loc="left", fontsize=8)
    figure.colorbar(dots, ax=list(grid[0]), label="share of items with a lower score", shrink=0.6, pad=0.01)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    title = f"One user's scores of {len(taste.places):,} items: {data}, {taste.layout} of the item embeddings"
    return titled(figure, title)


def _best(taste: TasteMap, values: np.ndarray) -> list[str]:
    others = np.setdiff1d(np.arange(len(values)), taste.liked)
    best = others[np.argsort(-values[others], kind="stable")[:NAMED]]
    return [line for item in best for line in textwrap.wrap(str(taste.names[item]), LINE, subsequent_indent="  ")]
