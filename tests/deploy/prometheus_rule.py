"""The alerts as the Prometheus operator wants them, from Prometheus' own: `python -m tests.deploy.prometheus_rule` writes them."""

import io
from pathlib import Path

from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
OBJECT = DEPLOY / "kubernetes" / "overlays" / "monitoring" / "rules.yaml"
_HEAD = "# Made from deploy/prometheus/rules.yaml by `python -m tests.deploy.prometheus_rule`; a test fails when it is stale.\n"


def as_object() -> str:
    """The text of the object `PrometheusRule`."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.width, yaml.sort_base_mapping_type_on_output = False, 140, False  # type: ignore[assignment]
    said = io.StringIO()
    spec = yaml.load(RULES)
    yaml.dump({"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "helpdesk"}, "spec": spec}, said)
    return _HEAD + said.getvalue()


if __name__ == "__main__":
    OBJECT.write_text(as_object())
