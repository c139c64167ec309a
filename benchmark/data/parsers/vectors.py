"""Point sets for density estimation."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import numpy as np

from benchmark.data.parsers.csvio import FLOAT, INT, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed, VectorTable
from contracts import UserError


def parse_csv(dataset: Dataset, folder: Path) -> Parsed:
    """``label,p0..p{d-1}`` rows; option ``divide`` scales the values."""
    path = folder / dataset.files[0].name
    names = [f"p{column}" for column in range(dataset.options["dimensions"])]
    columns = read_columns(path, {"label": INT, **dict.fromkeys(names, FLOAT)})
    vectors = np.stack([columns[name] for name in names], axis=1) / dataset.options.get("divide", 1.0)
    return Parsed(VectorTable(vectors.astype(np.float32), labels=columns["label"]), counts={"rows": len(vectors)})


def parse_idx(dataset: Dataset, folder: Path) -> Parsed:
    """MNIST's IDX files (gzip): options ``images`` and ``labels``; values / 255."""
    images = read_idx(folder / dataset.options["images"])
    labels = read_idx(folder / dataset.options["labels"])
    if len(images) != len(labels):
        raise UserError(f"{folder}: expected as many labels as images, found {len(labels)} and {len(images)}")
    vectors = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return Parsed(VectorTable(vectors, labels=labels.astype(np.int64)), counts={"rows": len(vectors)})


def read_idx(path: Path) -> np.ndarray:
    """An unsigned-byte IDX file: two zero bytes, type 8, number of dimensions, big-endian sizes, data."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a gzip file: {error}") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise UserError(f"{path}: expected an IDX file of bytes, found a header {content[:4].hex()}")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    size = len(content) - 4 - 4 * dimensions
    if size != np.prod(shape):
        raise UserError(f"{path}: expected {np.prod(shape)} values for the shape {tuple(shape.tolist())}, found {size}")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def parse_glove(dataset: Dataset, folder: Path) -> Parsed:
    """JSON ``{word: [floats]}``."""
    path = folder / dataset.files[0].name
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(words, dict):
        raise UserError(f"{path}: expected words with their vectors, found {type(words).__name__}")
    lengths = {len(vector) for vector in words.values()}
    if len(lengths) != 1:
        raise UserError(f"{path}: expected vectors of one length, found lengths {sorted(lengths)}")
    try:
        vectors = np.array(list(words.values()), np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: expected numbers: {error}") from None
    return Parsed(VectorTable(vectors, ids=np.array(list(words), object)), counts={"rows": len(vectors)})


def parse_shuttle(dataset: Dataset, folder: Path) -> Parsed:
    """Comma separated columns without a header, and the exact density ``density,row`` of every row."""
    columns = [f"c{column}" for column in range(dataset.options["dimensions"])]
    points = read_columns(folder / "shuttle.csv", dict.fromkeys(columns, FLOAT), Layout(header=columns))
    vectors = np.stack([points[name] for name in columns], axis=1).astype(np.float32)
    path = folder / "shuttle_gaussian.txt"
    truth = read_columns(path, {"density": FLOAT, "row": INT}, Layout(header=["density", "row"]))
    if not np.array_equal(np.sort(truth["row"]), np.arange(len(vectors))):
        raise UserError(f"{path}: expected the density of each of the {len(vectors)} rows once")
    density = np.empty(len(vectors))
    density[truth["row"]] = truth["density"]
    return Parsed(VectorTable(vectors, density=density), counts={"rows": len(vectors)})
