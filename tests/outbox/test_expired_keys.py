"""Idempotency keys are forgotten after a day, by the reconciliation."""

import pytest

from activities import maintenance as activity
from activities.maintenance import MaintenanceActivities
from models.outbox.messages import ReconciliationAt
from tests.support.desk import Desk
from tests.support.isolated import Isolated


async def test_expired_keys_are_deleted_some_at_a_time_and_no_longer_than_there_is_time(
    quiet: tuple[Isolated, Desk], maintenance: MaintenanceActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated, desk = quiet
    monkeypatch.setattr(activity, "KEYS_AT_ONCE", 4)
    for age, number in (("25 hours", 11), ("23 hours", 3)):
        isolated.postgres.psql(
            "INSERT INTO idempotencykey (merchant_id, scope, request_hash, status, headers, body, created_at)"  # noqa: S608 - our own text
            f" SELECT 900000, '{age}' || n, '', 201, '{{}}', '', now() - interval '{age}' FROM generate_series(1, {number}) n",
            isolated.database,
        )
    monkeypatch.setattr(activity, "KEYS_UNTIL", 0)
    assert (await maintenance.reconcile(ReconciliationAt(at=desk.clock.now()))).keys_expired == 4
    monkeypatch.setattr(activity, "KEYS_UNTIL", 1)
    assert (await maintenance.reconcile(ReconciliationAt(at=desk.clock.now()))).keys_expired == 7
    assert isolated.postgres.psql("SELECT count(*) FROM idempotencykey WHERE merchant_id = 900000", isolated.database) == "3"
