"""Every alert fires for what it is about, names only what is measured, and leads to a page for the person whom it wakes."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from models.platform.metrics import TABLE
from tests.deploy.promtool import promtool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
TESTS = RULES.with_name("tests.yaml")
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["What it means", "What people feel", "Check", "Fix", "Verify", "Escalate", "Rehearsed"]
_SERIES = re.compile(r"(?<![\w(|.])((?:helpdesk|temporal)_\w+)\b")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
ALERTS: list[dict[str, Any]] = [rule for group in YAML(typ="safe").load(RULES)["groups"] for rule in group["rules"]]
NAMES = [alert["alert"] for alert in ALERTS]


@pytest.mark.timeout(400)
def test_the_rules_are_tested_by_promtool() -> None:
    ended = subprocess.run([promtool(), "test", "rules", TESTS], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_test() -> None:
    said = TESTS.read_text()
    assert not [name for name in NAMES if name not in said]


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_bad_what_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning", "none")
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_names_only_what_is_measured(alert: dict[str, Any]) -> None:
    assert not unknown(alert["expr"])


def unknown(text: str) -> set[str]:
    """What looks like a series of ours or of the SDK's, and is in no row of the table."""
    histograms, others = ({d.name for d in TABLE if (d.kind == "histogram") is is_one} for is_one in (True, False))
    return {
        name for name in _SERIES.findall(text) if name not in others and not (_SUFFIX.search(name) and _SUFFIX.sub("", name) in histograms)
    }


def test_a_metric_that_does_not_exist_is_found() -> None:
    assert unknown("rate(helpdesk_http_requests_total[5m]) + helpdesk_nothing_total") == {"helpdesk_nothing_total"}
    assert unknown("helpdesk_deadline_lateness_seconds") == {"helpdesk_deadline_lateness_seconds"}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("helpdesk*.md")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_all_its_parts_and_names_only_what_is_measured(name: str) -> None:
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS
    assert page.startswith(f"# {name}\n")
    assert "```" in page.partition("## Check")[2], "no command to check with"
    assert not {name for name in unknown(page) if not any(d.name.startswith(name) for d in TABLE)}  # grep looks for a beginning
