"""The clocks against the oracle over random histories: a slice of the 100,000 that `make prove` plays."""

import pytest
from hypothesis import HealthCheck, given, settings

from models.sla.clock import ClockStatus
from models.sla.clocks import LedgerKind
from tests.sla.sla_histories import History, histories
from tests.sla.sla_proof import prove

SLICE = 1500
"""About half a minute of an idle machine."""


@pytest.mark.slow
@pytest.mark.timeout(600)  # a random history may be slow, and the machine busy
def test_the_clocks_agree_with_the_oracle() -> None:
    met: set[str] = set()

    @given(history=histories)
    @settings(max_examples=SLICE, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
    def agree(history: History) -> None:
        met.update(prove(history))

    agree()
    assert met >= {*ClockStatus, *LedgerKind, "taken", "superseded"}, "the histories reach every status, ledger kind and outcome"
