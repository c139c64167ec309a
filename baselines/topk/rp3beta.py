"""RP3beta: P3alpha with popular items pushed down."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from baselines.topk.shared.scoring import ItemItemRecommender
from baselines.topk.shared.walk import walk_weights
from contracts import Interactions, require_events


class RP3Beta(ItemItemRecommender):
    """The three-step walk of P3alpha, its target divided by popularity^beta.

    W_ij = sum_u (1 / d_i)^alpha (1 / d_u)^alpha / d_j^beta over users u who liked both (d: degrees),
    W_ii = 0, the top_k of every row, then of every column;  scores = profile W.

    alpha: exponent of the transition probabilities; published best .7242 (ML-20M), 1.3871 (Netflix).
    beta: exponent of the target's popularity; published best .4945, .4271.
    top_k: neighbours kept per item; published best 399, 185.
    normalize: divide the rows of W by their sums before columns are cut; published best: yes.
    Reference: Paudel, Christoffel, Newell, Bernstein, "Updatable, accurate, diverse, and scalable
    recommendations for interactive applications", ACM TiiS 7(1), 2016, section 4.
    Differs from the framework in ties at the cut (there undefined, here the higher index stays).
    """

    citation: ClassVar[str] = "Paudel, Christoffel, Newell, Bernstein, ACM TiiS 7(1), 2016"

    alpha: float = Field(default=0.6, ge=0, le=10, description="Exponent of the transition probabilities")
    beta: float = Field(default=0.3, ge=0, le=10, description="Exponent of the target item's popularity")
    top_k: int = Field(default=100, ge=1, description="Neighbours kept per item, in rows and then in columns")
    normalize: bool = Field(default=True, description="Divide each item's weights by their sum")

    def fit(self, train: Interactions) -> Self:
        """Compute the item-item weights."""
        require_events(train, "rp3beta")
        self.set_csr("weights", walk_weights(train.liked, self.alpha, self.beta, self.top_k, self.normalize))
        return self
