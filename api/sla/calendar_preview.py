"""What a calendar comes to: when an amount of business time is over, or how much of it lies between two instants."""

import asyncio
from datetime import datetime, timedelta
from typing import NoReturn

from fastapi import APIRouter, Response

from api.auth.caller import StaffCaller
from api.http.transaction import InUnit, respond
from api.sla.requests import PreviewCalendar
from api.sla.responses import DueView, ElapsedView
from models.errors import Invalid, NotFound
from models.sla.calendar import Calendar, HorizonExceeded, advance, elapsed
from models.sla.configuration import current
from models.sla.reach import IN_SIGHT
from models.sla.tables import ConfigurationKind

router = APIRouter(tags=["rules"])
RANGE = IN_SIGHT
_SECOND = timedelta(seconds=1)


@router.post("/calendars/preview", response_model=DueView | ElapsedView)
async def preview_calendar(body: PreviewCalendar, unit: InUnit, _staff: StaffCaller) -> Response:
    """Try a calendar, or one that exists, over at most two years: {start, seconds} gives dueAt, {start, end} gives elapsedSeconds."""
    calendar = body.calendar or await _stored(unit, body.calendar_id or 0)
    # A new calendar's open hours are laid out first, for up to two years: that is done beside the event loop.
    return respond(await asyncio.to_thread(_computed, calendar, body))


async def _stored(unit: InUnit, calendar_id: int) -> Calendar:
    async with unit.reading() as session:
        try:
            configuration = await current(session, ConfigurationKind.CALENDAR, calendar_id)
        except NotFound:
            raise Invalid("unknown_calendar", "There is no such calendar.", "/calendarId") from None
    return Calendar.model_validate(configuration.definition)


def _computed(calendar: Calendar, asked: PreviewCalendar) -> DueView | ElapsedView:
    if asked.end is None:
        return DueView(due_at=_due(calendar, asked))
    if asked.end < asked.start:
        _refuse("end_before_start", "The end lies before the start.", "/end")
    if asked.end - asked.start > RANGE:
        _refuse("beyond_horizon", "The end lies more than two years after the start.", "/end")
    return ElapsedView(elapsed_seconds=elapsed(calendar, asked.start, asked.end) // _SECOND)


def _due(calendar: Calendar, asked: PreviewCalendar) -> datetime:
    try:
        return advance(calendar, asked.start, timedelta(seconds=asked.seconds or 0), within=RANGE)
    except HorizonExceeded:
        _refuse("beyond_horizon", "The calendar has less open time than that within two years.", "/seconds")


def _refuse(code: str, detail: str, pointer: str) -> NoReturn:
    raise Invalid(code, detail, pointer)
