"""Visited places on a globe: their heat map, and the same map from a sketch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.protocol.density_metrics import pearson
from benchmark.report.figures.style import GREY, INK, RED, SEQUENTIAL, styled
from benchmark.report.illustrated.picture import Picture
from emde.density import SketchDensity
from emde.kernel import exact_density

CITIES = {
    "London": (51.5, -0.1), "Paris": (48.9, 2.4), "Berlin": (52.5, 13.4), "Warsaw": (52.2, 21.0),
    "Rome": (41.9, 12.5), "Madrid": (40.4, -3.7), "Lisbon": (38.7, -9.1), "Athens": (38.0, 23.7),
    "Stockholm": (59.3, 18.1), "Reykjavik": (64.1, -21.9), "Moscow": (55.8, 37.6), "Istanbul": (41.0, 29.0),
    "Cairo": (30.0, 31.2), "Casablanca": (33.6, -7.6), "Dakar": (14.7, -17.5), "Lagos": (6.5, 3.4),
    "Nairobi": (-1.3, 36.8), "Cape Town": (-33.9, 18.4), "Antananarivo": (-18.9, 47.5), "Dubai": (25.2, 55.3),
    "Tehran": (35.7, 51.4), "Delhi": (28.6, 77.2), "Mumbai": (19.1, 72.9), "Colombo": (6.9, 79.9),
    "Bangkok": (13.8, 100.5), "Singapore": (1.4, 103.8), "Jakarta": (-6.2, 106.8), "Hong Kong": (22.3, 114.2),
    "Beijing": (39.9, 116.4), "Seoul": (37.6, 127.0), "Tokyo": (35.7, 139.7), "Irkutsk": (52.3, 104.3),
    "Perth": (-31.9, 115.9), "Sydney": (-33.9, 151.2), "Auckland": (-36.8, 174.8), "Honolulu": (21.3, -157.9),
    "Anchorage": (61.2, -149.9), "Vancouver": (49.3, -123.1), "Los Angeles": (34.1, -118.2), "Denver": (39.7, -105.0),
    "Mexico City": (19.4, -99.1), "Chicago": (41.9, -87.6), "New York": (40.7, -74.0), "Havana": (23.1, -82.4),
    "Bogota": (4.7, -74.1), "Lima": (-12.0, -77.0), "Sao Paulo": (-23.6, -46.6), "Buenos Aires": (-34.6, -58.4),
}  # fmt: skip
VISITS = {"London": 6, "Paris": 9, "Berlin": 8, "Warsaw": 10, "Rome": 6, "Madrid": 3, "Athens": 2, "Stockholm": 3,
          "Tokyo": 5, "Seoul": 3, "Hong Kong": 2, "Sydney": 3, "New York": 4, "Chicago": 2, "Lima": 1}  # fmt: skip
"""How often an imagined traveller was where."""
H = 0.3
"""Bandwidth in Earth radii."""
DEPTHS, BITS = (10, 300), 8


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Degrees as unit vectors [n, 3]."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


@styled
def picture() -> Picture:
    """The traveller's places, their exact density, and the sketch's at two sizes."""
    seen = np.array([CITIES[name] for name, visits in VISITS.items() for _ in range(visits)])
    visits, world = on_sphere(*seen.T), on_sphere(*np.array(list(CITIES.values())).T)
    lat, lon = np.meshgrid(np.linspace(-89, 89, 120), np.linspace(-180, 180, 240), indexing="ij")
    grid = on_sphere(lat.ravel(), lon.ravel())
    truth = exact_density(visits, grid, H, device="cpu")
    maps = {f"exact density of {len(visits)} visits, h = {H * 6371:,.0f} km": truth}
    r = {}
    for n in DEPTHS:
        empty = SketchDensity(n=n, k=BITS, seed=1).fit(world).like()  # the world's partition, none of its counts
        estimate = empty.partial_fit(visits).query(grid)
        r[n] = pearson(estimate, truth)
        maps[f"sketch of {n} depths x {1 << BITS} regions: r = {r[n]:.2f}"] = estimate
    figure = Figure(figsize=(9.6, 5.2), layout="constrained")
    axes = figure.add_subplot(2, 2, 1, projection="mollweide")
    axes.set_title("places visited (larger: more often)")
    everywhere = np.radians(np.array(list(CITIES.values())))
    axes.scatter(everywhere[:, 1], everywhere[:, 0], s=6, color=GREY)
    for name, times in VISITS.items():
        y, x = np.radians(CITIES[name])
        axes.scatter(x, y, s=14 * times, color=RED, alpha=0.6, linewidths=0)
    for name in ("Tokyo", "Sydney", "New York", "Lima", "Cape Town", "Delhi", "Rome"):
        y, x = np.radians(CITIES[name])
        axes.annotate(name, (x, y), xytext=(0, -11), textcoords="offset points", fontsize=7, color=INK, ha="center")
    for place, (title, values) in enumerate(maps.items(), 2):
        axes = figure.add_subplot(2, 2, place, projection="mollweide")
        axes.pcolormesh(np.radians(lon), np.radians(lat), values.reshape(lat.shape), cmap=SEQUENTIAL, rasterized=True)
        axes.scatter(everywhere[:, 1], everywhere[:, 0], s=3, color="white", alpha=0.7, linewidths=0)
        axes.set_title(title)
    for axes in figure.axes:
        axes.grid(alpha=0.25, linewidth=0.5)
        axes.set(xticklabels=[], yticklabels=[])
    text = (
        f"A traveller's {len(visits)} visits are points on a sphere. The heat map on the upper right is their exact "
        "kernel density: to draw it, every visit must be kept and asked for every pixel.",
        f"A sketch keeps counters instead. Each of its N depths cuts the world into {1 << BITS} regions by {BITS} "
        f"random planes, placed by all {len(CITIES)} cities drawn here, visited or not, and counts the visits in "
        f"each region; the density of a pixel is the mean count of its N regions. With {DEPTHS[0]} depths the "
        f"correlation with the exact map is {r[DEPTHS[0]]:.2f}, with {DEPTHS[1]} it is {r[DEPTHS[1]]:.2f}. A "
        "million more visits would not make it any larger.",
    )
    alt = "Four world maps: visited places, their exact density, and two sketches of it, the larger one much smoother."
    return Picture("globe", "Where somebody has been: a heat map from counters", text, alt, figure)
