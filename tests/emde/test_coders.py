"""emde.coders: what a code means, and that its buckets are as the paper wants them."""

from __future__ import annotations

import numpy as np
import pytest

from contracts import UserError
from emde.coders import DLSH, Coding, ProductQuantizer, code_dtype, encode, random_codes, release_codes


def cloud(n: int = 400, dim: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def read_bits(codes: np.ndarray, k: int) -> np.ndarray:
    """Bit i of depth n: bool [items, n, k], lowest first."""
    return (codes[:, :, None].astype(np.int64) >> np.arange(k)) & 1 == 1


@pytest.mark.parametrize(("k", "dtype"), [(1, np.uint8), (7, np.uint8), (8, np.uint8), (9, np.uint16), (16, np.uint16)])
def test_smallest_type(k: int, dtype: type) -> None:
    assert code_dtype(k) is dtype
    vectors = cloud()
    for codes in (
        DLSH(vectors, 3, k, np.random.default_rng(0)).encode(vectors),
        random_codes(400, 3, k, np.random.default_rng(0)),
    ):
        assert codes.dtype == dtype
        assert codes.shape == (400, 3)
        assert codes.max() < 1 << k


def test_dlsh_bits_are_thresholds() -> None:
    vectors, n, k = cloud(), 4, 7
    coder = DLSH(vectors, n, k, np.random.default_rng(3))
    bits = read_bits(coder.encode(vectors), k)
    projected = vectors.astype(np.float64) @ coder.directions.astype(np.float64)
    expected = (projected > coder.bias).reshape(len(vectors), n, k)
    clear = (np.abs(projected - coder.bias) > 1e-4).reshape(expected.shape)  # the threshold is itself a projection
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(bits[clear], expected[clear])


def test_dlsh_thresholds_are_uniform_quantiles() -> None:
    """The share of ones of a bit is uniform on [0, 1]: neither zero nor median thresholds."""
    vectors = cloud(2000) + 3.0  # far from the origin: a zero threshold would put all points on one side
    bits = read_bits(DLSH(vectors, 100, 7, np.random.default_rng(0)).encode(vectors), 7)
    shares = np.sort(bits.mean(axis=0).ravel())
    distance = np.abs(shares - np.arange(1, len(shares) + 1) / len(shares)).max()
    assert distance < 1.95 / np.sqrt(len(shares))  # Kolmogorov-Smirnov at 0.1%


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.25, 0.5])
def test_spread_bounds_the_shares_of_bits(spread: float) -> None:
    """Uniform between .5 - spread and .5 + spread; with medians every bit halves the vectors."""
    vectors = cloud(2000) + 3.0
    bits = read_bits(DLSH(vectors, 100, 7, np.random.default_rng(0), spread).encode(vectors), 7)
    ones = bits.mean(axis=0).ravel()
    assert np.abs(ones - 0.5).max() <= spread + 2 / len(vectors)
    assert np.ptp(ones) >= 2 * spread * 0.95 - 2 / len(vectors)


def test_medians_use_more_regions_and_smaller_ones() -> None:
    vectors = cloud(2000)
    uneven, even = (DLSH(vectors, 20, 7, np.random.default_rng(0), spread).encode(vectors) for spread in (0.5, 0.0))
    largest = [max(np.bincount(column).max() for column in codes.T) for codes in (uneven, even)]
    in_use = [min(len(np.unique(column)) for column in codes.T) for codes in (uneven, even)]
    assert largest[1] < largest[0] / 3
    assert in_use[1] > in_use[0]


def test_dlsh_codes_new_vectors() -> None:
    vectors = cloud()
    coder = DLSH(vectors, 5, 6, np.random.default_rng(1))
    np.testing.assert_array_equal(coder.encode(vectors[7:9]), coder.encode(vectors)[7:9])
    assert coder.encode(vectors[:0]).shape == (0, 5)


def test_near_vectors_share_codes() -> None:
    vectors = cloud(500, 20)
    coder = DLSH(vectors, 200, 4, np.random.default_rng(0))
    base, near = coder.encode(vectors), coder.encode(vectors + 0.01 * cloud(500, 20, 1))
    agreement = (base == near).mean()
    chance = (base == np.roll(near, 1, axis=0)).mean()
    assert agreement > 0.9
    assert chance < 0.6


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize(("dim", "n", "k"), [(10, 5, 4), (10, 4, 3), (7, 3, 5)])
def test_product_quantizer_codes_are_nearest_centroids(dim: int, n: int, k: int, rotate: bool) -> None:
    """dim 10 in 4 parts and 7 in 3: zero padding; k of 3, 4, 5: bits packed across bytes."""
    import faiss

    vectors = cloud(300, dim)
    coder = ProductQuantizer(vectors, n, k, np.random.default_rng(0), rotate)
    codes = coder.encode(vectors)
    part = -(-dim // n)
    padded = np.zeros((300, part * n), np.float32)
    padded[:, :dim] = vectors
    if rotate:
        padded = coder.rotation.apply(padded)
    centroids = faiss.vector_to_array(coder.quantizer.centroids).reshape(n, 1 << k, part)
    assert codes.shape == (300, n)
    for depth in range(n):
        own = padded[:, None, depth * part : (depth + 1) * part]
        distances = ((own - centroids[depth]) ** 2).sum(-1)
        chosen = distances[np.arange(300), codes[:, depth]]
        np.testing.assert_allclose(chosen, distances.min(1), atol=1e-4)


def test_fewer_vectors_than_dimensions() -> None:
    """faiss's OPQ writes past a buffer there, unless the vectors are repeated: a crash, not an exception."""
    vectors = cloud(12, 64)
    codes = [ProductQuantizer(vectors, 4, 2, np.random.default_rng(0), rotate=True).encode(vectors) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert len(np.unique(codes[0], axis=0)) > 6


def test_quantizer_needs_enough_vectors() -> None:
    with pytest.raises(UserError, match="parameter 'k': expected at least 2\\^k = 128 items, found 100"):
        ProductQuantizer(cloud(100), 5, 7, np.random.default_rng(0), rotate=False)


@pytest.mark.parametrize("coder", ["dlsh", "pq", "opq", "random"])
def test_encode_is_reproducible_and_seeded(coder: str) -> None:
    vectors, known = cloud(), np.ones(400, bool)
    first = encode(vectors, known, Coding(coder, 5, 4), np.random.default_rng(1))
    np.testing.assert_array_equal(first, encode(vectors, known, Coding(coder, 5, 4), np.random.default_rng(1)))
    assert (first != encode(vectors, known, Coding(coder, 5, 4), np.random.default_rng(2))).mean() > 0.1
    assert first.shape == (400, 5)
    assert first.max() < 16


def test_encode_gives_unknown_items_random_codes() -> None:
    vectors, known = cloud(2000), np.arange(2000) % 2 == 0
    vectors[~known] = 0
    codes = encode(vectors, known, Coding("dlsh", 6, 4), np.random.default_rng(0))
    unknown = codes[~known]
    shares = np.stack([np.bincount(column, minlength=16) for column in unknown.T]) / len(unknown)
    assert np.abs(shares - 1 / 16).max() < 0.04  # spread out, not all in the bucket of the zero vector
    nothing = encode(vectors, np.zeros(2000, bool), Coding("dlsh", 6, 4), np.random.default_rng(0))
    assert nothing.shape == (2000, 6)


def test_random_codes_are_uniform() -> None:
    codes = random_codes(20_000, 3, 4, np.random.default_rng(0))
    for column in codes.T:
        counts = np.bincount(column, minlength=16)
        assert ((counts - 1250) ** 2 / 1250).sum() < 45  # chi-squared, 15 degrees of freedom, 1e-4


def test_unknown_coder() -> None:
    with pytest.raises(UserError, match="expected one of dlsh, pq, opq, random, found 'lsh'"):
        encode(cloud(), np.ones(400, bool), Coding("lsh", 2, 2), np.random.default_rng(0))


def test_release_codes_are_dlsh_of_standardised_vectors() -> None:
    """Scaling and shifting columns changes nothing; DLSH itself sees it."""
    vectors, known = cloud(500, 12), np.ones(500, bool)
    moved = vectors * np.linspace(0.1, 30, 12, dtype=np.float32) + 5
    first, other = (release_codes(x, known, 20, 4, 0, np.random.default_rng(0)) for x in (vectors, moved))
    assert (first == other).mean() > 0.999
    plain, bent = (DLSH(x, 20, 4, np.random.default_rng(0)).encode(x) for x in (vectors, moved))
    assert (plain == bent).mean() < 0.8


def test_release_random_codes_fill_buckets_unevenly() -> None:
    none = np.zeros(4000, bool)
    shares = []
    for codes in (
        release_codes(None, none, 30, 4, 64, np.random.default_rng(0)),
        random_codes(4000, 30, 4, np.random.default_rng(0)),
    ):
        assert codes.shape == (4000, 30)
        shares.append(np.stack([np.bincount(column, minlength=16) for column in codes.T]).std() / 250)
    assert shares[0] > 10 * shares[1]
