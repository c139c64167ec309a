"""Film ratings in ML-20M's format: ratings.csv and movies.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from benchmark.data.generate import latent
from contracts.strict import Strict

GENRES = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
START = 1100000000


class RatingSettings(Strict):
    """Sizes and noise. A user has two tastes on the torus and likes films near them."""

    seed: int = 0
    users: int = Field(1200, ge=10)
    items: int = Field(500, ge=20)
    clusters: int = Field(20, ge=1)
    mean_ratings: float = Field(50, gt=1, description="ratings per user")
    spread: float = Field(0.05, gt=0, description="sd of films around their cluster's centre")
    taste: float = Field(0.12, gt=0, description="sd of what a user likes around each taste")
    zipf: float = Field(0.7, ge=0)
    noise: float = Field(0.15, ge=0, le=1, description="weight of films far from both tastes")
    attribute_noise: float = Field(0.1, ge=0, le=1)


def write(parameters: RatingSettings, folder: Path) -> None:
    """Write ratings.csv, movies.csv and truth.csv."""
    p = parameters
    random = np.random.default_rng(p.seed)
    world = latent.draw(random, p.items, p.clusters, p.spread, p.zipf)
    raw_ids = np.sort(1 + random.permutation(8 * p.items)[: p.items])
    _write_movies(p, world, raw_ids, random, folder / "movies.csv")
    _ratings(p, world, raw_ids, random).to_csv(folder / "ratings.csv", index=False)
    truth = {"item": raw_ids, "cluster": world.cluster, "x": world.positions[:, 0], "y": world.positions[:, 1]}
    pd.DataFrame(truth | {"popularity": world.popularity}).to_csv(
        folder / "truth.csv", index=False, float_format="%.8g"
    )


def _ratings(p: RatingSettings, world: latent.Latent, raw_ids: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """``userId,movieId,rating,timestamp``: what is near a taste is watched more and liked more."""
    tastes = random.random((p.users, 2, 2))
    liking = np.maximum(*(latent.closeness(tastes[:, taste], world.positions, p.taste) for taste in (0, 1)))
    weights = world.popularity * (liking + p.noise * liking.mean())
    counts = np.clip(random.lognormal(np.log(p.mean_ratings) - 0.32, 0.8, p.users), 5, p.items // 2).astype(int)
    # The n largest of log(weight) + Gumbel noise are n draws without replacement.
    keys = np.log(weights + 1e-300) + random.gumbel(size=weights.shape)
    order = np.argsort(-keys, axis=1, kind="stable")
    users = np.repeat(np.arange(p.users), counts)
    items = order[np.arange(p.items) < counts[:, None]]
    score = 3.0 + 1.8 * liking[users, items] + random.normal(0, 0.7, len(users))
    ratings = np.clip(np.round(score * 2) / 2, 0.5, 5.0)
    begin = START + random.integers(5 * 365 * 86400, size=p.users)
    stamps = begin[users] + random.integers(90 * 86400, size=len(users))
    frame = pd.DataFrame({"userId": users + 1, "movieId": raw_ids[items], "rating": ratings, "timestamp": stamps})
    return frame.sort_values(["userId", "movieId"], kind="stable")


def _write_movies(
    p: RatingSettings, world: latent.Latent, raw_ids: np.ndarray, random: np.random.Generator, path: Path
) -> None:
    """``movieId,title,genres``: the two genres nearest on the torus, one of them wrong now and then."""
    centres = random.random((len(GENRES), 2))
    nearest = np.argsort(-latent.closeness(world.positions, centres, 0.2), axis=1, kind="stable")[:, :2]
    wrong = random.random(p.items) < p.attribute_noise
    nearest[wrong, 1] = random.integers(len(GENRES), size=int(wrong.sum()))
    genres = ["|".join(sorted({GENRES[genre] for genre in row})) for row in nearest]
    years = random.integers(1940, 2015, size=p.items)
    titles = [f"Film {item}, The ({year})" for item, year in zip(raw_ids, years, strict=True)]
    pd.DataFrame({"movieId": raw_ids, "title": titles, "genres": genres}).to_csv(path, index=False)
