"""Escalation: a rung of the ladder, taken by a deadline or by a person.

It reassigns or notifies, in one transaction; never silently nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from models.errors import Conflict
from models.notifications.kinds import NotificationKind
from models.notifications.notify import Recipient, audience, notify
from models.notifications.tables import RecipientKind
from models.people.roles import Role
from models.people.tables import Agent
from models.platform.metrics import RUNGS
from models.sla import tracking as clocks
from models.sla.clock import Clock
from models.sla.deadlines import Deadline
from models.sla.ladder import DEFAULT_LADDER, Audience, Reassign, Rung
from models.sla.policy import Metric
from models.sla.tables import Escalation, EscalationCause, EscalationOutcome
from models.tickets.aggregate import TicketAggregate, id_text
from models.tickets.assign import candidates, give, pick, require_work
from models.tickets.assignment import choose
from models.tickets.lifecycle import Status

TOP = 3
log = structlog.get_logger()


async def take_highest_rung(ticket: TicketAggregate, due: Sequence[Deadline]) -> None:
    """After an outage only the highest rung that is due is taken; the lower ones are recorded as superseded."""
    *lower, highest = sorted(due, key=lambda deadline: deadline.level or 0)
    for deadline in lower:
        escalation = _due(ticket, deadline)
        escalation.outcome = EscalationOutcome.SUPERSEDED
        _record(ticket, escalation, ticket.row.status)
    await _take(ticket, _rung_of(ticket, highest), _due(ticket, highest))


def _due(ticket: TicketAggregate, deadline: Deadline) -> Escalation:
    escalation = _escalation(ticket, deadline.level or 0, EscalationCause.DEADLINE)
    escalation.metric, escalation.cycle = deadline.clock
    escalation.due_at = deadline.due_at
    return escalation


def _rung_of(ticket: TicketAggregate, deadline: Deadline) -> Rung:
    place = (deadline.clock[0], deadline.level)  # the deadline was made from one of them
    return next(rung for rung in ticket.configuration.rungs if (rung.metric, rung.level) == place)


async def escalate_by_hand(ticket: TicketAggregate, reason: str, level: int | None) -> Escalation:
    """A person escalates: the rung of that level of the ticket's ladder, or of the default one, at once."""
    require_work(ticket.row)
    wanted = level or min(ticket.row.escalation_level + 1, TOP)
    if wanted <= ticket.row.escalation_level:
        raise Conflict("already_escalated", f"The ticket is at level {ticket.row.escalation_level}.")
    rung, escalation = _rung(ticket, wanted), _escalation(ticket, wanted, EscalationCause.MANUAL)
    escalation.reason = reason
    clock = ticket.clocks.latest(rung.metric)
    if clock is not None and clock.is_live:  # the ladder knows of it: what it would have done up to this level is done
        escalation.metric, escalation.cycle = clock.metric, clock.cycle
    return await _take(ticket, rung, escalation)


def acknowledge(ticket: TicketAggregate, level: int | None) -> Escalation:
    """An agent cares for it: the later rungs of that metric's cycle are not taken any more, until the ticket is reopened.

    Raises:
        Conflict: the ticket is finished, or no rung was taken whose clock still runs.
    """
    require_work(ticket.row)
    taken = [e for e in ticket.escalations if level in (None, e.level) and _still_counts(ticket, e)]
    latest = max(taken, key=lambda e: (e.taken_at, e.level), default=None)
    if latest is None:
        raise Conflict("not_escalated", "There is no escalation to acknowledge.")
    clock = _clock_of(ticket, latest)
    if latest.acknowledged_at is None or (clock and not clock.is_acknowledged):
        latest.acknowledged_at, latest.acknowledged_by = ticket.at, ticket.change.by.id
        ticket.record("escalation.acknowledged", level=latest.level, metric=latest.metric, cycle=latest.cycle)
    if clock is not None:
        clocks.acknowledged(ticket, clock)
    return latest


def _still_counts(ticket: TicketAggregate, escalation: Escalation) -> bool:
    """One that a person took without a clock behind it always does."""
    clock = _clock_of(ticket, escalation)
    return escalation.outcome is not EscalationOutcome.SUPERSEDED and (escalation.metric is None or (clock is not None and clock.is_live))


def _clock_of(ticket: TicketAggregate, escalation: Escalation) -> Clock | None:
    """None also for an older cycle's: it is over."""
    metric, cycle = escalation.metric, escalation.cycle
    return None if metric is None or cycle is None else ticket.clocks.by_key.get((metric, cycle))


async def _take(ticket: TicketAggregate, rung: Rung, escalation: Escalation) -> Escalation:
    old, status = ticket.row.assignee_id, ticket.row.status
    new = await _target(ticket, rung)
    if new is not None and new.id != old:
        give(ticket, new)
        escalation.to_agent_id, escalation.outcome = new.id, EscalationOutcome.REASSIGNED
    elif rung.reassign is not Reassign.NONE and new is None:
        escalation.outcome = EscalationOutcome.NO_TARGET
    cause = _record(ticket, escalation, status)
    await _notify(ticket, rung, escalation, cause)
    _log(ticket, escalation)
    return escalation


async def _target(ticket: TicketAggregate, rung: Rung) -> Agent | None:
    """A senior who is there and has room, else the lead. The lead who holds the ticket already keeps it."""
    if rung.reassign is Reassign.NONE or ticket.row.team_id is None:
        return None
    team = await candidates(ticket.session, ticket.row.team_id)
    others = [candidate for candidate, _ in team if candidate.id != ticket.row.assignee_id]
    owner = next((agent for candidate, agent in team if candidate.id == ticket.row.assignee_id), None)
    senior = choose((c for c in others if c.role is Role.SENIOR), ticket.requested_at) if rung.reassign is Reassign.SENIOR else None
    if senior is None and owner is not None and owner.role is Role.LEAD:
        return owner
    return pick(team, senior or choose((c for c in others if c.role is Role.LEAD), ticket.requested_at))


async def _notify(ticket: TicketAggregate, rung: Rung, escalation: Escalation, cause: int) -> None:
    """Those whom the rung names, the old and the new assignee; the lead, if there is none of them or no agent could take it."""
    people = await audience(ticket, rung.notify, escalation.from_agent_id, escalation.to_agent_id)
    is_missed = escalation.outcome is EscalationOutcome.NO_TARGET
    leads = await audience(ticket, (Audience.LEAD,)) if is_missed or not any(person.address for person in people) else []
    public = {"level": escalation.level, "metric": escalation.metric, "dueAt": _due_at(ticket, escalation)}
    owners = {"fromAgentId": escalation.from_agent_id, "toAgentId": escalation.to_agent_id}
    internal = public | owners | {"reason": escalation.reason}
    if is_missed:
        notify(ticket, NotificationKind.ESCALATION_NO_TARGET, cause, leads, **internal)
    others = _without(people, leads) if is_missed else [*people, *leads]
    notify(ticket, NotificationKind.ESCALATED, cause, [person for person in others if person.kind is RecipientKind.AGENT], **internal)
    reporters = [person for person in others if person.kind is RecipientKind.REPORTER]
    notify(ticket, NotificationKind.ESCALATED, cause, reporters, **public, actorName=None)  # why and to whom is the staff's own affair


def _due_at(ticket: TicketAggregate, escalation: Escalation) -> str | None:
    """When the metric is due: not when the rung was."""
    clock = ticket.clocks.latest(escalation.metric) if escalation.metric else None
    return _iso(clock.due_at) if clock else None


def _without(people: list[Recipient], notified: list[Recipient]) -> list[Recipient]:
    ids = {person.id for person in notified}
    return [person for person in people if person.id not in ids]


def _escalation(ticket: TicketAggregate, level: int, cause: EscalationCause) -> Escalation:
    return Escalation(
        merchant_id=ticket.row.merchant_id,
        id=ticket.session.new_id(),
        ticket_id=ticket.row.id,
        level=level,
        cause=cause,
        taken_at=ticket.at,
        from_agent_id=ticket.row.assignee_id,
        outcome=EscalationOutcome.NOTIFIED,
    )


def _record(ticket: TicketAggregate, escalation: Escalation, before: Status) -> int:
    ticket.session.insert(escalation)
    ticket.session.once_committed(RUNGS.labels(escalation.level, escalation.cause, escalation.outcome).inc)
    ticket.escalations.append(escalation)
    ticket.row.escalation_level = max(ticket.row.escalation_level, escalation.level)
    return ticket.record(
        f"escalation.{escalation.outcome.value}",
        level=escalation.level,
        metric=escalation.metric,
        cycle=escalation.cycle,
        cause=escalation.cause,
        dueAt=_iso(escalation.due_at),
        fromAgentId=id_text(escalation.from_agent_id),
        toAgentId=id_text(escalation.to_agent_id),
        reason=escalation.reason,
        **ticket.status_change(before),
    )


def _log(ticket: TicketAggregate, escalation: Escalation) -> None:
    told = partial(
        log.info,
        f"escalation.{escalation.outcome.value}",
        merchant_id=escalation.merchant_id,
        ticket_id=escalation.ticket_id,
        request_id=ticket.change.request_id,
        escalation_level=escalation.level,  # `level` is the log's own
        metric=escalation.metric,
        from_agent_id=escalation.from_agent_id,
        to_agent_id=escalation.to_agent_id,
    )
    ticket.session.once_committed(told)


def _rung(ticket: TicketAggregate, level: int) -> Rung:
    """Of the ticket's own ladder if it has one of that level, the resolution's first; else of the default one."""
    own = sorted(ticket.configuration.rungs, key=lambda rung: rung.metric is not Metric.RESOLUTION)
    return next(rung for rung in (*own, *DEFAULT_LADDER.rungs) if rung.level == level)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
