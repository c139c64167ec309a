"""The shapes that every floor shares: sessions, interactions, recommenders, ranked lists."""

from contracts.checkpoint import Checkpoint
from contracts.density import DensityEstimator, KernelName
from contracts.errors import UserError
from contracts.interactions import Interactions
from contracts.ranking import PAD, top_k
from contracts.recommender import Estimator, Recommender, SessionRecommender, TopKRecommender, require_events
from contracts.sessions import UNKNOWN, Sessions
from contracts.threads import for_chunks, n_threads

__all__ = [
    "PAD",
    "UNKNOWN",
    "Checkpoint",
    "DensityEstimator",
    "Estimator",
    "Interactions",
    "KernelName",
    "Recommender",
    "SessionRecommender",
    "Sessions",
    "TopKRecommender",
    "UserError",
    "for_chunks",
    "n_threads",
    "require_events",
    "top_k",
]
