"""P3alpha: where a random walk of three steps ends."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from baselines.topk.shared.scoring import ItemItemRecommender
from baselines.topk.shared.walk import walk_weights
from contracts import Interactions, require_events


class P3Alpha(ItemItemRecommender):
    """Walk user -> item -> user -> item over likes, transition probabilities raised to alpha.

    W_ij = sum_u (1 / d_i)^alpha (1 / d_u)^alpha over users u who liked both (d: degrees), W_ii = 0,
    the top_k of every row, then of every column;  scores = profile W.

    alpha: exponent of the transition probabilities; published best .5575 (ML-20M), 1.6695 (Netflix).
    top_k: neighbours kept per item; published best 523, 534.
    normalize: divide the rows of W by their sums; published best: yes for both.
    Reference: Cooper, Lee, Radzik, Siantos, "Random walks in recommender systems", WWW 2014.
    Differs from the framework in ties at the cut, undefined there; here the higher index stays. With
    alpha = 1 an item of one user ties with all that user's items: worth 6e-3 of Recall@20 on
    MovieLens-100K. As there, the first step (from the user) is left out: it scales a user's scores alike.
    """

    citation: ClassVar[str] = "Cooper, Lee, Radzik, Siantos, WWW 2014 companion"

    alpha: float = Field(default=1.0, ge=0, le=10, description="Exponent of the transition probabilities")
    top_k: int = Field(default=100, ge=1, description="Neighbours kept per item, in rows and then in columns")
    normalize: bool = Field(default=False, description="Divide each item's weights by their sum")

    def fit(self, train: Interactions) -> Self:
        """Compute the item-item weights."""
        require_events(train, "p3alpha")
        self.set_csr("weights", walk_weights(train.liked, self.alpha, 0.0, self.top_k, self.normalize))
        return self
