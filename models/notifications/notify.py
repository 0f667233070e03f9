"""Letters to people: a row for each recipient, written with the change that caused it. The engine's delivery workflow does the rest."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from models.audit import ActorKind
from models.db.session import RESERVE
from models.notifications.kinds import NotificationKind
from models.notifications.messages import DeliveryRef, NotificationStatus
from models.notifications.tables import Notification, RecipientKind
from models.outbox import post as outbox
from models.people.roles import Role
from models.people.tables import Agent, Reporter
from models.sla.ladder import Audience
from models.sla.policy import Metric
from models.tickets.aggregate import Case

_AROUND = sa.select(Agent).where(
    col(Agent.id).in_(sa.bindparam("ids", expanding=True))
    | ((col(Agent.team_id) == sa.bindparam("team")) & col(Agent.role).in_(sa.bindparam("roles", expanding=True)))
)


class Recipient(NamedTuple):
    kind: RecipientKind
    id: int
    name: str
    address: str | None


def tell(case: Case, kind: NotificationKind, cause: int, people: Iterable[Recipient], **context: Any) -> None:
    """Write one letter to each of ``people`` who has an address. ``cause`` is the id of the event: one letter per cause and recipient."""
    for person in {person.id: person for person in people if person.address}.values():
        ref = DeliveryRef(merchant_id=case.ticket.merchant_id, notification_id=case.session.new_id())
        case.session.append(
            Notification,
            merchant_id=ref.merchant_id,
            id=ref.notification_id,
            ticket_id=case.ticket.id,
            cause_id=cause,
            kind=kind,
            channel="email",
            recipient_kind=person.kind,
            recipient_id=person.id,
            recipient_name=person.name,
            address=person.address,
            context={"actorName": case.change.by.name} | context,
            status=NotificationStatus.PENDING,
            round=ref.round,
            created_at=case.at,
            posted_at=case.at,
        )
        outbox.post_delivery(case.session, ref, case.change)


async def tell_what_no_rung_told(case: Case) -> None:
    """Of a breach the assignee and the lead learn, of a warning the assignee; but whom a rung tells of the same metric, it tells more."""
    if case.breaches:
        people = await audience(case, (Audience.ASSIGNEE, Audience.LEAD))
        for key, cause in case.breaches.items():
            _tell_of_clock(case, NotificationKind.SLA_BREACHED, cause, people, key)
    if case.warnings:
        people = await agents(case, case.ticket.assignee_id)
        for key, cause in case.warnings.items():
            _tell_of_clock(case, NotificationKind.SLA_WARNING, cause, people, key)
    for told in (case.breaches, case.warnings, case.told):
        told.clear()


def _tell_of_clock(case: Case, kind: NotificationKind, cause: int, people: list[Recipient], key: tuple[Metric, int]) -> None:
    clock = case.clocks.by_key[key]
    due_at = clock.breached_at or clock.due_at
    untold = [person for person in people if person.id not in case.told[key]]
    tell(case, kind, cause, untold, metric=clock.metric, dueAt=due_at.isoformat() if due_at else None)


async def audience(case: Case, whom: Sequence[Audience], *agent_ids: int | None) -> list[Recipient]:
    """The people that a rung names, and the agents with these ids; each once."""
    ticket = case.ticket
    ids = {id_ for id_ in (*agent_ids, ticket.assignee_id if Audience.ASSIGNEE in whom else None) if id_ is not None}
    roles = [role for name, role in ((Audience.LEAD, Role.LEAD), (Audience.SENIOR, Role.SENIOR)) if name in whom]
    roles = list(Role) if Audience.TEAM in whom else roles
    people = [as_recipient(agent) for agent in sorted(await _agents(case, ids, roles), key=lambda agent: agent.id)]
    await case.session.reserve_ids(RESERVE + len(people))  # a letter for each, however large the team
    return people + (await reporter(case) if Audience.REPORTER in whom else [])


async def _agents(case: Case, ids: set[int], roles: Sequence[Role]) -> Iterable[Agent]:
    """These, and those of the ticket's team who have one of the roles. Who is named and was read in this change is not read again."""
    known = case.session.seen(Agent, ids)
    missing = ids - known.keys()
    if missing or roles:
        asked = {"ids": missing, "team": case.ticket.team_id, "roles": roles}
        known |= {agent.id: agent for agent in (await case.session.execute(_AROUND, asked)).scalars()}
    return known.values()


async def agents(case: Case, *ids: int | None) -> list[Recipient]:
    """These agents, but not the one who acts."""
    wanted = set(ids) - {None, _own_id(case)}
    return await audience(case, (), *wanted) if wanted else []


def others(case: Case, people: Iterable[Recipient]) -> list[Recipient]:
    """Of these agents all but the one who acts: nobody is told of his own deed."""
    return [person for person in people if person.id != _own_id(case)]


def _own_id(case: Case) -> int | None:
    return case.change.by.id if case.change.by.kind is ActorKind.AGENT else None


async def responsible(case: Case) -> list[Recipient]:
    """The assignee; while nobody has the ticket, the lead of its team."""
    return await audience(case, (Audience.LEAD if case.ticket.assignee_id is None else Audience.ASSIGNEE,))


async def reporter(case: Case) -> list[Recipient]:
    person = await case.session.get_one(Reporter, (case.ticket.merchant_id, case.ticket.reporter_id))
    return [Recipient(RecipientKind.REPORTER, person.id, person.name, person.email)]


def as_recipient(agent: Agent) -> Recipient:
    return Recipient(RecipientKind.AGENT, agent.id, agent.name, agent.email)
