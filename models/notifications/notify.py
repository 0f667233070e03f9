"""Notifications: a row for each recipient, written with the change that caused it. A delivery workflow does the rest."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from models.audit import ActorKind
from models.db.prepared import Prepared
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification, RecipientKind
from models.outbox import post as outbox
from models.people.roles import Role
from models.people.tables import Agent, Reporter
from models.sla.ladder import Audience
from models.sla.policy import Metric
from models.tickets.aggregate import Recorded, TicketAggregate

_AROUND = Prepared(
    sa.select(Agent).where(
        col(Agent.retired_at).is_(None),
        (col(Agent.id) == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.BigInteger))))
        | ((col(Agent.team_id) == sa.bindparam("team")) & (col(Agent.role) == sa.any_(sa.bindparam("roles", type_=ARRAY(sa.Text))))),
    )
)


class Recipient(NamedTuple):
    kind: RecipientKind
    id: int
    name: str
    address: str | None


def notify(ticket: TicketAggregate, kind: NotificationKind, cause: int, people: Iterable[Recipient], **context: Any) -> None:
    """Write one notification to each of ``people`` who has an address; one per recipient and ``cause``, which is the id of the event."""
    for person in {person.id: person for person in people if person.address}.values():
        ref = DeliveryRef(
            merchant_id=ticket.row.merchant_id,
            notification_id=ticket.session.new_id(),
            request_id=ticket.change.request_id,
            merchant_slug=ticket.merchant_slug,
            ticket_id=ticket.row.id,
            ticket_number=ticket.row.number,
            kind=kind,
        )
        ticket.session.append(
            Notification,
            merchant_id=ref.merchant_id,
            id=ref.notification_id,
            ticket_id=ticket.row.id,
            cause_id=cause,
            kind=kind,
            channel="email",
            recipient_kind=person.kind,
            recipient_id=person.id,
            recipient_name=person.name,
            address=person.address,
            context={"actorName": ticket.change.by.name} | context,
            status=NotificationStatus.PENDING,
            round=ref.round,
            created_at=ticket.at,
            posted_at=ticket.at,
        )
        ticket.notified.append((cause, person.id))
        outbox.post_delivery(ticket.session, ref, ticket.change)


async def notify_of_clocks(ticket: TicketAggregate) -> None:
    """The assignee and the lead learn of a breach, the assignee of a warning; not those whom a rung of the same clock notifies."""
    for clock, cause in _causes(ticket, "sla.breached").items():
        people = await audience(ticket, (Audience.ASSIGNEE, Audience.LEAD))
        _notify_of_clock(ticket, NotificationKind.SLA_BREACHED, cause, people, clock)
    for clock, cause in _causes(ticket, "sla.warned").items():
        people = await agents(ticket, ticket.row.assignee_id)
        _notify_of_clock(ticket, NotificationKind.SLA_WARNING, cause, people, clock)


def _causes(ticket: TicketAggregate, kind: str) -> dict[tuple[Metric, int], int]:
    """The last event of the kind that this change has recorded about each clock."""
    return {_clock(event): event.id for event in ticket.events if event.kind == kind}


def _clock(event: Recorded) -> tuple[Metric, int]:
    return event.changes["metric"], event.changes["cycle"]


def _notify_of_clock(ticket: TicketAggregate, kind: NotificationKind, cause: int, people: list[Recipient], key: tuple[Metric, int]) -> None:
    clock = ticket.clocks.by_key[key]
    due_at = clock.breached_at or clock.due_at
    rungs = {event.id for event in ticket.events if event.kind.startswith("escalation.") and _clock(event) == key}
    notified = {person_id for cause_id, person_id in ticket.notified if cause_id in rungs}
    rest = [person for person in people if person.id not in notified]
    notify(ticket, kind, cause, rest, metric=clock.metric, dueAt=due_at.isoformat() if due_at else None)


async def audience(ticket: TicketAggregate, whom: Sequence[Audience], *agent_ids: int | None) -> list[Recipient]:
    """The people that a rung names, and the agents with these ids; each once."""
    row = ticket.row
    ids = {id_ for id_ in (*agent_ids, row.assignee_id if Audience.ASSIGNEE in whom else None) if id_ is not None}
    roles = [role for name, role in ((Audience.LEAD, Role.LEAD), (Audience.SENIOR, Role.SENIOR)) if name in whom]
    roles = list(Role) if Audience.TEAM in whom else roles
    people = [as_recipient(agent) for agent in sorted(await _agents(ticket, ids, roles), key=lambda agent: agent.id)]
    return people + (await reporter(ticket) if Audience.REPORTER in whom else [])


async def _agents(ticket: TicketAggregate, ids: set[int], roles: Sequence[Role]) -> Iterable[Agent]:
    """These, and those of the ticket's team who have one of the roles; nobody who is retired. Who is named and was read in this change is
    not read again."""
    known = ticket.session.seen(Agent, ids)
    missing = ids - known.keys()
    if missing or roles:
        asked = {"ids": list(missing), "team": ticket.row.team_id, "roles": roles}
        known |= {agent.id: agent for agent in (await ticket.session.execute(_AROUND, asked)).scalars()}
    return [agent for agent in known.values() if agent.retired_at is None]


async def agents(ticket: TicketAggregate, *ids: int | None) -> list[Recipient]:
    """These agents, but not the one who acts."""
    wanted = set(ids) - {None, _own_id(ticket)}
    return await audience(ticket, (), *wanted) if wanted else []


def others(ticket: TicketAggregate, people: Iterable[Recipient]) -> list[Recipient]:
    """Of these agents all but the one who acts: they know what they did."""
    return [person for person in people if person.id != _own_id(ticket)]


def _own_id(ticket: TicketAggregate) -> int | None:
    return ticket.change.by.id if ticket.change.by.kind is ActorKind.AGENT else None


async def responsible(ticket: TicketAggregate) -> list[Recipient]:
    """The assignee; of an unassigned ticket the lead of its team."""
    return await audience(ticket, (Audience.LEAD if ticket.row.assignee_id is None else Audience.ASSIGNEE,))


async def reporter(ticket: TicketAggregate) -> list[Recipient]:
    person = await ticket.session.get_one(Reporter, (ticket.row.merchant_id, ticket.row.reporter_id))
    return [Recipient(RecipientKind.REPORTER, person.id, person.name, person.email)]


def as_recipient(agent: Agent) -> Recipient:
    return Recipient(RecipientKind.AGENT, agent.id, agent.name, agent.email)
