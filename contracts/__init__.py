"""The shapes that every floor shares: sessions, interactions, what is asked of data, recommenders, ranked lists."""

import contracts.compiled  # noqa: F401 - before numba, which contracts.ranking imports first: it reads the place once
from contracts.density import DensityEstimator, KernelName
from contracts.errors import UserError
from contracts.interactions import Interactions
from contracts.ranking import PAD, top_k
from contracts.recommender import (
    EpochLearner,
    Estimator,
    Kind,
    Recommender,
    SessionRecommender,
    TopKRecommender,
    require_events,
)
from contracts.runtime.checkpoint import Checkpoint
from contracts.runtime.threads import for_chunks, n_threads
from contracts.sessions import UNKNOWN, Sessions, blocks
from contracts.source import RANDOM, Source, SourceKind, sources

__all__ = [
    "PAD",
    "RANDOM",
    "UNKNOWN",
    "Checkpoint",
    "DensityEstimator",
    "EpochLearner",
    "Estimator",
    "Interactions",
    "KernelName",
    "Kind",
    "Recommender",
    "SessionRecommender",
    "Sessions",
    "Source",
    "SourceKind",
    "TopKRecommender",
    "UserError",
    "blocks",
    "for_chunks",
    "n_threads",
    "require_events",
    "sources",
    "top_k",
]
