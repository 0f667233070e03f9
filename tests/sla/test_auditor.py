"""The auditor says no: what it would let through is proved by no test that ends with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.notifications.kinds import NotificationKind
from models.notifications.messages import NotificationStatus
from models.notifications.tables import Notification
from models.sla.policy import Metric
from models.sla.tables import ConfigurationKind, ConfigurationVersion, LedgerEntry, SlaClock
from tests.sla.calendar_shapes import SHAPES
from tests.support.auditor import held_back_is_listed_once
from tests.support.ledger import ledger_sums_up

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
OF_THE_CLOCK: dict[str, Any] = {"merchant_id": 1, "ticket_id": 7, "metric": Metric.RESOLUTION, "cycle": 1}


def _version(id_: int, kind: ConfigurationKind, definition: dict[str, Any]) -> ConfigurationVersion:
    return ConfigurationVersion(merchant_id=1, id=id_, version=1, kind=kind, definition=definition, created_at=MONDAY)


VERSIONS = [
    _version(21, ConfigurationKind.CALENDAR, SHAPES["office"]),
    _version(22, ConfigurationKind.CALENDAR, SHAPES["always"]),
    _version(31, ConfigurationKind.POLICY, {"name": "Office", "calendarId": 21, "targets": {}}),
]


def _turn(kind: str, at: datetime, spent: timedelta, **more: Any) -> LedgerEntry:
    pin: dict[str, Any] = {"policy_id": 31, "policy_version": 1, "calendar_version": 1}
    return LedgerEntry(**OF_THE_CLOCK, id=1, kind=kind, at=at, spent=spent, is_running=kind == "started", **pin, **more)


def _stopped(spent: timedelta) -> SlaClock:
    """From Monday eight o'clock (UTC) to Tuesday: eight hours in the office, of 24."""
    return SlaClock(**OF_THE_CLOCK, target=HOUR, spent=spent, started_at=MONDAY, stopped_at=MONDAY + 24 * HOUR)


def _ledger(spent: timedelta) -> list[LedgerEntry]:
    return [_turn("started", MONDAY, timedelta()), _turn("stopped", MONDAY + 24 * HOUR, spent)]


def test_the_time_of_the_clocks_own_calendar_is_accepted() -> None:
    ledger_sums_up([_stopped(8 * HOUR)], _ledger(8 * HOUR), VERSIONS)


@pytest.mark.parametrize("spent", [24 * HOUR, 8 * HOUR + timedelta(microseconds=1), timedelta()])
def test_the_time_of_another_calendar_of_the_merchant_is_not(spent: timedelta) -> None:
    with pytest.raises(AssertionError):
        ledger_sums_up([_stopped(spent)], _ledger(spent), VERSIONS)


def test_a_clock_that_has_started_needs_a_ledger_and_a_ledger_its_clock() -> None:
    ledger_sums_up([SlaClock(**OF_THE_CLOCK, target=HOUR)], [], VERSIONS)
    for clocks, ledger in (([_stopped(timedelta())], []), ([], _ledger(8 * HOUR))):
        with pytest.raises(AssertionError, match="without a"):
            ledger_sums_up(clocks, ledger, VERSIONS)


def _notification(id_: int, **more: Any) -> Notification:
    fields: dict[str, Any] = {"address": "rita@desk.test", "kind": NotificationKind.REPLY_TO_REPORTER, "settled_at": MONDAY}
    return Notification(id=id_, **(fields | more))


HELD_BACK: dict[str, Any] = {"status": NotificationStatus.IN_DIGEST, "digest_id": 3}
DIGEST = _notification(3, kind=NotificationKind.DIGEST, status=NotificationStatus.PENDING, address="Rita@desk.test")


def test_what_is_held_back_and_listed_in_a_digest_is_accepted() -> None:
    held_back_is_listed_once([_notification(1, **HELD_BACK), _notification(2, status=NotificationStatus.SENT), DIGEST])


@pytest.mark.parametrize(
    "notifications",
    [
        [_notification(1, **HELD_BACK)],
        [_notification(1, status=NotificationStatus.IN_DIGEST), _notification(2, **HELD_BACK), DIGEST],
        [_notification(1, **HELD_BACK | {"settled_at": None}), DIGEST],
        [_notification(1, **HELD_BACK, address="leo@desk.test"), DIGEST],
        [DIGEST],
        [_notification(1, **HELD_BACK), _notification(3, **HELD_BACK, kind=NotificationKind.DIGEST)],
    ],
    ids=["no digest", "in none", "not settled", "of another address", "a digest of nothing", "a digest in a digest"],
)
def test_what_is_held_back_and_told_to_nobody_is_not(notifications: list[Notification]) -> None:
    with pytest.raises(AssertionError):
        held_back_is_listed_once(notifications)
