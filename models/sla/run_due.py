"""What came due: warn, record the breach, escalate, wake, ask, close. The case is locked and everything is judged again from its rows."""

from models.sla.clock import Clock
from models.sla.deadlines import Deadline, DeadlineKind, due
from models.sla.escalate import supersede, take_rung
from models.sla.ladder import Rung
from models.sla.policy import Metric
from models.sla.tracking import breached, warned
from models.surveys.survey import send_survey
from models.tickets.aggregate import Case
from models.tickets.snooze import wake
from models.tickets.transitions import close


async def meet_deadlines(case: Case) -> None:
    """Act on every deadline that is due at the instant asked for. One that was met, moved or taken meanwhile is not there any more."""
    if case.facts().has_ended:
        return
    found = due(case.deadlines(), case.asked_at)
    if not found:  # the engine's instants are not ours any more: the data of a time zone or of holidays has changed
        case.repeat()
    if any(deadline.kind is DeadlineKind.WAKE for deadline in found):
        await wake(case)
        found = due(case.deadlines(), case.asked_at)  # woken late: what its clocks owe since is due with all else
    for deadline in found:
        if deadline.kind is DeadlineKind.WARN:
            _warn(case, deadline)
        elif deadline.kind is DeadlineKind.BREACH:
            breached(case, _clock(case, deadline))
    await _escalate(case, [deadline for deadline in found if deadline.kind is DeadlineKind.ESCALATE])
    kinds = {deadline.kind for deadline in found}
    if DeadlineKind.SURVEY in kinds:
        await send_survey(case)
    if DeadlineKind.AUTO_CLOSE in kinds:
        close(case, "auto-close")


def _warn(case: Case, deadline: Deadline) -> None:
    """Of several that are due at once the last one is told."""
    clock, fraction = _clock(case, deadline), float(deadline.key.split("/")[2])
    warned(case, clock, fraction)
    cause = case.record("sla.warned", metric=clock.metric, cycle=clock.cycle, fraction=fraction, dueAt=deadline.due_at.isoformat())
    case.warnings[clock.metric, clock.cycle] = cause


async def _escalate(case: Case, found: list[Deadline]) -> None:
    """After an outage only the highest rung that is due is taken; the lower ones are recorded as superseded."""
    rungs = sorted(((_rung(case, deadline), deadline) for deadline in found), key=lambda item: item[0].level)
    for rung, deadline in rungs[:-1]:
        supersede(case, rung, _cycle(deadline), deadline.due_at)
    for rung, deadline in rungs[-1:]:
        await take_rung(case, rung, _cycle(deadline), deadline.due_at)


def _rung(case: Case, deadline: Deadline) -> Rung:
    level = int(deadline.key.split("/")[2])
    assert case.rules.ladder is not None  # noqa: S101 - the deadline was made from it
    return next(rung for rung in case.rules.ladder.rungs if rung.metric is _metric(deadline) and rung.level == level)


def _clock(case: Case, deadline: Deadline) -> Clock:
    return case.clocks.by_key[_metric(deadline), _cycle(deadline)]


def _metric(deadline: Deadline) -> Metric:
    return Metric(deadline.key.split("/")[0])


def _cycle(deadline: Deadline) -> int:
    return int(deadline.key.split("/")[1])
