"""Words of item titles as attribute tokens: a modality of multi-modal EMDE (paper 3.3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

WORD = re.compile(r"\w+")
ATTRIBUTE = "title"


def title_tokens(names: Iterable[str]) -> sp.csr_matrix:
    """0/1 CSR [items, words], words in alphabetical order: lower-cased runs of letters and digits, the year among them.

    Only words that at least two titles hold: the others tie nothing to anything.
    """
    words = [set(WORD.findall(str(name).lower())) for name in names]
    distinct, counts = np.unique([word for title in words for word in title] or [""], return_counts=True)
    column = {word: place for place, word in enumerate(distinct[(counts > 1) & (distinct != "")].tolist())}
    cells = [(row, column[word]) for row, title in enumerate(words) for word in title if word in column]
    rows, columns = np.array(cells, np.int32).reshape(-1, 2).T
    matrix = sp.csr_matrix((np.ones(len(cells), np.float32), (rows, columns)), shape=(len(words), len(column)))
    matrix.sort_indices()
    return matrix
