"""Three kills here; ``make chaos`` does twenty."""

import pytest

from tests.flows.chaos import chaos


@pytest.mark.slow
def test_kills_cost_time_and_nothing_else():
    found = chaos(kills=3, methods=["pop", "ar"], seed=1)
    assert found["results"] == 2 * 5 + 2  # lists of five slices and metrics, per method
