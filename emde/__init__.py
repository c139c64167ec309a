"""EMDE: an efficient manifold density estimator for recommendation (arXiv 2006.01894).

Read in this order: graph (item vectors) -> coders (regions) -> sketch -> network -> decode; session
and topk put them together, modality says where codes come from, train is the loop.
"""

from contracts import Interactions, Sessions
from emde.modality import Modality
from emde.session import EMDE
from emde.topk import PureEMDE, TopKEMDE

__all__ = ["EMDE", "Interactions", "Modality", "PureEMDE", "Sessions", "TopKEMDE"]
