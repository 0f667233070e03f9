"""What clients see of tickets, and of what belongs to one."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal

import sqlalchemy as sa
from fastapi import Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from sqlmodel import col

from api.http.headers import etag
from api.http.responses import Id, ResponseBody, location, respond
from api.http.transaction import viewer_of, workflows_url_of
from models.audit import ActorKind
from models.db.session import TenantSession
from models.people.tables import Reporter
from models.sla.clock import ClockStatus, SlaStatus
from models.sla.clocks import LedgerKind
from models.sla.policy import Metric
from models.sla.tables import EscalationCause, EscalationOutcome
from models.tickets.lifecycle import Channel, Priority, Status
from models.tickets.messages import TicketRef
from models.tickets.tables import CommentKind, Ticket
from models.tickets.visibility import Viewer, readable

_EVENTS: Final = """\
Each after `ticket.`: opened, opened_by_reply, edited, assigned, unassigned, moved_to_team, replied, noted, pending, held, snoozed, woken,
resumed, resolved, reopened, closed, merged, merged_from, deleted, restored. Also `sla.warned`, `sla.breached`, `sla.retimed`,
`escalation.reassigned`, `.notified`, `.no_target`, `.superseded`, `.acknowledged`, `survey.sent`, `survey.answered`."""


class PersonResponse(ResponseBody):
    id: Id | None
    name: str
    email: str | None = None


class WhoResponse(ResponseBody):
    """``id`` is that of the agent or the reporter; others have none."""

    kind: ActorKind
    id: Id | None


class ActorResponse(WhoResponse):
    name: str


class ReporterTicketInList(ResponseBody):
    """A ticket as its reporter sees it in a list: without its description, unless ``include=description`` asks for it.

    What they do not see changes neither ``version`` nor ``updatedAt``.
    """

    id: Id
    number: int
    merchant_id: Id
    organizer_id: Id | None
    subject: str
    description: Annotated[str | SkipJsonSchema[None], Field(exclude_if=lambda text: text is None)] = None
    status: Status
    priority: Priority
    category: str | None
    channel: Channel
    tags: list[str]
    custom_fields: dict[str, Any]
    reporter: PersonResponse
    created_at: datetime
    updated_at: datetime
    first_responded_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    merged_into_id: Id | None
    follow_up_of_id: Id | None
    version: int


class TicketInList(ReporterTicketInList):
    """A ticket as those who work on it see it in a list. ``slaStatus`` is the worst of its clocks, ``nextDueAt`` the nearest target."""

    assignee_id: Id | None
    team_id: Id | None
    escalation_level: int
    next_due_at: datetime | None
    sla_status: SlaStatus
    snoozed_until: datetime | None
    deleted_at: datetime | None


class ReporterTicketResponse(ReporterTicketInList):
    """A ticket as its reporter sees it."""

    description: str


class LinksResponse(ResponseBody):
    """``workflow`` is the ticket's page in the Temporal UI."""

    workflow: str


class TicketResponse(TicketInList):
    """A ticket as those who work on it see it. ``slaStatus`` is the worst of its clocks, ``nextDueAt`` the nearest target.

    ``links`` is for leads and above, where the server knows its Temporal UI.
    """

    description: str
    links: Annotated[LinksResponse | SkipJsonSchema[None], Field(exclude_if=lambda links: links is None)] = None


AnyTicket = TicketResponse | ReporterTicketResponse
"""By whom the response is for. The one with more fields first: a generated client takes the first that fits."""


class CountResponse(ResponseBody):
    count: int
    capped: bool


class CommentResponse(ResponseBody):
    id: Id
    ticket_id: Id
    kind: CommentKind
    author: ActorResponse
    body: str
    created_at: datetime


class EventResponse(ResponseBody):
    """``kind`` may also be one that only a later release knows. In ``changes`` a field that was changed has its two values, before and
    after; a single value belongs to the event, for example the ``messageId`` of ``ticket.replied``."""

    id: Id
    sequence: int
    at: datetime
    actor: ActorResponse
    kind: Annotated[str, Field(description=_EVENTS)]
    changes: dict[str, Any]


class CycleResponse(ResponseBody):
    """One clock. ``remainingSeconds`` is negative after a breach."""

    metric: Metric
    cycle: int
    status: ClockStatus
    policy_id: Id | None
    policy_version: int | None
    target_seconds: int
    elapsed_seconds: int
    remaining_seconds: int
    started_at: datetime | None
    due_at: datetime | None
    paused_at: datetime | None
    breached_at: datetime | None
    stopped_at: datetime | None


class SegmentResponse(ResponseBody):
    """A stretch of the ledger. ``seconds`` is business time. The segments of a cycle sum to its elapsed time: those from its last
    `restarted` on, if a reopen began it again with nothing spent."""

    metric: Metric
    cycle: int
    state: Literal["running", "paused"]
    kind: LedgerKind
    reason: str
    actor: WhoResponse
    from_: datetime
    to: datetime | None
    seconds: float
    target_seconds: int
    due_at: datetime | None
    policy_id: Id | None
    policy_version: int | None
    calendar_version: int | None

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")))


class EscalationResponse(ResponseBody):
    id: Id
    level: int
    metric: Metric | None
    cause: EscalationCause
    reason: str | None
    due_at: datetime | None
    taken_at: datetime
    from_agent_id: Id | None
    to_agent_id: Id | None
    outcome: EscalationOutcome
    acknowledged_by: Id | None
    acknowledged_at: datetime | None


class EarlierTicketResponse(ResponseBody):
    id: Id
    number: int
    subject: str
    status: Status
    created_at: datetime


class ContextResponse(ResponseBody):
    """The reporter's latest tickets before this one, at most five. ``hasMore``: there are more of them."""

    earlier_tickets: list[EarlierTicketResponse]
    has_more: bool


async def ticket_response(session: TenantSession, ticket: Ticket, status: int = 200) -> Response:
    """The ticket as it now stands, with its ETag. To be asked for after it was saved."""
    shown = await present_one(session, ticket)
    made = location(f"/tickets/{ticket.id}") if status == 201 else {}
    return respond(shown, status, {"ETag": etag(shown.version)} | made)


async def present_one(session: TenantSession, ticket: Ticket) -> ReporterTicketInList:
    """The ticket as the session's caller may see it, with the links that only a single one has."""
    shown = (await present(session, [ticket]))[0]
    url = workflows_url_of(session)
    if url is None:
        return shown
    workflow_id = TicketRef(merchant_id=ticket.merchant_id, ticket_id=ticket.id).workflow_id
    return shown.model_copy(update={"links": LinksResponse(workflow=f"{url}/{workflow_id}")})


async def present(session: TenantSession, tickets: Sequence[Ticket]) -> Sequence[ReporterTicketInList]:
    """``tickets`` as the session's caller may see them, in their order; a reporter's are without what only agents see."""
    return await _present(session, tickets, TicketResponse, ReporterTicketResponse)


async def present_in_list(session: TenantSession, tickets: Sequence[Ticket]) -> Sequence[ReporterTicketInList]:
    """The same, of rows that were read without their descriptions."""
    return await _present(session, tickets, TicketInList, ReporterTicketInList)


async def _present(
    session: TenantSession, tickets: Sequence[Ticket], for_staff: type[TicketInList], for_reporter: type[ReporterTicketInList]
) -> Sequence[ReporterTicketInList]:
    viewer, reporters = viewer_of(session), await _reporters(session, tickets)
    if viewer.is_staff:
        return [_shown(for_staff, ticket, reporters[ticket.reporter_id]) for ticket in tickets]
    hidden = await _hidden(session, viewer, {ticket.merged_into_id for ticket in tickets if ticket.merged_into_id})
    shown = [_shown(for_reporter, ticket, reporters[ticket.reporter_id]) for ticket in tickets]
    return [each.model_copy(update={"merged_into_id": None}) if each.merged_into_id in hidden else each for each in shown]


def _shown(kind: type[ReporterTicketInList], ticket: Ticket, reporter: Reporter) -> ReporterTicketInList:
    person = PersonResponse(id=reporter.id, name=reporter.name, email=reporter.email)
    # The values come from our own rows: they need no second judgement.
    fields = {name: getattr(ticket, name) for name in _columns_of(kind)}
    if issubclass(kind, TicketInList):
        fields["sla_status"] = SlaStatus(ticket.sla_status or SlaStatus.NONE)
    else:
        fields |= {"version": ticket.public_version, "updated_at": ticket.public_updated_at}
    return kind.model_construct(reporter=person, **fields)


@cache
def _columns_of(kind: type[ReporterTicketInList]) -> tuple[str, ...]:
    """The fields that are columns of the ticket's row, and always shown."""
    return tuple(name for name, field in kind.model_fields.items() if name not in ("reporter", "sla_status") and field.is_required())


async def _hidden(session: TenantSession, viewer: Viewer, ids: set[int]) -> set[int]:
    """Of the tickets that others were merged into, those that the viewer may not see: for them they are not there."""
    if not ids:
        return ids
    seen = readable(viewer).where(col(Ticket.id).in_(ids)).with_only_columns(col(Ticket.id))
    return ids - set((await session.execute(seen)).scalars())


async def _reporters(session: TenantSession, tickets: Sequence[Ticket]) -> dict[int, Reporter]:
    ids = {ticket.reporter_id for ticket in tickets}
    known = session.seen(Reporter, ids)
    missing = ids - known.keys()
    if missing:
        wanted = (col(Reporter.merchant_id) == session.merchant_id) & col(Reporter.id).in_(missing)
        found = await session.execute(sa.select(Reporter).where(wanted))
        known |= {row.id: row for row in found.scalars()}
    return known
