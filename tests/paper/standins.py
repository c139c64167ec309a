"""Stand-in raw files of every data set of the paper profile: small, in the exact formats, with their quirks.

Sessions walk in clusters of items, so that there is something to learn; one generator makes every random choice.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

DAY = 86400
ITEMS, CLUSTERS = 160, 10
Rng = np.random.Generator


def walks(rng: Rng, days: int, per_day: int, length: int, start: float) -> Iterator[tuple[int, float, list[int]]]:
    """(user, time of the first event, items): sessions that mostly stay in one cluster, in order of time."""
    for number in range(days * per_day):
        cluster = int(rng.integers(CLUSTERS))
        own = np.arange(ITEMS)[np.arange(ITEMS) % CLUSTERS == cluster]
        items = [int(rng.choice(own)) if rng.random() < 0.9 else int(rng.integers(ITEMS)) for _ in range(length)]
        yield int(rng.integers(60)), start + number * DAY / per_day + float(rng.random()) * 600, items


def write(folder: Path, name: str, lines: list[str], encoding: str = "utf-8") -> None:
    """A text file, one entry a line."""
    (folder / name).write_bytes(("\n".join(lines) + "\n").encode(encoding))


def stamp(seconds: float) -> str:
    """``2014-04-01T10:00:00.123Z``"""
    return str(np.datetime64(round(seconds * 1000), "ms")) + "Z"


def date(seconds: float) -> str:
    """``2016-01-01``"""
    return str(np.datetime64(int(seconds), "s"))[:10]


def retail(folder: Path, rng: Rng) -> None:
    """Rows not in order of time, carts and purchases; weekly snapshots that write a constant property once."""
    rows, start = [], 1_430_622_000
    for user, time, items in walks(rng, 137, 8, 4, start):
        for place, item in enumerate(items):
            at = int((time + 40 * place) * 1000 + rng.integers(1000))
            rows.append(f"{at},{user + 1000},view,{item},")
            if place == 2:
                rows.append(f"{at + 5000},{user + 1000},addtocart,{item},")
                rows.append(f"{at + 9000},{user + 1000},transaction,{item},{len(rows)}")
    rng.shuffle(rows)
    write(folder, "events.csv", ["timestamp,visitorid,event,itemid,transactionid", *rows])
    properties: list[list[str]] = [[], []]
    for item in [*range(ITEMS), 100_000]:  # the last one nobody ever saw
        first = int((start + float(rng.integers(0, 17)) * 7 * DAY) * 1000)
        for name in ("6", "776", "839"):
            value = f"w{name}{item % CLUSTERS} n{item}.000 w{int(rng.integers(30))}"
            properties[item % 2].append(f"{first},{item},{name},{value}")
        for week in (0, 9):
            category = 999 if item == 7 else 10 + (item + week) % CLUSTERS  # one that the tree does not have
            properties[item % 2].append(f"{int((start + week * 7 * DAY) * 1000)},{item},categoryid,{category}")
        properties[item % 2].append(f"{first},{item},available,1")
    for part, lines in enumerate(properties, 1):
        write(folder, f"item_properties_part{part}.csv", ["timestamp,itemid,property,value", *lines])
    tree = [f"{10 + leaf},{leaf % 3}" for leaf in range(CLUSTERS)] + ["0,", "1,", "2,0"]
    write(folder, "category_tree.csv", ["categoryid,parentid", *tree])


def digi(folder: Path, rng: Rng) -> None:
    """Unknown users ('NA'), rows without a timeframe, queries that showed nothing."""
    views, buys, queries = [], [], []
    for number, (user, time, items) in enumerate(walks(rng, 152, 7, 5, 1_451_606_400)):
        who = "NA" if number % 3 == 0 else user
        for place, item in enumerate(items):
            frame = "NA" if number % 50 == 0 and place == 0 else int(1000 * 30 * place + rng.integers(1000))
            views.append(f"{number};{who};{item};{frame};{date(time)}")
        if number % 4 == 0:
            buys.append(f"{number};{who};{60000};{date(time)};{number};{items[-1]}")
        shown = ",".join(map(str, items[:4])) if number % 5 else ""
        queries.append(f"{number};{number};{who};500;90;{date(time)};;0;{shown};FALSE")
    write(folder, "train-item-views.csv", ["sessionId;userId;itemId;timeframe;eventdate", *views])
    write(folder, "train-purchases.csv", ["sessionId;userId;timeframe;eventdate;ordernumber;itemId", *buys])
    header = "queryId;sessionId;userId;timeframe;duration;eventdate;searchstring.tokens;categoryId;items;is.test"
    write(folder, "train-queries.csv", [header, *queries])
    names = [f"{item};{item % 12};{100 + item % CLUSTERS},{200 + item % 7}" for item in range(ITEMS)]
    write(folder, "products.csv", ["itemId;pricelog2;product.name.tokens", *names])
    write(folder, "product-categories.csv", ["itemId;categoryId", *(f"{i};{i % CLUSTERS}" for i in range(ITEMS))])


def rsc15(folder: Path, rng: Rng) -> None:
    """No header, fractional seconds, special offers ('S'), rows of a session out of order, purchases at price 0."""
    clicks, buys = [], []
    for number, (_, time, items) in enumerate(walks(rng, 162, 8, 4, 1_396_310_400)):
        lines = [f"{number},{stamp(time + 35.25 * place)},{214_000_000 + item},{'S' if item % 9 == 0 else item % 13}"
                 for place, item in enumerate(items)]  # fmt: skip
        if number % 40 == 0:
            lines[1], lines[2] = lines[2], lines[1]
        clicks += lines
        if number % 3 == 0:
            price = 0 if number % 2 else 1046
            buys += [f"{number},{stamp(time + 300)},{214_000_000 + item},{price},1" for item in items[-2:]]
    write(folder, "yoochoose-clicks.dat", clicks)
    write(folder, "yoochoose-buys.dat", buys)


def music(name: str, columns: tuple[str, ...]) -> Callable[[Path, Rng], None]:
    """session-rec's tab-separated files: columns in an order of their own, rows not sorted."""

    def make(folder: Path, rng: Rng) -> None:
        rows = []
        for number, (user, time, items) in enumerate(walks(rng, 340, 3, 7, 1_390_000_000)):
            for place, item in enumerate(items):
                cell = {"SessionId": number, "UserId": user, "ItemId": item, "ArtistId": item % 23,
                        "Time": f"{time + 200 * place:.1f}"}  # fmt: skip
                rows.append("\t".join(str(cell[column]) for column in columns))
        rng.shuffle(rows)
        write(folder, name, ["\t".join(columns), *rows])

    return make


def thirty_music(folder: Path, rng: Rng) -> None:
    """Sessions, and playlists that hold nulls and tracks of no session."""
    music("30music-200ks.csv", ("SessionId", "UserId", "ItemId", "ArtistId", "Time"))(folder, rng)
    lines = []
    for number in range(120):
        own = rng.choice(np.arange(ITEMS)[np.arange(ITEMS) % CLUSTERS == number % CLUSTERS], 6).tolist()
        tracks = [{"type": "track", "id": item} for item in own] + [{"type": "track", "id": 10**6 + number}]
        objects = json.dumps({"subjects": [{"type": "user", "id": number % 60}], "objects": [*tracks, None]})
        lines.append(f"playlist\t{number}\t{1_390_000_000 + number * 2 * DAY}\t{json.dumps({'ID': number})}\t{objects}")
    write(folder, "playlist.idomaar", lines)


def ratings(rng: Rng, users: int, films: int) -> Iterator[tuple[int, int, float, int]]:
    """(user, film, rating, time): users like films of their own cluster."""
    for user in range(1, users + 1):
        for film in rng.choice(films, 45, replace=False).tolist():
            near = film % 6 == user % 6
            yield (
                user,
                film + 1,
                float(np.clip(np.round(2 * (4.4 if near else 3.2) + rng.normal()) / 2, 0.5, 5)),
                (1_100_000_000 + int(rng.integers(300 * DAY))),
            )


def ml20m(folder: Path, rng: Rng) -> None:
    """Half stars, titles with commas in quotes, a film without genres."""
    rows = [f"{user},{film},{rating},{time}" for user, film, rating, time in ratings(rng, 500, 130)]
    write(folder, "ratings.csv", ["userId,movieId,rating,timestamp", *rows])
    films = [f'{film},"Story {film % 9}, The ({1980 + film % 30})",' +
             ("(no genres listed)" if film == 5 else f"Drama|Genre{film % 6}") for film in range(1, 131)]  # fmt: skip
    write(folder, "movies.csv", ["movieId,title,genres", *films])


def netflix(folder: Path, rng: Rng) -> None:
    """One file of ratings per film in a tar; titles in latin-1, with commas, years missing."""
    films: dict[int, list[str]] = {}
    for user, film, rating, time in ratings(rng, 500, 130):
        films.setdefault(film, []).append(f"{user * 7},{int(np.ceil(rating))},{date(time)}")
    with tarfile.open(folder / "training_set.tar", "w") as tar:
        for film, rows in sorted(films.items()):
            content = f"{film}:\n".encode() + "\n".join(rows).encode() + b"\n"
            entry = tarfile.TarInfo(f"training_set/mv_{film:07d}.txt")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    titles = [f"{film},{'NULL' if film == 3 else 1990 + film % 15},Amélie, part {film % 11}" for film in range(1, 131)]
    write(folder, "movie_titles.txt", titles, "latin1")


def mnist(folder: Path, rng: Rng) -> None:
    """IDX files, gzipped."""
    labels = rng.integers(0, 10, 400).astype(np.uint8)
    centres = rng.integers(0, 200, (10, 28, 28))
    images = np.clip(centres[labels] + rng.normal(0, 25, (400, 28, 28)), 0, 255).astype(np.uint8)
    for name, array in (("t10k-images-idx3-ubyte.gz", images), ("t10k-labels-idx1-ubyte.gz", labels)):
        sizes = np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(gzip.compress(b"\0\0\x08" + bytes([array.ndim]) + sizes + array.tobytes()))


def glove(folder: Path, rng: Rng) -> None:
    """JSON: word -> 50 numbers."""
    centres = rng.normal(size=(8, 50))
    words = {f"word{i}": np.round(centres[i % 8] + rng.normal(0, 0.6, 50), 4).tolist() for i in range(400)}
    (folder / "glove-50d-5k.json").write_text(json.dumps(words))


def shuttle(folder: Path, rng: Rng) -> None:
    """Nine columns without a header, and a density of every row, in another order."""
    points = rng.normal(size=(500, 9))
    write(folder, "shuttle.csv", [",".join(f"{value:.5f}" for value in row) for row in points])
    densities = [f"{rng.random():.6f},{row}" for row in rng.permutation(500).tolist()]
    write(folder, "shuttle_gaussian.txt", densities)


MAKERS: dict[str, Callable[[Path, Rng], None]] = {
    "retail": retail, "digi": digi, "rsc15": rsc15, "30mu": thirty_music,
    "aotm": music("playlists-aotm.csv", ("ItemId", "SessionId", "ArtistId", "Time")),
    "nowp": music("nowplaying.csv", ("SessionId", "UserId", "ItemId", "ArtistId", "Time")),
    "ml20m": ml20m, "netflix": netflix, "mnist": mnist, "glove-50d-5k": glove, "shuttle": shuttle,
}  # fmt: skip
"""Data set -> what writes its raw files."""
HELD_OUT = {"ml20m": 60, "netflix": 60}
"""Users held out of the stand-in ratings: the published splits hold out more than there are."""


def make(name: str, folder: Path, seed: int = 0) -> None:
    """Write the raw files of one data set into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    MAKERS[name](folder, np.random.default_rng([seed, *name.encode()]))
