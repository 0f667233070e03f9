"""What clients see of reports."""

from datetime import datetime

from pydantic import Field

from api.tickets.responses import Id, View
from models.reports.sla import Dimension
from models.sla.policy import Metric
from models.tickets.lifecycle import Priority


class SlaFiguresView(View):
    """``metric``, ``priority``, ``teamId`` and ``agentId`` are there if the report is grouped by them; null means no team, or nobody.

    ``met`` and ``breached`` count the cycles that were so decided in the range; ``medianSeconds`` and ``p90Seconds`` are of the business
    time used by the cycles that ended in it.
    """

    metric: Metric | None = None
    priority: Priority | None = None
    team_id: Id | None = None
    agent_id: Id | None = None
    met: int
    breached: int
    met_ratio: float | None
    median_seconds: int | None
    p90_seconds: int | None


class SlaReportView(View):
    from_: datetime = Field(alias="from")
    to: datetime
    group_by: list[Dimension]
    data: list[SlaFiguresView]


class QueueView(View):
    team_id: Id
    name: str
    open: int
    unassigned: int
    breached: int
    imminent: int
    oldest_waiting_at: datetime | None
    agents_available: int
    capacity_left: int


class QueuesView(View):
    data: list[QueueView]
