"""The queues as they stand now: each team's unfinished tickets, and its available agents."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col

from models.db.session import TenantSession
from models.people.roles import Role
from models.people.tables import Agent, Team
from models.sla.calendar import Calendar, is_open
from models.sla.clock import ClockStatus
from models.sla.definitions import Key, definitions
from models.tickets.assign import SHIFT_VERSION, working
from models.tickets.assignment import Availability
from models.tickets.tables import Ticket
from models.value import Value


class Queue(Value):
    """``open`` counts unfinished tickets, ``unassigned`` those without an assignee; the oldest waits since ``oldest_waiting_at``.
    ``agents_available`` counts agents and seniors who are there and on shift, ``capacity_left`` how many tickets they can still take. A
    lead is not counted."""

    team_id: int
    name: str
    open: int
    unassigned: int
    breached: int
    imminent: int
    oldest_waiting_at: datetime | None
    agents_available: int = 0
    capacity_left: int = 0


async def report_queues(session: TenantSession, at: datetime, organizer_ids: Sequence[int] | None) -> list[Queue]:
    """Every team, by name. ``organizer_ids`` restricts the tickets that are counted, but not those that use up capacity."""
    teams = (await session.execute(_teams(session, organizer_ids))).mappings().all()
    agents, room = await _available(session, at)
    return [Queue(**team, agents_available=agents[team["team_id"]], capacity_left=room[team["team_id"]]) for team in teams]


def _teams(session: TenantSession, organizer_ids: Sequence[int] | None) -> sa.Executable:
    number, is_unassigned = sa.func.count(col(Ticket.id)), col(Ticket.assignee_id).is_(None)
    of_team = (col(Ticket.merchant_id) == session.merchant_id) & (col(Ticket.team_id) == Team.id) & working()
    if organizer_ids is not None:
        of_team &= col(Ticket.organizer_id).in_(organizer_ids)
    return (
        sa.select(
            col(Team.id).label("team_id"),
            col(Team.name).label("name"),
            number.label("open"),
            number.filter(is_unassigned).label("unassigned"),
            number.filter(col(Ticket.sla_status) == ClockStatus.BREACHED).label("breached"),
            number.filter(col(Ticket.sla_status) == ClockStatus.IMMINENT).label("imminent"),
            sa.func.min(Ticket.created_at).filter(is_unassigned).label("oldest_waiting_at"),
        )
        .outerjoin(Ticket, of_team)
        .where(col(Team.merchant_id) == session.merchant_id)
        .group_by(col(Team.id), col(Team.name))
        .order_by(col(Team.name), col(Team.id))
    )


async def _available(session: TenantSession, at: datetime) -> tuple[Counter[int], Counter[int]]:
    """Of each team: how many agents are there, and how many tickets they can take."""
    groups = (await session.execute(_by_shift(session, at))).all()
    shifts = await definitions(session, {Key(shift, version) for _, shift, version, _, _ in groups if version is not None})
    agents, room = Counter[int](), Counter[int]()
    for team, shift, version, count, left in groups:
        calendar = shifts[Key(shift, version)] if version is not None else None
        if not isinstance(calendar, Calendar) or is_open(calendar, at):
            agents[team] += count
            room[team] += left
    return agents, room


def _by_shift(session: TenantSession, at: datetime) -> sa.Executable:
    """Those who are not away, by team and shift; how many they are, and their room."""
    of_merchant = (col(Ticket.merchant_id) == session.merchant_id) & working()
    load = sa.select(col(Ticket.assignee_id), sa.func.count().label("load")).where(of_merchant).group_by(col(Ticket.assignee_id)).subquery()
    is_available = (col(Agent.availability) == Availability.AVAILABLE) | (col(Agent.away_until) <= at)
    room = sa.func.greatest(col(Agent.capacity) - sa.func.coalesce(load.c.load, 0), 0)
    shift = (col(Agent.team_id), col(Agent.shift_calendar_id), SHIFT_VERSION)
    return (
        sa.select(*shift, sa.func.count(), sa.cast(sa.func.sum(room), sa.Integer))
        .outerjoin(load, load.c.assignee_id == Agent.id)
        .where(
            col(Agent.merchant_id) == session.merchant_id,
            col(Agent.retired_at).is_(None),
            is_available,
            col(Agent.role).in_([Role.AGENT, Role.SENIOR]),
        )
        .group_by(*shift)
    )
