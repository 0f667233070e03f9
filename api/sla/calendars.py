"""Calendars: when a merchant is open. Staff reads them; an admin or an operator publishes."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Response

from api.auth.caller import allow
from api.http.headers import IfMatch
from api.http.pagination import Page, Paged
from api.http.path import CalendarId, Version
from api.http.responses import respond
from api.http.transaction import CurrentTransaction, Session, TransactionRoute
from api.jobs import JobResponse
from api.sla import versions
from api.sla.dry_runs import ANNOUNCED, dry_run
from api.sla.requests import CalendarBody, Preview, PreviewCalendar, Proposal
from api.sla.responses import CalendarResponse, DueResponse, ElapsedResponse
from models.db.session import TenantSession
from models.errors import Invalid, NotFound
from models.people.permissions import Permission
from models.sla.beside import beside
from models.sla.calendar import Calendar, HorizonExceeded, advance, elapsed
from models.sla.configuration import current
from models.sla.definitions import Key, definition
from models.sla.reach import IN_SIGHT
from models.sla.tables import ConfigurationKind

router = APIRouter(prefix="/calendars", tags=["sla"], route_class=TransactionRoute)
_KIND = ConfigurationKind.CALENDAR
RANGE = IN_SIGHT
_SECOND = timedelta(seconds=1)


@router.get("", response_model=Page[CalendarResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_calendars(session: Session, pager: Paged) -> Response:
    """The current version of each calendar."""
    return await versions.list_current(session, pager, _KIND, CalendarResponse)


@router.post("", status_code=201, response_model=CalendarResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)])
async def create_calendar(body: CalendarBody, transaction: CurrentTransaction) -> Response:
    """Publish a new calendar."""
    return await versions.create(transaction, _KIND, "/calendars", body, CalendarResponse)


@router.post("/preview", response_model=DueResponse | ElapsedResponse, dependencies=[allow(Permission.TRY_CALENDAR)])
async def preview_calendar(body: PreviewCalendar, session: Session) -> Response:
    """Try a calendar, or one that exists, over at most two years: {start, seconds} gives dueAt, {start, end} gives elapsedSeconds."""
    calendar = body.calendar or await _stored(session, body.calendar_id or 0)
    # A new calendar's open hours are laid out first, for up to two years: that is done beside the event loop.
    return respond(await beside(_computed, calendar, body))


@router.get("/{calendar_id}", response_model=CalendarResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_calendar(calendar_id: CalendarId, session: Session) -> Response:
    """The current version of a calendar."""
    return await versions.get_current(session, _KIND, calendar_id, CalendarResponse)


@router.get("/{calendar_id}/versions", response_model=Page[CalendarResponse], dependencies=[allow(Permission.READ_CONFIGURATION)])
async def list_calendar_versions(calendar_id: CalendarId, session: Session, pager: Paged) -> Response:
    """Every version, the newest first."""
    return await versions.list_versions(session, pager, _KIND, calendar_id, CalendarResponse)


@router.post(
    "/{calendar_id}/versions", status_code=201, response_model=CalendarResponse, dependencies=[allow(Permission.PUBLISH_CONFIGURATION)]
)
async def publish_calendar_version(
    calendar_id: CalendarId, body: CalendarBody, transaction: CurrentTransaction, if_match: IfMatch = None
) -> Response:
    """Publish the next version, a whole new definition.

    New tickets are opened under it at once; a ticket keeps the version under which it was opened.
    """
    before = await versions.held_at(transaction.session, _KIND, calendar_id, if_match, CalendarResponse)
    return await versions.publish(transaction, before, "/calendars", body, CalendarResponse)


@router.get("/{calendar_id}/versions/{version}", response_model=CalendarResponse, dependencies=[allow(Permission.READ_CONFIGURATION)])
async def get_calendar_version(calendar_id: CalendarId, version: Version, session: Session) -> Response:
    """One version, as it was published."""
    return await versions.get_version(session, _KIND, calendar_id, version, CalendarResponse)


@router.post("/{calendar_id}/preview", dependencies=[allow(Permission.TRY_CONFIGURATION)], **ANNOUNCED)
async def dry_run_calendar(
    calendar_id: CalendarId, transaction: CurrentTransaction, body: Proposal[CalendarBody] | None = None
) -> Response:
    """A dry run: how many open tickets a definition would retime, and which would be overdue at once; or a forecast for `ticketSample`."""
    return await dry_run(transaction, _KIND, calendar_id, body or Preview(), body.definition if body else None)


@router.post("/{calendar_id}/recalculations", status_code=202, response_model=JobResponse, dependencies=[allow(Permission.RECALCULATE)])
async def recalculate_calendar(calendar_id: CalendarId, transaction: CurrentTransaction) -> Response:
    """Pin every open ticket that it concerns to the newest version: what was spent stays spent."""
    return await versions.recalculate(transaction, _KIND, calendar_id)


async def _stored(session: TenantSession, calendar_id: int) -> Calendar:
    try:
        configuration = await current(session, _KIND, calendar_id)
    except NotFound:
        raise Invalid("unknown_calendar", "There is no such calendar.", "/calendarId") from None
    return await definition(session, Key(configuration.id, configuration.version), Calendar)


def _computed(calendar: Calendar, asked: PreviewCalendar) -> DueResponse | ElapsedResponse:
    if asked.end is None:
        return DueResponse(due_at=_due(calendar, asked))
    if asked.end < asked.start:
        raise Invalid("end_before_start", "The end lies before the start.", "/end")
    if asked.end - asked.start > RANGE:
        raise Invalid("beyond_horizon", "The end lies more than two years after the start.", "/end")
    return ElapsedResponse(elapsed_seconds=elapsed(calendar, asked.start, asked.end) // _SECOND)


def _due(calendar: Calendar, asked: PreviewCalendar) -> datetime:
    try:
        return advance(calendar, asked.start, timedelta(seconds=asked.seconds or 0), within=RANGE)
    except HorizonExceeded:
        raise Invalid("beyond_horizon", "The calendar has less open time than that within two years.", "/seconds") from None
