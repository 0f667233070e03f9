"""The engine against the naive model, over random histories: `make prove` plays 100,000 of them, here it is a slice."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.models.policy.sla_histories import History, histories
from tests.models.policy.sla_proof import prove

SLICE = 2500
"""About forty seconds of an idle machine."""


@pytest.mark.slow
@pytest.mark.timeout(600)  # what is random may be slow, and a machine busy
@given(history=histories)
@settings(max_examples=SLICE, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
def test_the_engine_agrees_with_the_naive_model(history: History) -> None:
    prove(history)
