"""Shop visits in RetailRocket's format: events.csv and item_properties.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from benchmark.data.generate import latent
from contracts.strict import Strict

DAY = 86400
START = 1430611200
"""2015-05-03, the first day of RetailRocket."""


class SessionSettings(Strict):
    """Sizes and noise. A visit walks between near items of the torus; new items keep arriving."""

    seed: int = 0
    items: int = Field(800, ge=20)
    clusters: int = Field(24, ge=1)
    users: int = Field(1500, ge=1)
    days: int = Field(55, ge=1)
    sessions_per_day: int = Field(250, ge=1)
    mean_length: float = Field(4.2, gt=1, description="views per session")
    spread: float = Field(0.03, gt=0, description="sd of items around their cluster's centre")
    step: float = Field(0.04, gt=0, description="sd of the walk from one item to the next")
    taste: float = Field(0.12, gt=0, description="sd of a user's first item around the user's home")
    zipf: float = Field(0.8, ge=0)
    new_items: float = Field(0.4, ge=0, le=1, description="share of items that arrive during the days")
    repeat: float = Field(0.08, ge=0, le=1, description="chance to look again at an earlier item")
    noise: float = Field(0.08, ge=0, le=1, description="chance to jump to any item")
    attribute_noise: float = Field(0.1, ge=0, le=1)


def write(parameters: SessionSettings, folder: Path) -> None:
    """Write events.csv, item_properties.csv and truth.csv."""
    random = np.random.default_rng(parameters.seed)
    world = latent.draw(random, parameters.items, parameters.clusters, parameters.spread, parameters.zipf)
    arrival = random.random(parameters.items) * parameters.days
    arrival[random.random(parameters.items) >= parameters.new_items] = -1.0
    raw_ids = 1000 + random.permutation(10 * parameters.items)[: parameters.items]
    views = _views(parameters, world, arrival, random)
    _write_events(views, raw_ids, random, folder / "events.csv")
    _write_properties(parameters, world, arrival, raw_ids, random, folder / "item_properties.csv")
    truth = {"item": raw_ids, "cluster": world.cluster, "x": world.positions[:, 0], "y": world.positions[:, 1]}
    pd.DataFrame(truth | {"popularity": world.popularity, "arrival_day": arrival}).to_csv(
        folder / "truth.csv", index=False, float_format="%.8g"
    )


def _views(p: SessionSettings, world: latent.Latent, arrival: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """All views: user, item (index), time (s), day by day, the day's sessions walking side by side."""
    homes = random.random((p.users, 2))
    near = latent.closeness(world.positions, world.positions, p.step)
    np.fill_diagonal(near, 0.0)
    days = []
    for day in range(p.days):
        weight = world.popularity * (arrival <= day)
        users = random.integers(p.users, size=p.sessions_per_day)
        taste = latent.closeness(homes[users], world.positions, p.taste)
        walk = [latent.choose(random, weight * (taste + 1e-9))]
        lengths = np.minimum(random.geometric(1 / (p.mean_length - 1), p.sessions_per_day) + 1, 40)
        lengths[random.random(p.sessions_per_day) < 0.08] = 1
        for step in range(1, lengths.max()):
            walking = np.flatnonzero(lengths > step)
            following = np.zeros_like(walk[0])
            following[walking] = _next_items(p, weight, near, [items[walking] for items in walk], random)
            walk.append(following)
        times = START + day * DAY + random.random(p.sessions_per_day) * DAY
        gaps = np.minimum(random.lognormal(4.0, 1.0, (p.sessions_per_day, len(walk))), 1500)
        gaps[:, 0] = 0
        stamps = times[:, None] + np.cumsum(gaps, axis=1)
        alive = np.arange(len(walk)) < lengths[:, None]
        columns = {"user": np.repeat(users, lengths), "item": np.stack(walk, axis=1)[alive], "time": stamps[alive]}
        days.append(pd.DataFrame(columns))
    return pd.concat(days, ignore_index=True)


def _next_items(
    p: SessionSettings, weight: np.ndarray, near: np.ndarray, walk: list[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    current = walk[-1]
    step = latent.choose(random, weight * (near[current] + 1e-12))
    jump = latent.choose(random, np.broadcast_to(weight, (len(current), len(weight))))
    earlier = np.stack(walk, axis=1)[np.arange(len(current)), random.integers(len(walk), size=len(current))]
    kind = random.random(len(current))
    return np.where(kind < p.repeat, earlier, np.where(kind < p.repeat + p.noise, jump, step))


def _write_events(views: pd.DataFrame, raw_ids: np.ndarray, random: np.random.Generator, path: Path) -> None:
    """``timestamp,visitorid,event,itemid,transactionid``; some views are followed by a cart and a purchase."""
    views = views.assign(event="view", transactionid="")
    carts = views[random.random(len(views)) < 0.05].assign(event="addtocart")
    carts["time"] += 5.0
    buys = carts[random.random(len(carts)) < 0.35].assign(event="transaction")
    buys["time"] += 60.0
    buys["transactionid"] = np.arange(len(buys)).astype(str)
    events = pd.concat([views, carts, buys], ignore_index=True)
    events = events.sort_values(["time", "user"], kind="stable")
    frame = pd.DataFrame({"timestamp": (events["time"] * 1000).astype(np.int64), "visitorid": events["user"]})
    frame["event"] = events["event"]
    frame["itemid"] = raw_ids[events["item"]]
    frame["transactionid"] = events["transactionid"]
    frame.to_csv(path, index=False)


def _write_properties(
    p: SessionSettings,
    world: latent.Latent,
    arrival: np.ndarray,
    raw_ids: np.ndarray,
    random: np.random.Generator,
    path: Path,
) -> None:
    """``timestamp,itemid,property,value``: category = cluster, property 888 = the position in bins, with noise."""
    category = world.cluster.copy()
    wrong = random.random(p.items) < p.attribute_noise
    category[wrong] = random.integers(p.clusters, size=int(wrong.sum()))
    across = latent.bins(random, world.positions[:, 0], 20, p.attribute_noise)
    down = latent.bins(random, world.positions[:, 1], 20, p.attribute_noise)
    junk = random.integers(200, size=p.items)
    known = ((START + np.floor(arrival) * DAY) * 1000).astype(np.int64)
    tokens = [f"{100 + x} {200 + y} n{j}.000" for x, y, j in zip(across, down, junk, strict=True)]
    columns = {"timestamp": known, "itemid": raw_ids}
    parts = [
        pd.DataFrame(columns | {"property": "categoryid", "value": category}),
        pd.DataFrame(columns | {"property": "888", "value": tokens}),
        pd.DataFrame(columns | {"property": "available", "value": 1}),
    ]
    pd.concat(parts).sort_values(["timestamp", "itemid"], kind="stable").to_csv(path, index=False)
