"""What an operator reads in the Temporal UI, in words: ids, slugs, numbers, categories and instants; no personal data."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from models.jobs.messages import JobFacts, called
from models.notifications.messages import DeliveryRef
from models.outbox.description import NAMED, name_of, shortened, summary_of_ticket
from models.sla.deadlines import BREACH, ESCALATE, WARN, Deadline
from models.tickets.messages import MissedTarget, TakenRung, TicketFacts

TO_COME = 20
"""So many deadlines the card lists."""
IN_SUMMARY = 3
_OTHERS = {"wake": "the snooze ends", "survey": "sends the survey", "auto_close": "closes the ticket"}
_OUTCOMES = {"notified": "people were notified", "no_target": "nobody could take the ticket", "superseded": "a higher one was due as well"}


def card(facts: TicketFacts) -> str:
    """Markdown: what the ticket is like, who has it, what is missed, which rungs were taken, what comes next."""
    return "\n".join(
        [
            f"**{summary_of_ticket(facts)}**, {facts.status}, priority {facts.priority}",
            "",  # without it the UI makes no list of what follows
            f"- SLA: {facts.sla_status or 'none'}, escalation level {facts.escalation_level}",
            f"- {_owner(facts)}",
            *(f"- missed: {_missed(each)}" for each in facts.missed),
            *(f"- taken: {_taken(each)}" for each in facts.rungs),
            *(f"- next: {_words(each)}, due {instant(each.due_at)}" for each in facts.deadlines[:TO_COME]),
            *([] if facts.deadlines or facts.has_ended else ["- next: nothing is due, it waits for news"]),
            *(["- ended: nothing is left to wait for"] if facts.has_ended else []),
            f"- version {facts.version}, by request {facts.request_id or 'none'}",
        ]
    )


def end_of(facts: TicketFacts) -> str:
    """The workflow's result, which stays readable without a worker."""
    return str(facts.status) if facts.status == "closed" else f"deleted while {facts.status}"


def named(deadlines: Sequence[Deadline]) -> str:
    """What a timer or an activity is about: ``warns at 75 % of resolution, due 2026-11-28 09:05:28Z``."""
    first = "; ".join(f"{_words(each)}, due {instant(each.due_at)}" for each in deadlines[:IN_SUMMARY])
    return shortened(f"{first}; and {len(deadlines) - IN_SUMMARY} more" if len(deadlines) > IN_SUMMARY else first)


def delivery_card(states: Iterable[tuple[DeliveryRef, str]]) -> str:
    """Markdown: how each notification stands."""
    lines = [f"- {name_of(ref)} ({ref.notification_id}): {state}" for ref, state in states]
    more = [f"- and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "\n".join([*lines[:NAMED], *more])


def pause_of(failed: int, error: str, until: datetime) -> str:
    """What a delivery waits for."""
    return f"try {failed} failed ({error}), next {instant(until)}"


def job_card(facts: JobFacts) -> str:
    state = "paused" if facts.is_paused else "ended" if facts.has_ended else "running"
    lines = [
        f"**{facts.kind}**, {state}",
        "",
        f"- {facts.done} of {facts.total} {called(facts.kind)}s",
        f"- by request {facts.request_id or 'none'}",
    ]
    return "\n".join(lines)


def instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _owner(facts: TicketFacts) -> str:
    team = f"team {facts.team_id or 'none'}"
    if facts.is_assigned:
        return f"with agent {facts.agent_id or 'unknown'}, {team}"
    reason = facts.nobody_free
    if reason is None:
        return f"not assigned, {team}"
    more = {"off shift": reason.off_shift, "without the skills": reason.unskilled}
    counts = [f"{reason.away} away", f"{reason.full} full", *(f"{count} {what}" for what, count in more.items() if count)]
    return f"not assigned, {team}; nobody was free at {instant(reason.at)}: {', '.join(counts)}"


def _missed(target: MissedTarget) -> str:
    return f"{target.metric}{_cycle(target.cycle)}, since {instant(target.since)}"


def _taken(rung: TakenRung) -> str:
    outcome = _OUTCOMES.get(rung.outcome, rung.outcome) if rung.to_agent_id is None else f"to agent {rung.to_agent_id}"
    return f"{f'{rung.metric}: ' if rung.metric else ''}level {rung.level} at {instant(rung.taken_at)}, {outcome}"


def _words(deadline: Deadline) -> str:
    about = f"{deadline.metric}{_cycle(deadline.cycle)}"
    match deadline.kind:
        case kind if kind == WARN:
            return f"warns at {(deadline.fraction or 0) * 100:g} % of {about}"
        case kind if kind == BREACH:
            return f"{about} is missed"
        case kind if kind == ESCALATE:
            return f"{about} escalates to level {deadline.level}"
        case kind:
            return _OTHERS.get(kind) or f"{kind} {deadline.key}".strip()


def _cycle(number: int | None) -> str:
    return f" (cycle {number})" if number and number > 1 else ""
