"""Four kills here; ``make chaos`` does twenty."""

import pytest

from tests.flows.chaos import chaos


@pytest.mark.slow
def test_kills_cost_time_and_nothing_else():
    found = chaos(kills=4, methods=["pop", "ar", "sr", "s-knn"], seed=1)
    assert found["results"] == 4 * 5 + 4  # lists of five slices and metrics, per method
