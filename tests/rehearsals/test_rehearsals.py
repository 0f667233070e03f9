"""What a rehearsal stands on. `make rehearse` plays those of all alerts, which takes ten minutes."""

import re

import pytest

from tests.deploy.test_alerts import ALERTS, NAMES, RULES
from tests.rehearsals.faults import FAULTS
from tests.rehearsals.hurry import hurried
from tests.rehearsals.rehearse import check_of


def test_every_alert_has_a_rehearsal() -> None:
    assert set(FAULTS) == set(NAMES)
    assert all(fault.__doc__ for fault in FAULTS.values())


@pytest.mark.parametrize("alert", NAMES)
def test_every_runbook_has_commands_and_says_when_it_was_rehearsed(alert: str) -> None:
    assert check_of(alert)
    page = RULES.parents[2] / "docs" / "runbooks" / f"{alert}.md"
    assert re.search(
        r"^Rehearsed on 20\d\d-\d\d-\d\d: .+ It fired after \d+ s\. .+ It was over \d+ s later\.$", page.read_text(), re.MULTILINE
    )


def test_hurried_rules_differ_from_the_real_ones_in_their_pace_only() -> None:
    real = RULES.read_text()
    assert re.sub(r"\d+[smhd]?\b", "", hurried(real)) == re.sub(r"\d+[smhd]?\b", "", real)
    lag = next(alert for alert in ALERTS if alert["alert"] == "helpdeskQueueLag")
    assert "max(helpdesk_deadline_oldest_overdue_seconds) > 60" in lag["expr"]
    assert "max(helpdesk_deadline_oldest_overdue_seconds) > 1\n" in hurried(real)
    assert "rate(temporal_workflow_task_schedule_to_start_latency_seconds_bucket[5s]))) > 10" in hurried(real)
