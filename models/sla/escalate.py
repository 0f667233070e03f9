"""Escalation: a rung of the ladder, taken by a deadline or by a person.

It changes the owner or tells, in one transaction; never silently nothing.
"""

from datetime import datetime

from models.errors import Conflict
from models.notifications.kinds import NotificationKind
from models.notifications.notify import Recipient, audience, tell
from models.notifications.tables import RecipientKind
from models.people.roles import Role
from models.people.tables import Agent
from models.sla import tracking as clocks
from models.sla.clock import Clock
from models.sla.ladder import DEFAULT_LADDER, Audience, Reassign, Rung
from models.sla.policy import Metric
from models.sla.tables import Escalation, EscalationCause, EscalationOutcome
from models.tickets.aggregate import Case, id_text
from models.tickets.assign import candidates, give, pick, require_work
from models.tickets.assignment import choose
from models.tickets.lifecycle import Status

TOP = 3


async def take_rung(case: Case, rung: Rung, cycle: int, due_at: datetime) -> Escalation:
    """The rung is due: reassign and tell, as it says."""
    escalation = _escalation(case, rung.level, EscalationCause.DEADLINE)
    escalation.metric, escalation.cycle, escalation.due_at = rung.metric, cycle, due_at
    return await _take(case, rung, escalation)


def supersede(case: Case, rung: Rung, cycle: int, due_at: datetime) -> None:
    """A higher rung was due as well: this one is recorded and does nothing more."""
    escalation = _escalation(case, rung.level, EscalationCause.DEADLINE)
    escalation.metric, escalation.cycle, escalation.due_at = rung.metric, cycle, due_at
    escalation.outcome = EscalationOutcome.SUPERSEDED
    _record(case, escalation, case.ticket.status)


async def escalate_by_hand(case: Case, reason: str, level: int | None) -> Escalation:
    """A person escalates: the rung of that level of the ticket's ladder, or of the default one, at once."""
    require_work(case.ticket)
    wanted = level or min(case.ticket.escalation_level + 1, TOP)
    if wanted <= case.ticket.escalation_level:
        raise Conflict("already_escalated", f"The ticket is at level {case.ticket.escalation_level}.")
    rung, escalation = _rung(case, wanted), _escalation(case, wanted, EscalationCause.MANUAL)
    escalation.reason = reason
    clock = case.clocks.latest(rung.metric)
    if clock is not None and clock.is_live:  # the ladder knows of it: what it would have done up to this level is done
        escalation.metric, escalation.cycle = clock.metric, clock.cycle
    return await _take(case, rung, escalation)


def acknowledge(case: Case, level: int | None) -> Escalation:
    """Somebody cares for it: the later rungs of that metric's cycle are not taken any more, until the ticket is reopened.

    Raises:
        Conflict: the ticket is finished, or no rung was taken whose promise still stands.
    """
    require_work(case.ticket)
    taken = [e for e in case.escalations if level in (None, e.level) and _still_counts(case, e)]
    latest = max(taken, key=lambda e: (e.taken_at, e.level), default=None)
    if latest is None:
        raise Conflict("not_escalated", "There is no escalation to acknowledge.")
    clock = _clock_of(case, latest)
    if latest.acknowledged_at is None or (clock and not clock.is_acknowledged):
        latest.acknowledged_at, latest.acknowledged_by = case.at, case.change.by.id
        case.record("escalation.acknowledged", level=latest.level, metric=latest.metric, cycle=latest.cycle)
    if clock is not None:
        clocks.acknowledged(case, clock)
    return latest


def _still_counts(case: Case, escalation: Escalation) -> bool:
    """One that a person took without a promise behind it always does."""
    clock = _clock_of(case, escalation)
    return escalation.outcome is not EscalationOutcome.SUPERSEDED and (escalation.metric is None or (clock is not None and clock.is_live))


def _clock_of(case: Case, escalation: Escalation) -> Clock | None:
    """None also for an older cycle's: it is over."""
    metric, cycle = escalation.metric, escalation.cycle
    return None if metric is None or cycle is None else case.clocks.by_key.get((metric, cycle))


async def _take(case: Case, rung: Rung, escalation: Escalation) -> Escalation:
    old, status = case.ticket.assignee_id, case.ticket.status
    new = await _target(case, rung)
    if new is not None and new.id != old:
        give(case, new)
        escalation.to_agent_id, escalation.outcome = new.id, EscalationOutcome.REASSIGNED
    elif rung.reassign is not Reassign.NONE and new is None:
        escalation.outcome = EscalationOutcome.NO_TARGET
    cause = _record(case, escalation, status)
    await _tell(case, rung, escalation, cause)
    return escalation


async def _target(case: Case, rung: Rung) -> Agent | None:
    """A senior who is there and has room, else the lead. The lead who holds the ticket already keeps it."""
    if rung.reassign is Reassign.NONE or case.ticket.team_id is None:
        return None
    team = await candidates(case.session, case.ticket.team_id)
    others = [candidate for candidate, _ in team if candidate.id != case.ticket.assignee_id]
    owner = next((agent for candidate, agent in team if candidate.id == case.ticket.assignee_id), None)
    senior = choose((c for c in others if c.role is Role.SENIOR), case.asked_at) if rung.reassign is Reassign.SENIOR else None
    if senior is None and owner is not None and owner.role is Role.LEAD:
        return owner
    return pick(team, senior or choose((c for c in others if c.role is Role.LEAD), case.asked_at))


async def _tell(case: Case, rung: Rung, escalation: Escalation, cause: int) -> None:
    """Those whom the rung names, the old and the new owner; the lead, if that is nobody or nobody could take it."""
    people = await audience(case, rung.notify, escalation.from_agent_id, escalation.to_agent_id)
    is_missed = escalation.outcome is EscalationOutcome.NO_TARGET
    leads = await audience(case, (Audience.LEAD,)) if is_missed or not any(person.address for person in people) else []
    public = {"level": escalation.level, "metric": escalation.metric, "dueAt": _promised(case, escalation)}
    owners = {"fromAgentId": escalation.from_agent_id, "toAgentId": escalation.to_agent_id}
    internal = public | owners | {"reason": escalation.reason}
    if is_missed:
        tell(case, NotificationKind.ESCALATION_NO_TARGET, cause, leads, **internal)
    others = _without(people, leads) if is_missed else [*people, *leads]
    tell(case, NotificationKind.ESCALATED, cause, [person for person in others if person.kind is RecipientKind.AGENT], **internal)
    reporters = [person for person in others if person.kind is RecipientKind.REPORTER]
    tell(case, NotificationKind.ESCALATED, cause, reporters, **public, actorName=None)  # why and to whom is the house's own affair
    if escalation.metric is not None and escalation.cycle is not None:
        case.told[escalation.metric, escalation.cycle] |= {person.id for person in (*people, *leads)}


def _promised(case: Case, escalation: Escalation) -> str | None:
    """When the metric is due: not when the rung was."""
    clock = case.clocks.latest(escalation.metric) if escalation.metric else None
    return _iso(clock.due_at) if clock else None


def _without(people: list[Recipient], told: list[Recipient]) -> list[Recipient]:
    ids = {person.id for person in told}
    return [person for person in people if person.id not in ids]


def _escalation(case: Case, level: int, cause: EscalationCause) -> Escalation:
    return Escalation(
        merchant_id=case.ticket.merchant_id,
        id=case.session.new_id(),
        ticket_id=case.ticket.id,
        level=level,
        cause=cause,
        taken_at=case.at,
        from_agent_id=case.ticket.assignee_id,
        outcome=EscalationOutcome.NOTIFIED,
    )


def _record(case: Case, escalation: Escalation, before: Status) -> int:
    case.session.insert(escalation)
    case.escalations.append(escalation)
    case.ticket.escalation_level = max(case.ticket.escalation_level, escalation.level)
    return case.record(
        f"escalation.{escalation.outcome.value}",
        level=escalation.level,
        metric=escalation.metric,
        cycle=escalation.cycle,
        cause=escalation.cause,
        dueAt=_iso(escalation.due_at),
        fromAgentId=id_text(escalation.from_agent_id),
        toAgentId=id_text(escalation.to_agent_id),
        reason=escalation.reason,
        **case.moved_from(before),
    )


def _rung(case: Case, level: int) -> Rung:
    """Of the ticket's own ladder if it has one of that level, the resolution's first; else of the default one."""
    own = sorted(case.rules.ladder.rungs if case.rules.ladder else (), key=lambda rung: rung.metric is not Metric.RESOLUTION)
    return next(rung for rung in (*own, *DEFAULT_LADDER.rungs) if rung.level == level)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
