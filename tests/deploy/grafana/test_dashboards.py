"""The dashboards are what the code makes; each panel says what it shows, in which unit, and asks what Prometheus understands."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from models.platform.metrics import TABLE
from tests.deploy.grafana.dashboards import FOLDER, SOURCE, made, queries, series
from tests.deploy.promtool import promtool
from tests.deploy.test_alerts import NAMES

MEASURED = {f"{row.name}{ending}" for row in TABLE for ending in (("_bucket", "_count") if row.kind == "histogram" else ("",))} | {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
}
PROVISIONING = FOLDER.parent / "provisioning"
PANELS: list[dict[str, Any]] = [panel for text in made().values() for panel in json.loads(text)["panels"] if panel["type"] != "row"]


def test_the_files_are_what_the_code_makes() -> None:
    assert {file: file.read_text() for file in FOLDER.iterdir()} == made(), "python -m tests.deploy.grafana.dashboards"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_asks_only_what_is_measured(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert not set().union(*(series(target["expr"]) for target in panel["targets"])) - MEASURED
    assert set(re.findall(r"runbook (\w+)", panel["description"])) <= set(NAMES)


def test_no_two_panels_of_a_dashboard_have_the_same_place_or_id() -> None:
    for text in made().values():
        panels = json.loads(text)["panels"]
        for told in ([panel["id"] for panel in panels], [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]):
            assert len(set(told)) == len(told)


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"asked:{place}", "expr": query} for place, query in enumerate(queries())]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))  # JSON is YAML
    ended = subprocess.run([promtool(), "check", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_grafana_is_told_of_the_data_source_and_the_folder_of_the_dashboards() -> None:
    (source,) = YAML(typ="safe").load(PROVISIONING / "datasources" / "prometheus.yaml")["datasources"]
    assert (source["type"], source["uid"]) == (SOURCE.type_val, SOURCE.uid)
    (provider,) = YAML(typ="safe").load(PROVISIONING / "dashboards" / "helpdesk.yaml")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
