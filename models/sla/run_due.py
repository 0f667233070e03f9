"""What came due: warn, record the breach, escalate, wake, ask, close. The case is locked and everything is judged again from its rows."""

from models.sla.clock import Clock
from models.sla.deadlines import Deadline, DeadlineKind, due
from models.sla.escalate import supersede, take_rung
from models.sla.ladder import Rung
from models.sla.policy import Metric
from models.sla.tracking import breached, warned
from models.surveys.survey import send_survey
from models.tickets.aggregate import TicketAggregate
from models.tickets.snooze import wake
from models.tickets.transitions import close


async def run_due(ticket: TicketAggregate) -> None:
    """Act on every deadline that is due at the instant asked for. One that was met, moved or taken meanwhile is not there any more."""
    if ticket.facts().has_ended:
        return
    found = due(ticket.deadlines(), ticket.requested_at)
    if not found:  # the engine's instants are not ours any more: the data of a time zone or of holidays has changed
        ticket.repeat()
    if any(deadline.kind is DeadlineKind.WAKE for deadline in found):
        await wake(ticket)
        found = due(ticket.deadlines(), ticket.requested_at)  # woken late: what its clocks owe since is due with all else
    for deadline in found:
        if deadline.kind is DeadlineKind.WARN:
            _warn(ticket, deadline)
        elif deadline.kind is DeadlineKind.BREACH:
            breached(ticket, _clock(ticket, deadline))
    await _escalate(ticket, [deadline for deadline in found if deadline.kind is DeadlineKind.ESCALATE])
    kinds = {deadline.kind for deadline in found}
    if DeadlineKind.SURVEY in kinds:
        await send_survey(ticket)
    if DeadlineKind.AUTO_CLOSE in kinds:
        close(ticket, "auto-close")


def _warn(ticket: TicketAggregate, deadline: Deadline) -> None:
    """Of several that are due at once the last one is told."""
    clock, fraction = _clock(ticket, deadline), float(deadline.key.split("/")[2])
    warned(ticket, clock, fraction)
    cause = ticket.record("sla.warned", metric=clock.metric, cycle=clock.cycle, fraction=fraction, dueAt=deadline.due_at.isoformat())
    ticket.warnings[clock.metric, clock.cycle] = cause


async def _escalate(ticket: TicketAggregate, found: list[Deadline]) -> None:
    """After an outage only the highest rung that is due is taken; the lower ones are recorded as superseded."""
    rungs = sorted(((_rung(ticket, deadline), deadline) for deadline in found), key=lambda item: item[0].level)
    for rung, deadline in rungs[:-1]:
        supersede(ticket, rung, _cycle(deadline), deadline.due_at)
    for rung, deadline in rungs[-1:]:
        await take_rung(ticket, rung, _cycle(deadline), deadline.due_at)


def _rung(ticket: TicketAggregate, deadline: Deadline) -> Rung:
    level = int(deadline.key.split("/")[2])
    assert ticket.configuration.ladder is not None  # noqa: S101 - the deadline was made from it
    return next(rung for rung in ticket.configuration.ladder.rungs if rung.metric is _metric(deadline) and rung.level == level)


def _clock(ticket: TicketAggregate, deadline: Deadline) -> Clock:
    return ticket.clocks.by_key[_metric(deadline), _cycle(deadline)]


def _metric(deadline: Deadline) -> Metric:
    return Metric(deadline.key.split("/")[0])


def _cycle(deadline: Deadline) -> int:
    return int(deadline.key.split("/")[1])
