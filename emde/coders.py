"""Coders: item vectors -> region codes (paper 3.3.2).

A coder cuts the space of item vectors into 2^K regions, N times independently. The code of an item
at depth n is the region it falls into: codes are uint8 (K <= 8) or uint16 (K <= 16), [items, N].
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from contracts import UserError, n_threads

CoderName = Literal["dlsh", "pq", "opq", "random"]
BLOCK = 1 << 16
"""Vectors hashed at once, at most: bounds the memory of the projection matrix, as does PROJECTIONS."""
PROJECTIONS = 1 << 24
"""Inner products computed at once: 64 MiB."""


class Coding(NamedTuple):
    """How vectors become codes: by which coder, N depths of K bits, and for DLSH the spread of its thresholds."""

    coder: CoderName
    n: int
    k: int
    spread: float = 0.5


def code_dtype(k: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type that holds a K-bit code."""
    return np.uint8 if k <= 8 else np.uint16


class DLSH:
    """Density-dependent LSH: N depths of K random hyperplanes, biased by random quantiles.

    hash_i(v) = [v . r_i > b_i], r_i ~ N(0, I), b_i = the empirical quantile of {v . r_i} at
    U ~ Unif(.5 - spread, .5 + spread), drawn per hyperplane. The K bits of a depth are read as one integer.
    The paper's spread is .5. For density estimates that is essential: thresholds at the median (spread 0) or at
    zero (None) ruin them (paper 4.2). For recommendation it makes regions very uneven, and the median makes them
    as even as they get.
    """

    def __init__(
        self, vectors: np.ndarray, n: int, k: int, rng: np.random.Generator, spread: float | None = 0.5
    ) -> None:
        vectors = np.asarray(vectors, np.float32)
        self.n, self.k = n, k
        self.directions = rng.standard_normal((vectors.shape[1], n * k), dtype=np.float32)
        self.bias = np.zeros(n * k, np.float32)
        if spread is None:
            return
        quantiles = 2 * spread * rng.random(n * k) + (0.5 - spread)
        for start in range(0, n * k, 64):
            columns = slice(start, min(start + 64, n * k))
            projected = np.sort(vectors @ self.directions[:, columns], axis=0)
            ranks = np.minimum((quantiles[columns] * len(vectors)).astype(np.int64), len(vectors) - 1)
            self.bias[columns] = projected[ranks, np.arange(projected.shape[1])]

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Codes [len(vectors), N] of any vectors of the same dimension."""
        powers = (1 << np.arange(self.k)).astype(np.int64)
        out = np.empty((len(vectors), self.n), code_dtype(self.k))
        rows = max(1, min(BLOCK, PROJECTIONS // (self.n * self.k)))
        for start in range(0, len(vectors), rows):
            block = np.asarray(vectors[start : start + rows], np.float32)
            bits = (block @ self.directions > self.bias).reshape(len(block), self.n, self.k)
            out[start : start + rows] = bits @ powers
        return out


class ProductQuantizer:
    """PQ: N sub-spaces of 2^K k-means centroids each; OPQ: the same after a learned rotation (faiss).

    The dimension is padded with zeros to a multiple of N. With fewer than 2^K vectors k-means has
    nothing to do, and faiss refuses: that is a UserError here.
    """

    def __init__(self, vectors: np.ndarray, n: int, k: int, rng: np.random.Generator, rotate: bool) -> None:
        import faiss  # seconds to load, and needed for these two coders only

        vectors = np.ascontiguousarray(vectors, np.float32)
        if len(vectors) < 1 << k:
            raise UserError(
                f"coder pq/opq: parameter 'k': expected at least 2^k = {1 << k} items, found {len(vectors)}"
            )
        faiss.omp_set_num_threads(n_threads())
        self.n, self.k = n, k
        self.dim = -(-vectors.shape[1] // n) * n
        padded = self._pad(vectors)
        self.rotation = None
        seed = int(rng.integers(1 << 31))
        if rotate:
            self.rotation = faiss.OPQMatrix(self.dim, n, self.dim)
            self.rotation.pq = self._quantizer(seed)
            # faiss 1.15 writes past a buffer, and crashes, where there are fewer vectors than dimensions
            copies = -(-self.dim // len(padded))
            self.rotation.train(np.tile(padded, (copies, 1)))
            padded = self.rotation.apply(padded)
        self.quantizer = self._quantizer(seed)
        self.quantizer.train(padded)

    def _quantizer(self, seed: int):
        import faiss

        quantizer = faiss.ProductQuantizer(self.dim, self.n, self.k)
        quantizer.cp.seed = seed
        quantizer.cp.min_points_per_centroid = 1  # fewer than 39 make faiss print a warning for each sub-space
        return quantizer

    def _pad(self, vectors: np.ndarray) -> np.ndarray:
        missing = self.dim - vectors.shape[1]
        return np.ascontiguousarray(np.pad(np.asarray(vectors, np.float32), ((0, 0), (0, missing))))

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Codes [len(vectors), N]: faiss packs K-bit codes without gaps, little end first; unpack them."""
        padded = self._pad(vectors)
        if self.rotation is not None:
            padded = self.rotation.apply(padded)
        packed = self.quantizer.compute_codes(padded)
        bits = np.unpackbits(packed, axis=1, bitorder="little")[:, : self.n * self.k]
        powers = (1 << np.arange(self.k)).astype(np.int64)
        return (bits.reshape(len(vectors), self.n, self.k) @ powers).astype(code_dtype(self.k))


class RandomHash:
    """Random partitions of a space: vectors that differ in one bit fall into independent uniform regions.

    Codes are the top K bits of sum_i a_i x_i + b modulo 2^64, x the 32-bit words of the vector and a, b random
    (multilinear hashing, strongly universal). A sketch over them is a plain count-min sketch of the vectors.
    """

    def __init__(self, dim: int, n: int, k: int, rng: np.random.Generator) -> None:
        self.n, self.k = n, k
        self.factors = rng.integers(1 << 64, size=(dim, n), dtype=np.uint64)
        self.offsets = rng.integers(1 << 64, size=n, dtype=np.uint64)

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Codes [len(vectors), N]; -0.0 counts as 0.0."""
        words = np.ascontiguousarray(np.asarray(vectors, np.float32) + np.float32(0)).view(np.uint32)
        hashed = words.astype(np.uint64) @ self.factors + self.offsets  # modulo 2^64
        return (hashed >> np.uint64(64 - self.k)).astype(code_dtype(self.k))


def random_codes(n_items: int, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Independent uniform codes [n_items, N]: with them a sketch is a plain count-min sketch."""
    return rng.integers(1 << k, size=(n_items, n), dtype=code_dtype(k))


def release_codes(
    vectors: np.ndarray | None, known: np.ndarray, n: int, k: int, dim: int, rng: np.random.Generator
) -> np.ndarray:
    """Codes [items, N] as the authors' release makes them (methods spec, differences 3, 5 and 6).

    DLSH of vectors whose columns are standardised first; items that are not ``known`` have random normal
    vectors, and so have all where ``vectors`` is None: its "random" codes are DLSH of noise, in uneven
    buckets. It packs 16 bits per depth and takes them modulo the width: K of them count, as here.
    """
    filled = rng.standard_normal((len(known), dim if vectors is None else vectors.shape[1]), dtype=np.float32)
    if vectors is not None:
        filled[known] = vectors[known]
    deviation = filled.std(axis=0)
    standard = (filled - filled.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return DLSH(standard, n, k, rng).encode(standard)


def encode(vectors: np.ndarray, known: np.ndarray, coding: Coding, rng: np.random.Generator) -> np.ndarray:
    """Codes [items, N] from vectors [items, d]; items that are not ``known`` get random codes."""
    coder, n, k, spread = coding
    codes = random_codes(len(vectors), n, k, rng)
    if coder == "random" or not known.any():
        return codes
    seen = vectors[known]
    if coder == "dlsh":
        codes[known] = DLSH(seen, n, k, rng, spread).encode(seen)
    elif coder in ("pq", "opq"):
        codes[known] = ProductQuantizer(seen, n, k, rng, rotate=coder == "opq").encode(seen)
    else:
        raise UserError(f"coder: expected one of {', '.join(get_args(CoderName))}, found {coder!r}")
    return codes
