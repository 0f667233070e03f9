"""Grafana's dashboards, made from code. ``python -m tests.deploy.grafana.dashboards`` writes them anew."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from tests.deploy.grafana.desk import DESK
from tests.deploy.grafana.machine import MACHINE
from tests.deploy.grafana.panel import Panel, Rows

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
"""As deploy/grafana/provisioning names it."""
_SERIES = re.compile(r"\b(?:helpdesk|temporal|process)_\w+\b")
WIDE, NARROW, HIGH = 12, 6, 7
"""Of 24 columns; a unit of height is 30 pixels."""


def made() -> dict[Path, str]:
    """Each file and what it holds."""
    return {
        FOLDER / "desk.json": _written("helpdesk-desk", "Helpdesk: the desk", "What is due, late and told, over all merchants.", DESK),
        FOLDER / "machine.json": _written(
            "helpdesk-machine", "Helpdesk: the machine", "How the API, the workers and Temporal are.", MACHINE
        ),
    }


def series(query: str) -> set[str]:
    """What an expression asks for, as it is scraped."""
    return set(_SERIES.findall(query))


def queries() -> Iterator[str]:
    """Every expression of every panel, with an interval in Grafana's place."""
    for rows in (DESK, MACHINE):
        for panels in rows.values():
            for panel in panels:
                yield from (each.replace("$__rate_interval", "1m") for each in panel.queries.values())


def _written(uid: str, title: str, description: str, rows: Rows) -> str:
    board = dashboard.Dashboard(title).uid(uid).description(description).tags(["helpdesk"]).readonly()
    board = board.time("now-6h", "now").refresh("30s").timezone("utc")
    ids = itertools.count(1)
    for name, panels in rows.items():
        board = board.with_row(dashboard.Row(name).id(next(ids)))
        for panel in panels:
            board = board.with_panel((_number(panel) if panel.is_number else _lines(panel)).id(next(ids)))
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _number(panel: Panel) -> stat.Panel:
    shown = stat.Panel().title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE).min(0)
    shown = shown.span(NARROW).height(HIGH).graph_mode(BigValueGraphMode.AREA)
    shown = shown.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return shown.targets(list(_targets(panel)))


def _lines(panel: Panel) -> timeseries.Panel:
    shown = timeseries.Panel().title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE).min(0)
    legend = common.VizLegendOptions().show_legend(show_legend=True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    shown = shown.span(WIDE).height(HIGH).legend(legend).fill_opacity(10)
    return shown.targets(list(_targets(panel)))


def _targets(panel: Panel) -> Iterator[prometheus.Dataquery]:
    for place, (legend, query) in enumerate(panel.queries.items()):
        yield prometheus.Dataquery().expr(query).legend_format(legend).range().ref_id(chr(ord("A") + place)).datasource(SOURCE)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, text in made().items():
        file.write_text(text)
