"""The engine against the naive model, over random histories: `make prove` plays 100,000 of them, here it is a slice."""

import pytest
from hypothesis import HealthCheck, given, settings

from models.sla.clock import ClockStatus
from models.sla.clocks import Kind
from tests.sla.sla_histories import History, histories
from tests.sla.sla_proof import prove

SLICE = 1500
"""About half a minute of an idle machine."""


@pytest.mark.slow
@pytest.mark.timeout(600)  # what is random may be slow, and a machine busy
def test_the_engine_agrees_with_the_naive_model() -> None:
    met: set[str] = set()

    @given(history=histories)
    @settings(max_examples=SLICE, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
    def agree(history: History) -> None:
        met.update(prove(history))

    agree()
    assert met >= {*ClockStatus, *Kind, "taken", "superseded"}, "the histories go everywhere"
